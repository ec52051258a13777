import { expect, test } from 'vitest'
import { createLog } from '../../../src/cli/logger.ts'
import { plainColors, type Screen } from '../../../src/cli/screen.ts'
import { visibleText } from '../../../src/core/text/visible-text.ts'

test('a pipe gets one JSON object per line, unbuffered, with facility and step as fields', () => {
  const { screen, written } = record(undefined)
  createLog('info', screen).info({ facility: 'web', step: 'web/start' }, 'started')
  expect(JSON.parse(written())).toEqual({
    level: 'info',
    time: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
    facility: 'web',
    step: 'web/start',
    msg: 'started',
  })
  expect(written()).toMatch(/^[^\n]*\n$/)
})

test('a terminal gets a readable line: the message, and the error unless the message has it', () => {
  const { screen, written } = record(80)
  const log = createLog('info', screen)
  log.warn({ facility: 'web' }, 'web: waits')
  log.warn({ facility: 'web', error: 'no\u001b[31m space' }, 'the history could not be written')
  log.error({ error: 'no space' }, 'web: could not start: no space')
  expect(written().replaceAll(/\d\d:\d\d:\d\d/g, 'TIME')).toBe(
    '[TIME] WARN: web: waits\n' +
      '[TIME] WARN: the history could not be written: no\\u001b[31m space\n' +
      '[TIME] ERROR: web: could not start: no space\n',
  )
})

test('an error is logged with its message, and with its stack at level debug', () => {
  const { screen, written } = record(undefined)
  createLog('info', screen).error({ error: new TypeError('boom') }, 'the pass failed')
  expect(JSON.parse(written())).toMatchObject({ error: { type: 'TypeError', message: 'boom' } })
})

test.each([
  ['debug', ['debug', 'info', 'warn', 'error']],
  ['warn', ['warn', 'error']],
  ['silent', []],
] as const)('level %s hides the levels below it', (level, expected) => {
  const { screen, written } = record(undefined)
  const log = createLog(level, screen)
  log.debug({}, 'm')
  log.info({}, 'm')
  log.warn({}, 'm')
  log.error({}, 'm')
  const lines = written().split('\n').filter(Boolean)
  expect(lines.map(line => JSON.parse(line).level)).toEqual(expected)
})

function record(width: number | undefined): { screen: Screen; written: () => string } {
  let text = ''
  const screen: Screen = {
    colors: plainColors,
    live: false,
    width: () => width,
    height: () => undefined,
    // Screen without colours, as a command opens it.
    write: part => {
      text += visibleText(part)
    },
    writeExact: part => {
      text += part
    },
    control: sequence => sequence,
  }
  return { screen, written: () => text }
}
