import { spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { systemdProvider } from '../../providers/systemd/index.ts'
import { eventually } from '../../src/conformance/eventually.ts'
import type { Process } from '../../src/core/model/facility.ts'
import { plainFacility, plainProcess } from '../tools/plain-facility.ts'

const out = '/tmp/seen'

/** Input of a program: its arguments, NUL-separated, and its whole environment. */
const dump = `cat /proc/self/environ >"$0.environment"; printf '%s\\0' "$@" >"$0.arguments"; : >"$0.done"`

/** Any text except NUL and, with `isValue`, what systemd accepts in no variable. */
function text(isValue: boolean): fc.Arbitrary<string> {
  const odd = fc.constantFrom(
    '%',
    '$',
    '\\',
    '"',
    "'",
    ';',
    '#',
    ' ',
    '\t',
    '\n',
    '`',
    '{',
    '*',
    '$HOME',
    '%i',
    '%%',
    '\\x41',
  )
  const unit = fc.oneof({ weight: 3, arbitrary: odd }, fc.string({ unit: 'grapheme', minLength: 1, maxLength: 3 }))
  return (
    fc
      .array(unit, { maxLength: 12 })
      .map(parts => parts.join(''))
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is left out
      .map(whole => whole.replace(isValue ? /[\x00-\x08\x0b-\x1f\x7f]/g : /\x00/g, ''))
  )
}

test.skipIf(process.env.REEVE_MACHINE === undefined)(
  'S2: arguments and variables reach the process byte for byte, through the real systemd',
  { timeout: 120_000 },
  async () => {
    mkdirSync(out)
    const cases = fc.sample(
      fc.record({
        words: fc.array(text(false), { minLength: 1, maxLength: 6 }),
        variables: fc.dictionary(fc.stringMatching(/^X[A-Za-z0-9_]{0,8}$/), text(true), { maxKeys: 5 }),
        withFiles: fc.boolean(),
      }),
      { numRuns: 200, seed: 4 },
    )
    writeFileSync('/tmp/empty.env', '')
    cases.forEach(({ words, variables, withFiles }, index) => {
      const process: Process = {
        ...plainProcess,
        command: ['/bin/sh', '-c', dump, `${out}/${index}`, ...words],
        environment: variables,
        environmentFiles: withFiles ? ['/tmp/empty.env'] : [],
        restart: { policy: 'never', delay: 1_000 },
      }
      for (const { path, content } of render(`quote${index}`, process)) writeFileSync(path, content)
    })
    spawnSync('systemctl', ['daemon-reload'])
    spawnSync('systemctl', ['start', ...cases.map((_, index) => `quote${index}`)])
    const countDone = (): number => readdirSync(out).filter(name => name.endsWith('.done')).length
    await eventually('all to have run', () => countDone() === cases.length)
    cases.forEach(({ words, variables }, index) => {
      expect(readFileSync(`${out}/${index}.arguments`, 'utf8').split('\0').slice(0, -1)).toEqual(words)
      const environment = readFileSync(`${out}/${index}.environment`, 'utf8').split('\0')
      const seen = environment.filter(line => line.startsWith('X')).sort()
      expect(seen).toEqual(
        Object.entries(variables)
          .map(([name, value]) => `${name}=${value}`)
          .sort(),
      )
    })
  },
)

function render(name: string, process: Process): readonly { readonly path: string; readonly content: string }[] {
  const facility = plainFacility({ name, supervisor: 'systemd', process })
  const instance = { name: 'systemd', type: 'systemd', options: {}, stateDirectory: '/tmp', owner: 'test' }
  const ownership = { owner: 'test', facility: name, files: [], dependsOn: [], prune: true }
  const rendered = systemdProvider.render(facility, instance, ownership)
  if ('problems' in rendered) throw new Error(JSON.stringify(rendered.problems))
  return rendered.definition.files
}
