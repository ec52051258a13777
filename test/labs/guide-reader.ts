import { type ChildProcess, spawn } from 'node:child_process'
import { resolve } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { expect } from 'vitest'
import { eventually } from '../../src/conformance/eventually.ts'
import { type GuidePart, sameEverywhere } from './guide-page.ts'

/** Reader who follows a page. */
export interface Reader {
  readonly home: string
  /** Current directory. */
  readonly directory: string
  readonly environment: NodeJS.ProcessEnv
  /** Prefix of commands, to run them as another user. */
  readonly as?: readonly string[]
  /** Commands of the page that the test runs in its own way. */
  readonly done?: readonly string[]
}

/** Follows the page, command by command, and compares the output. A command that doesn't end runs until Ctrl-C. */
export async function follow(parts: readonly GuidePart[], reader: Reader): Promise<void> {
  let controller: Controller | undefined
  try {
    for (const part of parts) {
      if (part.type === 'file') await write(part.path, part.text, reader)
      else if (part.type === 'output') await expectToSay(part.shown, controller, reader)
      else if (part.type === 'prose' && part.text.startsWith('Stop the controller with Ctrl-C')) {
        await controller?.end()
        controller = undefined
      } else if (part.type === 'command') {
        if (/^(npm start|reeve run)\b/.test(part.command)) controller = begin(part.command, reader)
        else if (!reader.done?.includes(part.command)) await expectToShow(part, reader)
      }
    }
  } finally {
    await controller?.end()
  }
}

async function write(path: string, text: string, reader: Reader): Promise<void> {
  const place = resolve(reader.directory, path.replace(/^~/, reader.home))
  const child = start(['/bin/sh', '-c', 'umask 022; mkdir -p "$(dirname "$0")" && cat > "$0"', place], 'pipe', reader)
  child.stdin?.end(text)
  expect(await outcomeOf(child)).toEqual({ status: 0, output: '' })
}

/** Asynchronous effects may take a moment to show. */
async function expectToShow(
  { command, shown, fails }: Extract<GuidePart, { type: 'command' }>,
  reader: Reader,
): Promise<void> {
  const look = /\b(status|history|curl|journalctl|is-active)\b/.test(command)
  const deadline = Date.now() + 30_000
  let { status, output } = await run(command, reader)
  while (look && missing(shown, output, reader).length > 0 && Date.now() < deadline) {
    await setTimeout(100)
    ;({ status, output } = await run(command, reader))
  }
  const found = { command, fails: status !== 0, missing: missing(shown, output, reader) }
  expect(found, `${command} ended with ${status}:\n${output}`).toEqual({ command, fails, missing: [] })
}

async function expectToSay(
  shown: readonly string[],
  controller: Controller | undefined,
  reader: Reader,
): Promise<void> {
  const said = (): string => controller?.said() ?? ''
  const deadline = Date.now() + 120_000
  while (missing(shown, said(), reader).length > 0 && Date.now() < deadline) await setTimeout(50)
  expect(missing(shown, said(), reader), said()).toEqual([])
}

/** Lines of the page that are missing from the output, ignoring what differs between machines. */
function missing(shown: readonly string[], output: string, { home }: Reader): string[] {
  const lines = new Set(output.split('\n').map(line => sameEverywhere(line, home)))
  return shown.filter(line => !lines.has(sameEverywhere(line, home)))
}

interface Ended {
  readonly status: number | null
  readonly output: string
}

export function run(command: string, reader: Reader): Promise<Ended> {
  return outcomeOf(start(['/bin/bash', '-c', command], 'ignore', reader))
}

function outcomeOf(child: ChildProcess): Promise<Ended> {
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
  }
  return new Promise((done, fail) => {
    child.once('error', fail)
    child.once('close', status => done({ status, output }))
  })
}

interface Controller {
  said(): string
  end(): Promise<void>
}

/** In a pseudo-terminal, as the page shows it. */
function begin(command: string, reader: Reader): Controller {
  const child = start(['script', '-qfec', command, '/dev/null'], 'pipe', reader)
  let said = ''
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    said += text.replaceAll('\r', '')
  })
  return {
    said: () => said,
    async end() {
      child.stdin?.write('\x03')
      await eventually('the controller to end after Ctrl-C', () => child.exitCode !== null || child.signalCode !== null)
    },
  }
}

function start(command: readonly string[], stdin: 'ignore' | 'pipe', reader: Reader): ChildProcess {
  const [program = '', ...args] = [...(reader.as ?? []), ...command]
  return spawn(program, args, {
    cwd: reader.directory,
    env: { ...reader.environment, HOME: reader.home, TERM: 'xterm', COLUMNS: '200', NO_COLOR: '1' },
    stdio: [stdin, 'pipe', 'pipe'],
  })
}
