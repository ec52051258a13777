import { expect, test } from 'vitest'
import { startProgress } from '../../../src/cli/progress.ts'
import { plainColors, type Screen } from '../../../src/cli/screen.ts'
import type { Step } from '../../../src/core/plan/step.ts'
import { createManualClock } from '../../tools/manual-clock.ts'

const start: Step = { id: 'web/start', verb: 'start', reason: 'stopped', needs: [] }
const at = { supervisor: 'process', service: 'web' }

test('without a terminal, progress is plain lines, and only a long wait gets one', async () => {
  const { screen, written } = recordScreen(false)
  const clock = createManualClock()
  const progress = startProgress(screen, clock)
  progress.listener({ type: 'waiting', facility: 'worker', until: 'web to become ready' })
  progress.listener({ type: 'step-started', facility: 'web', step: start, at })
  await clock.advance(40)
  progress.listener({ type: 'step-finished', facility: 'web', step: start, at, result: 'done', duration: 40 })
  await clock.advance(500)
  progress.listener({ type: 'waiting', facility: 'web', until: 'web to become ready' })
  await clock.advance(5000)
  progress.listener({ type: 'ready', facility: 'web' })
  progress.listener({ type: 'not-ready', facility: 'worker', message: 'it exited with 1' })
  progress.end()
  expect(clock.pending).toBe(0)
  expect(written()).toBe(
    [
      'web: started (40 ms)',
      'worker: waits for web to become ready',
      'web: waits to become ready',
      'web: ready',
      'worker: not ready',
      '',
    ].join('\n'),
  )
})

test('a facility without steps is not reported as ready', () => {
  const { screen, written } = recordScreen(false)
  startProgress(screen, createManualClock()).listener({ type: 'ready', facility: 'web' })
  expect(written()).toBe('')
})

test.each([
  ['failed', 'web: could not start (2.0 s)\n'],
  ['skipped', 'web: not started: an earlier step failed\n'],
  ['aborted', 'web: gave up starting\n'],
] as const)('a %s step is reported as such', (result, line) => {
  const { screen, written } = recordScreen(false)
  const progress = startProgress(screen, createManualClock())
  const error = result === 'failed' ? { error: new Error('no such\nfile') } : {}
  progress.listener({ type: 'step-finished', facility: 'web', step: start, at, result, duration: 2000, ...error })
  expect(written()).toBe(line)
})

test('on a terminal, running steps are shown below with their age, and cleared at the end', async () => {
  const { screen, written, shown } = recordScreen(true)
  const clock = createManualClock()
  const progress = startProgress(screen, clock)
  progress.listener({ type: 'step-started', facility: 'web', step: start, at })
  expect(shown()).toEqual(['  web starting 0s'])
  await clock.advance(3000)
  expect(shown()).toEqual(['  web starting 3s'])
  progress.listener({ type: 'waiting', facility: 'worker', until: 'web to become ready' })
  expect(shown()).toEqual(['  web starting 3s', '  worker waits for web to become ready 0s'])
  await clock.advance(1000)
  progress.listener({ type: 'step-finished', facility: 'web', step: start, at, result: 'done', duration: 4000 })
  expect(shown()).toEqual(['web: started (4.0 s)', '  worker waits for web to become ready 1s'])
  progress.screen.write('a log line\n')
  expect(shown()).toEqual(['web: started (4.0 s)', 'a log line', '  worker waits for web to become ready 1s'])
  progress.end()
  expect(shown()).toEqual(['web: started (4.0 s)', 'a log line'])
  expect(clock.pending).toBe(0)
  expect(written()).toContain('\x1b[')
})

test('the live area never exceeds the lines and columns of the terminal', () => {
  const { screen, shown } = recordScreen(true, { width: 30, height: 6 })
  const progress = startProgress(screen, createManualClock())
  for (let index = 0; index < 50; index++) {
    const step = { ...start, id: `service-${index}/start` }
    progress.listener({ type: 'step-started', facility: `service-with-a-long-name-${index}`, step, at })
  }
  expect(shown()).toHaveLength(4)
  expect(shown().at(-1)).toBe('  and 47 more')
  expect(Math.max(...shown().map(line => line.length))).toBeLessThan(30)
  progress.end()
})

/** Screen that interprets the control sequences in use: cursor up, and erase to the end. */
function recordScreen(live: boolean, size: { width: number; height: number } = { width: 80, height: 24 }) {
  const texts: string[] = []
  const screen: Screen = {
    colors: plainColors,
    live,
    width: () => (live ? size.width : undefined),
    height: () => (live ? size.height : undefined),
    write: text => texts.push(text),
    writeExact: text => texts.push(text),
    control: sequence => sequence,
  }
  function shown(): string[] {
    const lines: string[] = []
    // biome-ignore lint/suspicious/noControlCharactersInRegex: the terminal's
    for (const part of texts.join('').split(/(\x1b\[\d+A\x1b\[0J)|\n/)) {
      if (part === undefined || part === '') continue
      // biome-ignore lint/suspicious/noControlCharactersInRegex: the terminal's
      const up = /\x1b\[(\d+)A/.exec(part)
      if (up) lines.splice(lines.length - Number(up[1]))
      else lines.push(part)
    }
    return lines
  }
  return { screen, shown, written: () => texts.join('') }
}
