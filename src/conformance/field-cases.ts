import assert from 'node:assert/strict'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createDictionary } from '../core/dictionary.ts'
import type { PortableField } from '../core/model/facility.ts'
import { messageOf } from '../core/reeve-error.ts'
import { eventually } from './eventually.ts'
import { type FacilitySpec, isAlive, type Lab, readIfThere } from './lab.ts'

/** Proof that a portable field is honoured. */
interface FieldCase {
  /** `spec.process` of the facility that declares the field; the facility is named after it. */
  declare(place: FieldPlace): Readonly<Record<string, unknown>>
  /** Rejects if the field has no effect. */
  prove(place: FieldPlace, lab: Lab): Promise<void>
}

interface FieldPlace {
  readonly field: string
  /** Only Reeve's user can write here. */
  readonly own: string
  /** A service of any user can write here. */
  readonly out: string
  /** Output of the facility that is restarted over and over; see `countRuns`. */
  readonly control: string
}

const odd = `it's "odd" $HOME \`id\` \\ * é`
const secret = 'xyzzy-secret'
const lineCount = 100_000

/** Command that writes the output of a shell text once and keeps running. */
const shows = ({ out }: FieldPlace, text: string, ...args: readonly string[]): { command: string[] } => ({
  command: ['/bin/sh', '-c', `{ ${text}; } > ${out}.tmp && mv ${out}.tmp ${out}; exec sleep 1000000`, 'sh', ...args],
})

/** Command that keeps running and reacts to a signal. */
const waitsFor = ({ out }: FieldPlace, signal: string, text: string): { command: string[] } => ({
  command: ['/bin/sh', '-c', `trap '${text}' ${signal}; : > ${out}.ready; while :; do sleep 0.05; done`],
})

/** Command that exits at once and leaves a line for each run. */
const countRuns = (out: string): string[] => ['/bin/sh', '-c', `echo run >> ${out}; exit 3`]

/** Long output in numbered lines, with pauses: a supervisor may check its size only now and then. */
const writesOn = ({ out }: FieldPlace): { command: string[] } => ({
  command: [
    '/bin/sh',
    '-c',
    `i=0; while [ $i -lt ${lineCount} ] && [ ! -e ${out}.stop ]; do i=$((i+1)); printf "%-1000s|\\n" "line $i."; sleep 0.02; done; exec sleep 1000000`,
  ],
})

/** Writes to both streams. */
const speaks = 'echo out; echo err >&2; exec sleep 1000000'
const spoken = /^(out\nerr|err\nout)\n$/

async function expectShown({ out }: FieldPlace, expected: string | RegExp): Promise<void> {
  await eventually('the service to show what it sees', () => existsSync(out))
  const shown = readFileSync(out, 'utf8').trimEnd()
  if (typeof expected === 'string') assert.equal(shown, expected)
  else assert.match(shown, expected)
}

/** The control facility, started along with it, is in its third run. */
async function expectOneRun({ out, control }: FieldPlace): Promise<void> {
  await eventually('it to run', () => existsSync(out))
  await eventually('another service to be started again and again', () => /^(run\n){3}/.test(readIfThere(control)))
  assert.equal(readFileSync(out, 'utf8'), 'run\n')
}

function outputFile({ own }: FieldPlace): string {
  return join(own, 'output.log')
}

/** Files that hold output, whatever their names. */
function outputFiles({ own }: FieldPlace): string[] {
  const files = readdirSync(own, { withFileTypes: true, recursive: true }).filter(entry => entry.isFile())
  return files.map(({ parentPath, name }) => readIfThere(join(parentPath, name))).filter(text => text.includes('line '))
}

