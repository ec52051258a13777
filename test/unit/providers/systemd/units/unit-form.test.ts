import { describe, expect, test } from 'vitest'
import { parseRecord, writeRecord } from '../../../../../providers/systemd/observe/records.ts'
import { saysTheSame } from '../../../../../providers/systemd/units/unit-form.ts'

describe('two units are equal', () => {
  const plain = '[Unit]\nDescription=web\n[Service]\nExecStart=/bin/web --port 1\nEnvironment=A=1\nEnvironment=B=2\n'

  test.each([
    ['with comments and blanks', `# mine\n\n${plain.replace('ExecStart=', '  ExecStart = ')}; end\n`],
    ['with their keys in another order', plain.replace(/(ExecStart.*\n)((?:.*\n)*)/, '$2$1')],
    ['with a section in two parts', plain.replace('Environment=B', '[Install]\n[Service]\nEnvironment=B')],
    ['with a continued line', plain.replace('/bin/web --port', '/bin/web \\\n  --port')],
    [
      'with what Reeve adds',
      `${plain}[Service]\nEnvironment=REEVE_DEFINITION=${'0'.repeat(64)}\n[X-Reeve]\nMarker={"a":1}\n`,
    ],
  ])('%s', (_what, text) => expect(saysTheSame(plain, text)).toBe(true))

  test.each([
    ['another value', plain.replace('1\n', '2\n')],
    ['an additional key', `${plain}Nice=5\n`],
    ['a key in another section', plain.replace('Description=web\n[Service]', '[Service]\nDescription=web')],
    ['values of one key in another order', plain.replace('A=1', 'X').replace('B=2', 'A=1').replace('X', 'B=2')],
    ['a value that resets those before it', plain.replace('Environment=B', 'Environment=\nEnvironment=B')],
  ])('but not with %s', (_what, text) => expect(saysTheSame(plain, text)).toBe(false))

  test('only with equal order of keys whose order matters', () => {
    const socket = (...keys: string[]): string => `[Socket]\n${keys.join('\n')}\n`
    const [stream, datagram, mode] = ['ListenStream=/a', 'ListenDatagram=/b', 'SocketMode=0600'] as const
    expect(saysTheSame(socket(stream, datagram, mode), socket(mode, stream, datagram))).toBe(true)
    expect(saysTheSame(socket(stream, datagram), socket(datagram, stream))).toBe(false)
  })
})

describe('a run record', () => {
  const record = {
    invocation: 'a'.repeat(32),
    definition: 'b'.repeat(64),
    changed: 1_796_038_566_151_741,
    files: { '/etc/a b': 'c'.repeat(64), '/etc/gone': 'absent' },
  }

  test('is read as written, also by earlier versions', () => {
    expect(parseRecord(writeRecord(record))).toEqual({ ...record, files: expect.objectContaining(record.files) })
    const { changed: _, ...earlier } = record
    expect(parseRecord(writeRecord(earlier))).toEqual({ ...earlier, files: expect.objectContaining(earlier.files) })
  })

  test.each(['', 'x', `${record.invocation} short`, `${record.invocation} ${record.definition} later`])(
    'is ignored where it is %j',
    text => expect(parseRecord(text)).toBeUndefined(),
  )
})
