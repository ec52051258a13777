import { chmodSync, chownSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { eventually } from '../../src/conformance/eventually.ts'
import type { ConformanceHarness } from '../../src/conformance/index.ts'
import { type FacilitySpec, type Lab, LONG_RUN, withLab } from '../../src/conformance/lab.ts'
import { environmentFileLimit } from '../../src/core/model/environment-file.ts'

/** Text of a file, and the environment that every service gets from it. */
const accepted: Readonly<Record<string, readonly [content: string, variables: Readonly<Record<string, string>>]>> = {
  'a byte order mark': ['\ufeffA=1\nB=2\n', { A: '1', B: '2' }],
  'no newline at the end': ['A=1\nB=2', { A: '1', B: '2' }],
  'lines of another system': ['A=1\r\nB="2"\r\n', { A: '1', B: '2' }],
  comments: ['# A=1\n; A=2\n  # A=3\nB=4 # five\nC=x;y\n', { B: '4 # five', C: 'x;y' }],
  'empty lines and values': ['\n \t\nA=\nB=""\nC=\'\'\n', { A: '', B: '', C: '' }],
  'blanks around': ['  A=1  \n\tB= 2\nC=" 3 "\n', { A: '1', B: ' 2', C: ' 3 ' }],
  quotes: ['A="a b"\nB=\'c d\'\nC="e\nD=f"g"h\nE="it\'s"\n', { A: 'a b', B: 'c d', C: '"e', D: 'f"g"h', E: "it's" }],
  'what nobody expands': [
    "A=$HOME\nB=`id`\nC=%h\nD='$(id)'\nE=*\n",
    { A: '$HOME', B: '`id`', C: '%h', D: '$(id)', E: '*' },
  ],
  backslashes: ['A=a\\nb\nB="c\\\\d"\nC=e\\\nD=f\n', { A: 'a\\nb', B: 'c\\\\d', C: 'e\\', D: 'f' }],
  'a name twice': ['A=1\nA=2\n', { A: '2' }],
  'letters of other languages': ['A=é€😀\n', { A: 'é€😀' }],
  'equal signs': ['A==\nB=c=d\n', { A: '=', B: 'c=d' }],
}

/** Files that are refused, and the line at fault. */
const refused: Readonly<Record<string, readonly [content: string | Uint8Array, line: number]>> = {
  export: ['A=1\nexport B=2\n', 2],
  'a blank before the equal sign': ['A=1\nB =2\n', 2],
  'no equal sign': ['A=1\n\nhunter2\n', 3],
  'no name': ['=1\n', 1],
  'a name of other letters': ['A.B=1\n', 1],
  'a name that begins with a digit': ['\ufeff1A=1\n', 1],
  'a second byte order mark': ['\ufeff\ufeffA=1\n', 1],
  'a value that goes on in the next line': ['A="one\ntwo"\n', 2],
  'a name of Reeve’s own': ['A=1\n__reeve_text=1\n', 2],
  'a NUL byte': ['A=1\nB=2\0\n', 2],
  'what is not UTF-8': [Buffer.from('A=1\nB=2\nC=\xe9\n', 'latin1'), 3],
}

const isRoot = process.geteuid?.() === 0
const nobody = 65_534

/** Environment files have one meaning, whoever reads them: root or Reeve for the service, or the service's own user. */
export function testEnvironmentFiles(
  harness: ConformanceHarness,
  { isAlone = false }: { readonly isAlone?: boolean } = {},
): void {
  for (const reader of ['whoever starts it', 'its own user'] as const) {
    test
      .runIf(reader === 'whoever starts it' || isRoot)
      [isAlone ? 'sequential' : 'concurrent'](
        `${harness.provider.type}: an environment file, read by ${reader}, has one meaning or is refused by its line`,
        { timeout: 300_000 },
        async () => {
          await withLab(harness, async lab => {
            const files = createFiles(lab, reader === 'its own user')
            const user = reader === 'its own user' ? { user: 'nobody' } : {}
            const declare = (path: string): FacilitySpec => ({
              process: { command: LONG_RUN, environmentFiles: [path], ...user },
            })
            const good = Object.entries(accepted).map(([what, [content]], index) => {
              return { name: `good${index}`, what, path: files(`good${index}`, content) }
            })
            lab.declare(Object.fromEntries(good.map(({ name, path }) => [name, declare(path)])))
            await lab.converge()
            for (const { name, what } of good) {
              const [, variables] = accepted[what] ?? []
              expect([what, await variablesOf(lab, name)]).toEqual([what, variables])
            }
            const [first] = good
            if (first) await changeBehindReeve(lab, first)

            const bad = Object.entries(refused).map(([what, [content]], index) => {
              return { name: `bad${index}`, what, path: files(`bad${index}`, content) }
            })
            const large = files('large', `A=${'x'.repeat(environmentFileLimit)}`)
            lab.declare({
              ...Object.fromEntries(bad.map(({ name, path }) => [name, declare(path)])),
              large: declare(large),
            })
            const told = await problemsOf(lab)
            for (const { name, what, path } of bad) {
              const [, line] = refused[what] ?? []
              expect([what, told.get(name)]).toEqual([what, expect.stringContaining(`in line ${line} of ${path}`)])
              expect(told.get(name)).not.toContain('hunter2')
            }
            expect(told.get('large')).toContain(large)
          })
        },
      )
  }
}

/** The file has changed when the supervisor restarts the service by itself, unobserved by Reeve. */
async function changeBehindReeve(
  lab: Lab,
  { name, path }: { readonly name: string; readonly path: string },
): Promise<void> {
  const { pid = 0 } = await lab.observe(name)
  writeFileSync(path, 'A=1\nexport B=2\n')
  process.kill(pid, 'SIGKILL')
  await eventually('it not to come up', async () => {
    const { state, pid: other } = await lab.observe(name)
    return other !== pid && state !== 'running' && state !== 'stopping'
  })
}

/** In a directory that the service's user can change, or only root can. */
function createFiles(lab: Lab, isOfUser: boolean): (name: string, content: string | Uint8Array) => string {
  const directory = join(lab.directory, 'etc')
  chmodSync(lab.directory, 0o755)
  mkdirSync(directory)
  if (isOfUser) chownSync(directory, nobody, nobody)
  return (name, content) => {
    const path = join(directory, `${name}.env`)
    writeFileSync(path, content)
    return path
  }
}

/** All with a name of one letter. */
async function variablesOf(lab: Lab, name: string): Promise<Record<string, string>> {
  const { pid } = await lab.observe(name)
  const entries = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0')
  return Object.fromEntries(entries.filter(entry => /^[A-Z]=/.test(entry)).map(entry => [entry[0], entry.slice(2)]))
}

/** Messages of Reeve about each facility that isn't up to date: before its start, or after the attempt. */
async function problemsOf(lab: Lab): Promise<Map<string, string>> {
  const told = new Map<string, string>()
  await eventually('all to have been refused', async () => {
    const { plan, failed, notReady } = await lab.apply()
    const blocked = plan.facilities.map(({ name, blocked = '' }) => ({ facility: name, message: blocked }))
    for (const { facility, message } of [...blocked, ...failed, ...notReady]) {
      if (message !== '') told.set(facility, `${told.get(facility) ?? ''}\n${message}`)
    }
    return plan.facilities.filter(({ change }) => change !== 'remove').every(({ name }) => told.has(name))
  })
  return told
}