/** One case for each portable field: a new field without a case doesn't compile. */
const fieldCases: Readonly<Record<PortableField, FieldCase>> = {
  command: {
    declare: place => shows(place, `printf '%s' "$1"`, odd),
    prove: place => expectShown(place, odd),
  },
  workingDirectory: {
    declare: place => ({ ...shows(place, 'pwd'), workingDirectory: place.own }),
    prove: place => expectShown(place, place.own),
  },
  user: {
    declare: place => ({ ...shows(place, 'id -un'), user: 'nobody' }),
    prove: place => expectShown(place, 'nobody'),
  },
  group: {
    declare: place => ({ ...shows(place, 'id -gn'), group: 'daemon' }),
    prove: place => expectShown(place, 'daemon'),
  },
  umask: {
    declare: place => ({ ...shows(place, 'umask'), umask: '0027' }),
    prove: place => expectShown(place, /^0?0?027$/),
  },
  environment: {
    declare: place => ({ ...shows(place, `printf '%s' "$GREETING"`), environment: { GREETING: odd } }),
    prove: place => expectShown(place, odd),
  },
  'environment.fromFile': {
    declare(place) {
      const fromFile = join(place.own, 'token')
      writeFileSync(fromFile, `${secret}\n`, { mode: 0o600 })
      return { ...shows(place, `printf '%s' "$TOKEN"`), environment: { TOKEN: { fromFile } } }
    },
    async prove(place, lab) {
      await expectShown(place, secret)
      for (const path of await lab.definitionPaths(place.field)) {
        assert.equal(readFileSync(path, 'utf8').includes(secret), false, `${path} holds the secret`)
      }
    },
  },
  environmentFiles: {
    declare(place) {
      const file = join(place.own, 'variables')
      writeFileSync(file, 'COLOUR=blue\n')
      return { ...shows(place, `printf '%s' "$COLOUR"`), environmentFiles: [file] }
    },
    prove: place => expectShown(place, 'blue'),
  },
  limits: {
    declare: place => ({ ...shows(place, 'ulimit -n'), limits: { nofile: 99 } }),
    prove: place => expectShown(place, '99'),
  },
  'restart.policy': {
    declare: ({ out }) => ({ command: countRuns(out), restart: { policy: 'never' } }),
    prove: expectOneRun,
  },
  'restart.delay': {
    declare: ({ out }) => ({ command: countRuns(out), restart: { delay: '5m' } }),
    prove: expectOneRun,
  },
  'stop.signal': {
    declare: place => ({ ...waitsFor(place, 'USR1', `: > ${place.out}; exit`), stop: { signal: 'USR1' } }),
    async prove({ field, out }, lab) {
      await eventually('the trap to be set', () => existsSync(`${out}.ready`))
      await lab.control.act('stop', field)
      assert.ok(existsSync(out), 'it was stopped by its signal')
    },
  },
  'stop.timeout': {
    declare({ out }) {
      const child = `trap "" TERM; echo $$ > ${out}; while :; do sleep 1; done`
      const note = `note() { read -r now rest < /proc/uptime; echo "$1 $now" >> ${out}.times; }; trap 'note told' TERM`
      const script = `${note}; sh -c '${child}' & while :; do sleep 0.1; note lives; done`
      return { command: ['/bin/sh', '-c', script], stop: { timeout: '500ms' } }
    },
    async prove({ field, out }, lab) {
      await eventually('its child to run', () => readIfThere(out).endsWith('\n'))
      const child = Number(readFileSync(out, 'utf8'))
      await lab.control.act('stop', field)
      const survived = readSurvival(`${out}.times`)
      assert.ok(
        survived < 9,
        `it was killed before the default timeout, and not ${survived} s after it was told to end`,
      )
      assert.equal((await lab.observe(field)).state, 'stopped')
      await eventually('its child to be gone', () => !isAlive(child))
    },
  },
  'reload.signal': {
    declare: place => ({ ...waitsFor(place, 'HUP', `: > ${place.out}`), reload: { signal: 'HUP' } }),
    prove: expectReload,
  },
  'reload.command': {
    declare: place => ({ ...waitsFor(place, 'TERM', 'exit'), reload: { command: ['/usr/bin/touch', place.out] } }),
    prove: expectReload,
  },
  'output.file': {
    declare: place => ({
      command: ['/bin/sh', '-c', speaks],
      output: { file: outputFile(place) },
    }),
    async prove(place) {
      await eventually('both streams to be there', () => spoken.test(readIfThere(outputFile(place))))
    },
  },
  'output.stdout': {
    declare: () => ({ command: ['/bin/sh', '-c', speaks], output: 'stdout' }),
    // The controller passes this output on to its stdout.
    async prove({ field }, lab) {
      await eventually('both streams to be kept for the controller', async () => {
        const { output = '' } = await lab.observe(field)
        return spoken.test(readIfThere(output))
      })
    },
  },
  'output.maxSize': {
    declare: place => ({ ...writesOn(place), output: { file: outputFile(place), maxSize: '8KiB' } }),
    async prove(place) {
      const text = (): string => readIfThere(outputFile(place))
      await eventually('it to be rotated', () => text().includes('line ') && !text().includes('line 1.'))
      writeFileSync(`${place.out}.stop`, '')
    },
  },
  'output.keep': {
    declare: place => ({ ...writesOn(place), output: { file: outputFile(place), maxSize: '8KiB', keep: 2 } }),
    async prove(place) {
      await eventually('the oldest to be gone', () => {
        const files = outputFiles(place)
        return files.length > 0 && !files.some(text => text.includes('line 1.'))
      })
      writeFileSync(`${place.out}.stop`, '')
      await eventually('no more than two to be left', () => outputFiles(place).length <= 3)
    },
  },
}

