import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { openFullScreen } from '../../../src/cli/full-screen.ts'
import { createScreen } from '../../../src/cli/screen.ts'
import { eventually } from '../../../src/conformance/eventually.ts'

const hasTmux = spawnSync('tmux', ['-V']).status === 0

let directory = ''
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'reeve-screen-'))
})
afterAll(() => rmSync(directory, { recursive: true }))

/** Real terminal of that size: draws the texts one after the other and returns what it shows. */
function openTerminal(columns: number, rows: number, ...texts: readonly string[]): Disposable & { lines(): string[] } {
  let bytes = ''
  const stream = {
    isTTY: true as const,
    columns,
    rows,
    write(text: string) {
      bytes += text
      return true
    },
  }
  const full = openFullScreen(createScreen(stream, { color: false, env: {} }))
  for (const text of texts) full.draw(text)
  const file = join(directory, 'drawn')
  writeFileSync(file, bytes)
  const tmux = (...words: readonly string[]): string =>
    execFileSync('tmux', ['-S', join(directory, 'tmux'), '-f', '/dev/null', ...words], { encoding: 'utf8' })
  const size = ['-x', String(columns), '-y', String(rows)]
  const program = `stty raw; cat '${file}'; exec sleep 60`
  tmux('new-session', '-d', ...size, program, ';', 'set-option', '-g', 'status', 'off', ';', 'resize-window', ...size)
  return {
    lines: () => tmux('capture-pane', '-p').replace(/\n$/, '').split('\n'),
    [Symbol.dispose]: () => void tmux('kill-server'),
  }
}

async function expectShown(terminal: ReturnType<typeof openTerminal>, lines: readonly string[]): Promise<void> {
  using opened = terminal
  await eventually(
    () => `the screen to show ${JSON.stringify(lines)}, not ${JSON.stringify(opened.lines())}`,
    () => isDeepStrictEqual(opened.lines(), lines),
  )
}

describe.runIf(hasTmux)('text redrawn in place', () => {
  test('shows lines as wide as the terminal in full, including the last', async () => {
    await expectShown(openTerminal(8, 3, '12345678\nabcdefgh\nABCDEFGH\n'), ['12345678', 'abcdefgh', 'ABCDEFGH'])
  })

  test('leaves nothing of a wider or longer text before it', async () => {
    const terminal = openTerminal(8, 4, '12345678\nabcdefgh\nABCDEFGH\n', '1\nabcdefgh\n')
    await expectShown(terminal, ['1', 'abcdefgh', '', ''])
  })

  test('is cut if lines are too long or too many', async () => {
    await expectShown(openTerminal(24, 2, `${'x'.repeat(30)}\nb\nc\n`), ['x'.repeat(24), '… and 2 more lines'])
  })
})
