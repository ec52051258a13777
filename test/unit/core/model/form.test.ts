import { describe, expect, test } from 'vitest'
import { type FacilityForm, facilityShape } from '#schemas/compiled/facility.shape.js'
import { processShape } from '#schemas/compiled/process.js'
import { processProvider } from '../../../../providers/process/index.ts'
import { createForm, type FormProblem, presentForm, type Shape } from '../../../../src/core/model/form.ts'
import { usedFields } from '../../../../src/core/model/portable-fields.ts'
import { formatDuration, formatSize, parseDuration, parseSize } from '../../../../src/core/text/quantity.ts'
import { listTransitions, merge, type Surroundings } from '../../../transition/transitions.ts'

/** The parsed value, and the complaints: the path of each, and the rest of the sentence. */
function read<Normal>(shape: Shape<Normal>, value: unknown): { normal: Normal; complaints: string[] } {
  const complaints: string[] = []
  const normal = createForm(shape).read(value, {
    resolvePath: path => (path.startsWith('/') ? path : undefined),
    findSignal: name => (name === 'NOPE' ? undefined : name.replace(/^SIG/, '')),
    complain: ({ path, message }: FormProblem) => complaints.push(`${path.join('.')} ${message}`),
  })
  return { normal, complaints }
}

const readProcess = (value: unknown): ReturnType<typeof read> => read(processShape, value)

describe('durations and sizes', () => {
  test.each([
    ['0ms', 0],
    ['500ms', 500],
    ['90s', 90_000],
    ['2m', 120_000],
    ['576h', 2_073_600_000],
  ])('%s', (text, milliseconds) => {
    expect(parseDuration(text)).toBe(milliseconds)
    expect(formatDuration(milliseconds)).toBe(text)
  })

  test.each([
    ['0B', 0],
    ['512B', 512],
    ['1536KiB', 1_572_864],
    ['10MiB', 10_485_760],
    ['1GiB', 1_073_741_824],
  ])('%s', (text, bytes) => {
    expect(parseSize(text)).toBe(bytes)
    expect(formatSize(bytes)).toBe(text)
  })

  test.each(['', '10', 's', '-1s', '1.5s', '1 s', '1S', '1w', '1sh'])('"%s" is invalid', text => {
    expect(parseDuration(text)).toBeNaN()
  })
})