/**
 * Time in seconds that a service survived its stop signal. The service records it by its own clock, as the rest of a stop
 * may take long on a busy host.
 */
function readSurvival(path: string): number {
  const notes = readFileSync(path, 'utf8').trimEnd().split('\n')
  const secondsOf = (note = ''): number => Number(note.split(' ')[1])
  const told = notes.find(note => note.startsWith('told '))
  // Killed before it could record it.
  return told === undefined ? 0 : secondsOf(notes.at(-1)) - secondsOf(told)
}

async function expectReload({ field, out }: FieldPlace, lab: Lab): Promise<void> {
  await eventually('the trap to be set', () => existsSync(`${out}.ready`))
  const { pid } = await lab.observe(field)
  await lab.control.act('reload', field)
  await eventually('the reload to be seen', () => existsSync(out))
  assert.equal((await lab.observe(field)).pid, pid, 'it goes on')
}

function specsOf(
  cases: readonly { readonly field: string; readonly spec: FacilitySpec }[],
): Record<string, FacilitySpec> {
  return createDictionary(cases.map(({ field, spec }) => [field, spec]))
}

/** Directory of its own for each field. `open`: directory in which services of any user can write. */
function createPlace(field: string, own: string, open: string): FieldPlace {
  mkdirSync(join(own, field), { recursive: true })
  return { field, own: join(own, field), out: join(open, field), control: join(open, 'control') }
}

/**
 * Declares a facility for each portable field and proves that the field has its effect, or that the facility is refused with
 * the field's name. No declared field is ignored silently.
 */
export async function proveFields(lab: Lab, capable: readonly PortableField[]): Promise<void> {
  const open = mkdtempSync(join(tmpdir(), 'reeve-fields-'))
  chmodSync(open, 0o777)
  try {
    const cases = Object.entries(fieldCases).map(([field, found]) => {
      const place = createPlace(field, join(lab.directory, 'fields'), open)
      return { field, place, prove: found.prove, spec: { process: found.declare(place) } }
    })
    lab.declare(specsOf(cases))
    const { facilities } = await lab.plan()
    const refused = new Map(facilities.map(({ name, blocked }) => [name, blocked]))
    const honoured = cases.filter(({ field }) => refused.get(field) === undefined)
    const unnamed = cases.filter(({ field }) => {
      const why = refused.get(field)
      return why !== undefined && !why.includes(`can't honour spec.process.${field} of facility ${field}`)
    })
    assert.deepEqual(
      unnamed.map(({ field }) => `${field}: ${refused.get(field)}`),
      [],
    )
    const taken = honoured.map(({ field }) => field).filter(field => !capable.some(each => each === field))
    assert.deepEqual(taken, [], 'what the provider does not claim is refused')

    // Exits again and again, as a comparison for facilities that must not be restarted.
    const control = { process: { command: countRuns(join(open, 'control')) } }
    lab.declare({ ...specsOf(honoured), control })
    await lab.apply()
    const failures: string[] = []
    // One after the other: there is one writer.
    for (const { field, place, prove } of honoured) {
      await prove(place, lab).catch(error => failures.push(`${field}: ${messageOf(error)}`))
    }
    assert.deepEqual(failures, [])
  } finally {
    // Services that are started over and over may still write here.
    rmSync(open, { recursive: true, maxRetries: 10 })
  }
}
