import { randomInt } from 'node:crypto'
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { eventually } from '../../../src/conformance/eventually.ts'
import type { Process } from '../../../src/core/model/facility.ts'
import { probeHealth } from '../../../src/engine/health/health-probe.ts'
import { createClock } from '../../../src/host/clock.ts'
import { createWriteHost } from '../../../src/host/write-host.ts'

const never = new AbortController().signal
const isRoot = process.geteuid?.() === 0
const users = isRoot ? [undefined, 'nobody'] : [undefined]
const clock = createClock()
const host = createWriteHost()

let directory = ''
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'reeve-health-'))
  chmodSync(directory, 0o777)
})
afterEach(() => {
  vi.unstubAllEnvs()
  rmSync(directory, { recursive: true })
})

interface Command {
  readonly script: string
  readonly user?: string
  readonly timeout?: number
  readonly more?: Partial<Process>
}

function probe({ script, user, timeout = 20_000, more = {} }: Command): ReturnType<typeof probeHealth> {
  const facility: Parameters<typeof probeHealth>[0] = {
    health: {
      check: { type: 'exec', command: ['/bin/sh', '-c', script] },
      interval: 1_000,
      timeout,
      failureThreshold: 3,
      startupTimeout: 1_000,
      onFailure: 'report',
    },
    process: {
      command: ['/bin/true'],
      environment: {},
      environmentFiles: [],
      limits: {},
      restart: { policy: 'always', delay: 1_000 },
      stop: { signal: 'TERM', timeout: 1_000 },
      ...(user === undefined ? {} : { user }),
      ...more,
    },
  }
  return probeHealth(facility, host, clock, never)
}

function readVariables(file: string): Map<string, string> {
  const lines = readFileSync(join(directory, file), 'utf8').split('\0').filter(Boolean)
  return new Map(lines.map(line => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]))
}

test.each(users)(
  "S4: a health command, as user %s, gets the service's declared variables and none of Reeve's",
  async user => {
    vi.stubEnv('ROOT_TOKEN', 'of Reeve')
    vi.stubEnv('LD_BIND_NOW', '1')
    const environment = {
      PORT: '8080',
      GREETING: "it's $HOME\nand `id`",
      LD_DEBUG_OUTPUT: '/dev/null',
      TOKEN: { fromFile: '/etc/shadow' },
    }
    const script = `cat /proc/self/environ > ${directory}/environ`
    expect(await probe({ script, more: { environment }, ...(user === undefined ? {} : { user }) })).toEqual({
      healthy: true,
    })
    const found = readVariables('environ')
    expect(found.get('PORT')).toBe('8080')
    expect(found.get('GREETING')).toBe(environment.GREETING)
    expect(found.get('LD_DEBUG_OUTPUT')).toBe('/dev/null')
    const shellsOwn = ['PWD', 'OLDPWD', 'SHLVL', '_']
    const names = [...found.keys()].filter(name => !shellsOwn.includes(name)).sort()
    const account = user === undefined ? [] : ['HOME', 'LOGNAME', 'SHELL', 'USER']
    expect(names).toEqual(['GREETING', 'LD_DEBUG_OUTPUT', 'PATH', 'PORT', 'REEVE_RUN', ...account].sort())
  },
)

test.runIf(isRoot)('S9: no value is on a command line, and no loader variable affects processes of root', async () => {
  const environment = { PRIVATE: 'never-on-a-command-line', LD_PRELOAD: '/no/such/library.so' }
  // A process of root with that variable would complain of the library.
  const script = `cat /proc/*/cmdline 2>/dev/null | tr '\\0' ' ' > ${directory}/lines; id -u > ${directory}/user`
  expect(await probe({ script, user: 'nobody', more: { environment } })).toEqual({ healthy: true })
  expect(readFileSync(join(directory, 'lines'), 'utf8')).not.toContain('never-on-a-command-line')
  expect(readFileSync(join(directory, 'user'), 'utf8')).toBe('65534\n')
})

test.runIf(isRoot)("S8: Reeve does not enter the working directory for a user who can't", async () => {
  chmodSync(directory, 0o700)
  expect(await probe({ script: 'true', user: 'nobody', more: { workingDirectory: directory } })).toEqual({
    healthy: false,
    message: 'the health command exited 1',
  })
})

const leavings: [name: string, script: string][] = [
  ['a child in the background', 'NAP &'],
  ['a child of a child that is gone', '(NAP & exec NAP &) & true'],
  ['a child in another group', 'set -m; NAP & set +m'],
  ['a child in another session', 'setsid -f NAP'],
  ['a child in another session that takes no TERM', `setsid -f sh -c "trap '' TERM; NAP; NAP"`],
]
const hanging: [name: string, script: string][] = leavings.flatMap(([name, script]) => [
  [`${name}, and ends`, script],
  [`${name}, and hangs`, `${script}\ntrap '' TERM; NAP; NAP`],
])

test.each(hanging.flatMap(([name, script]) => users.map(user => [name, user, script] as const)))(
  'a health command that leaves %s, as user %s, has it killed',
  async (name, user, script) => {
    // Identified by its seconds, whatever became of its environment.
    const nap = `sleep 3${randomInt(1e9, 1e10)}`
    const found = await probe({
      script: `echo > ${directory}/ran; ${script.replaceAll('NAP', nap)}`,
      timeout: 700,
      ...(user === undefined ? {} : { user }),
    })
    expect(existsSync(join(directory, 'ran'))).toBe(true)
    const late = { healthy: false, message: 'no answer in 700 ms' }
    expect(found).toEqual(name.endsWith('and hangs') ? late : { healthy: true })
    await eventually('all to be gone', () => processesWith(nap.replace(' ', '\0')).length === 0)
  },
)

test('a health command with endless output is ended at its timeout', async () => {
  const before = process.memoryUsage().rss
  const cpu = process.cpuUsage()
  expect(await probe({ script: 'yes; yes >&2', timeout: 1_500 })).toMatchObject({ healthy: false })
  const { user, system } = process.cpuUsage(cpu)
  expect((user + system) / 1_000).toBeLessThan(700)
  expect(process.memoryUsage().rss - before).toBeLessThan(100 * 1024 * 1024)
})

/** Pids of processes with this text on their command line. */
function processesWith(text: string): string[] {
  return readdirSync('/proc').filter(pid => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes(text)
    } catch {
      return false
    }
  })
}
