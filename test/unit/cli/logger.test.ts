import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { StreamKind } from '../../../src/cli/command-io.ts'
import { createLog, type LogFormat, type LogLevel } from '../../../src/cli/logger.ts'
import { plainColors, type Screen } from '../../../src/cli/screen.ts'
import type { Log } from '../../../src/core/contracts/log.ts'
import { visibleLine, visibleText } from '../../../src/core/text/visible-text.ts'

test('JSON is an object a line, written at once, with facility and step as fields', () => {
  const { log, written } = openLog({ format: 'json' })
  log.info({ facility: 'web', step: 'web/start' }, 'started')
  expect(JSON.parse(written())).toEqual({
    level: 'info',
    time: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
    facility: 'web',
    step: 'web/start',
    msg: 'started',
  })
  expect(written()).toMatch(/^[^\n]*\n$/)
})

test('text is the message, and the error if that is not in it', () => {
  const { log, written } = openLog({ kind: 'terminal' })
  log.warn({ facility: 'web' }, 'web: waits')
  log.warn({ facility: 'web', error: 'no\u001b[31m space' }, 'the history could not be written')
  log.error({ error: 'no space' }, 'web: could not start: no space')
  expect(written().replaceAll(/\d\d:\d\d:\d\d/g, 'TIME')).toBe(
    '[TIME] WARN: web: waits\n' +
      '[TIME] WARN: the history could not be written: no\\u001b[31m space\n' +
      '[TIME] ERROR: web: could not start: no space\n',
  )
})

test.each([
  ['terminal', /^\[\d\d:\d\d:\d\d\] INFO: started\n$/],
  ['journal', /^INFO: started\n$/],
  ['file', /^\[\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\] INFO: started\n$/],
  ['pipe', /^\[\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\] INFO: started\n$/],
] as const)('text on a %s has the time as it is needed there', (kind, expected) => {
  const { log, written } = openLog({ kind })
  log.info({}, 'started')
  expect(written()).toMatch(expected)
})

test('logfmt has the time and the level first, the message last, and quotes where they are needed', () => {
  const { log, written } = openLog({ format: 'logfmt' })
  log.warn({ facility: 'web', count: 3, none: null, names: ['a'], gone: undefined }, 'web: "waits"\nfor a=b')
  expect(written().replace(/time=\S+Z /, '')).toBe(
    'level=warn facility=web count=3 none=null names="[\\"a\\"]" msg="web: \\"waits\\"\\nfor a=b"\n',
  )
  expect(written()).toMatch(/^time=\d{4}-\d\d-\d\dT[\d:.]+Z level/)
})

test('an error keeps its message and its stack, in logfmt by keys of its own', () => {
  const json = openLog({ format: 'json' })
  json.log.error({ error: new TypeError('boom') }, 'the pass failed')
  expect(JSON.parse(json.written())).toMatchObject({ error: { type: 'TypeError', message: 'boom' } })
  const logfmt = openLog({ format: 'logfmt' })
  logfmt.log.error({ error: new TypeError('boom') }, 'the pass failed')
  expect(parseLogfmt(logfmt.written())).toMatchObject({
    'error.type': 'TypeError',
    'error.message': 'boom',
    'error.stack': expect.stringContaining('\n    at '),
    msg: 'the pass failed',
  })
})

test.each([
  ['debug', ['debug', 'info', 'warn', 'error']],
  ['warn', ['warn', 'error']],
  ['silent', []],
] as const)('level %s hides the levels below it', (level, expected) => {
  const { log, written } = openLog({ level, format: 'json' })
  log.debug({}, 'm')
  log.info({}, 'm')
  log.warn({}, 'm')
  log.error({}, 'm')
  const lines = written().split('\n').filter(Boolean)
  expect(lines.map(line => JSON.parse(line).level)).toEqual(expected)
})

describe('S10: whatever is in a message and its fields, it is one line that steers nothing, and is read back as it was', () => {
  const parts = [
    '\n',
    '\r',
    '"',
    '\\',
    '=',
    ' ',
    '\t',
    '\u001b[2J',
    '\u009b31m',
    '\u202e',
    '\u2028',
    '\0',
    'é',
    '{',
    '%s',
    'a',
  ]
  const hostile = fc.oneof(
    fc.array(fc.constantFrom(...parts)).map(each => each.join('')),
    fc.string({ unit: 'binary' }),
  )
  // Control characters but the end of the line, bidi controls, line separators.
  const steering = /[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/u
  const formats: readonly LogFormat[] = ['text', 'json', 'logfmt']

  test.each(formats)('as %s', format => {
    fc.assert(
      fc.property(hostile, hostile, (message, value) => {
        const { log, written } = openLog({ format })
        log.info({ facility: value }, message)
        const [line = '', ...rest] = written().split('\n')
        expect(rest).toEqual([''])
        expect(line).not.toMatch(steering)
        if (format === 'text') expect(line).toBe(`${line.slice(0, 29)}${visibleLine(message)}`)
        else {
          const read = format === 'json' ? JSON.parse(line) : parseLogfmt(line)
          expect(read).toMatchObject({ level: 'info', facility: value, msg: message })
        }
      }),
    )
  })
})

/** As strict readers of logfmt do it: words, or JSON strings. */
function parseLogfmt(line: string): Record<string, string> {
  const pair = /([\w.-]+)=(?:("(?:[^"\\]|\\.)*")|([^\s"=\\]+))(?: |$)/y
  const found: Record<string, string> = {}
  const text = line.replace(/\n$/, '')
  while (pair.lastIndex < text.length) {
    const at = pair.lastIndex
    const match = pair.exec(text)
    if (!match) throw new Error(`no pair at ${text.slice(at)}`)
    const [, key = '', quoted, word = ''] = match
    found[key] = quoted === undefined ? word : JSON.parse(quoted)
  }
  return found
}

function openLog(options: { level?: LogLevel; format?: LogFormat; kind?: StreamKind }): {
  log: Log
  written: () => string
} {
  let text = ''
  const { level = 'info', format = 'text', kind = 'pipe' } = options
  const screen: Screen = {
    colors: plainColors,
    live: false,
    width: () => undefined,
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
  return { log: createLog({ level, format: () => format, kind: () => kind }, screen), written: () => text }
}