describe('a process in normal form', () => {
  test('has the defaults of the schema, in the units of the code', () => {
    expect(readProcess({ command: ['/bin/x'] })).toEqual({
      complaints: [],
      normal: {
        command: ['/bin/x'],
        environment: {},
        environmentFiles: [],
        limits: {},
        restart: { policy: 'always', delay: 1_000 },
        stop: { signal: 'TERM', timeout: 10_000 },
      },
    })
  })

  test.each<[unknown, string[]]>([
    [undefined, [' must be a map']],
    [{}, ['command must be the program and its arguments as a list of texts, found nothing']],
    [{ command: [] }, ['command must be the program and its arguments as a list of texts']],
    [{ command: [''] }, ['command.0 must name a program, found an empty text']],
    [{ command: ['a', 7] }, ['command.1 must be text without NUL characters']],
    [{ command: ['a', 'b\0'] }, ['command.1 must be text without NUL characters']],
    [{ command: ['a'], comand: ['b'] }, ['comand is no known field']],
    [{ command: ['a'], constructor: 1 }, ['constructor is no known field']],
    [{ command: ['a'], user: null }, ['user must be the name of a user or group, or its number in quotes']],
    [{ command: ['a'], umask: '99' }, ['umask must be three octal digits in quotes, such as "0640"']],
    [{ command: ['a'], workingDirectory: 'srv' }, ['workingDirectory must be an absolute path, found srv']],
    [{ command: ['a'], environment: [] }, ['environment must be a map']],
    [
      { command: ['a'], environment: { 'a.b': '' } },
      ["environment.a.b is not a variable's name: letters, digits and _, not starting with a digit"],
    ],
    [{ command: ['a'], environment: { A: 1 } }, ['environment.A must be text in quotes, or { fromFile: PATH }']],
    [{ command: ['a'], environment: { A: {} } }, ['environment.A.fromFile must be a path, found nothing']],
    [{ command: ['a'], limits: { nofile: -1 } }, ['limits.nofile must be a number, or unlimited']],
    [{ command: ['a'], limits: { nofile: 1.5 } }, ['limits.nofile must be a number, or unlimited']],
    [{ command: ['a'], restart: { policy: 'no' } }, ['restart.policy must be always, on-failure or never']],
    [{ command: ['a'], stop: { timeout: '9' } }, ['stop.timeout must be a duration such as 500ms, 10s, 5m or 1h']],
    [{ command: ['a'], stop: { timeout: '600h' } }, ['stop.timeout must be at most 576h, found 600h']],
    [{ command: ['a'], stop: { signal: 'NOPE' } }, ['stop.signal must be a signal that this system has, found "NOPE"']],
    [{ command: ['a'], reload: {} }, ['reload must have exactly one of signal and command']],
    [
      { command: ['a'], reload: { signal: 'HUP', command: ['b'] } },
      ['reload must have exactly one of signal and command'],
    ],
    [{ command: ['a'], output: 'stderr' }, ['output must be stdout, or { file: PATH }']],
    [
      { command: ['a'], output: { file: '/a/../b' } },
      ['output.file must name a file without "." or "..", empty parts or a slash at the end, found "/a/../b"'],
    ],
    [{ command: ['a'], output: { file: '/a', maxSize: '1B' } }, ['output.maxSize must be at least 4KiB, found 1B']],
    [{ command: ['a'], output: { file: '/a', keep: 1_001 } }, ['output.keep must be a number from 0 to 1000']],
  ])('%j is reported', (value, complaints) => {
    expect(readProcess(value).complaints).toEqual(complaints)
  })
})

const surroundings: Surroundings = {
  type: 'process',
  config: { valid: {}, invalid: [] },
  path: name => `/tmp/${name}`,
  source: name => name,
  ports: [1, 3, 5].map((port): readonly [number, number] => [port, port + 1]),
  isRoot: true,
  capabilities: processProvider.capabilities,
}
const plain = { apiVersion: 'reeve/v1', kind: 'Facility', metadata: { name: 'web' } }
const changes = listTransitions(surroundings).flatMap(({ field, old, next }) =>
  next === undefined ? [] : [{ field, old: readFacility(old), next: readFacility(next) }],
)
const ofProcess = changes.filter(({ field }) => field.startsWith('spec.process.'))

function readFacility(fragment: object): FacilityForm {
  const command = { spec: { process: { command: ['/bin/x'] } } }
  const { normal, complaints } = read(facilityShape, merge(merge(plain, command), { ...fragment }))
  expect(complaints).toEqual([])
  return normal
}

test.each(changes)('$field reaches the model', ({ old, next }) => {
  expect(next).not.toEqual(old)
})

test.each(ofProcess)('$field of a process reads back as written', ({ next }) => {
  const { process } = next.spec
  const { toStdout: _, ...kept } = process ?? { command: [] }
  expect(process && readProcess(presentForm(processShape, process)).normal).toEqual(kept)
})

test.each(ofProcess)('$field is known to be used', change => {
  const portable = change.field
    .replace('spec.process.', '')
    .replace('.*', '')
    .replace(/^limits\..*/, 'limits')
  expect(change.next.spec.process && usedFields(change.next.spec.process)).toContain(portable)
})

test('a field equal to its default does not count as used', () => {
  const { normal } = read(processShape, {
    command: ['/bin/x'],
    environment: {},
    limits: {},
    restart: { policy: 'always', delay: '1000ms' },
    stop: { signal: 'SIGTERM', timeout: '10s' },
  })
  expect(usedFields(normal)).toEqual(['command'])
  expect(usedFields(read(processShape, { command: ['/bin/x'], output: 'stdout' }).normal)).toEqual([
    'command',
    'output.stdout',
  ])
})
