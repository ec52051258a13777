import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, describe, expect, test } from 'vitest'
import { type VariableSource, wrapExecution } from '../../../providers/posix/exec-wrapper.ts'
import { quoteWords } from '../../../providers/posix/shell-quoting.ts'
import { layoutOf } from '../../../providers/process/shared/layout.ts'
import { findTools } from '../../../providers/process/shared/tools.ts'
import { buildEnvironment } from '../../../providers/process/supervisor/environment.ts'
import { chainOf, renderShim } from '../../../providers/process/supervisor/shim-script.ts'
import type { Process } from '../../../src/core/model/facility.ts'
import { createReadHost } from '../../../src/host/read-host.ts'
import { assertReported, openPropertyReport } from '../../runner/reported-property.ts'

const directory = mkdtempSync(join(tmpdir(), 'reeve-'))
afterAll(() => rmSync(directory, { recursive: true }))

const report = openPropertyReport('property-process-shim', 'Properties of the shim, with the real shells')

const shells = ['/bin/sh', '/bin/dash', '/bin/bash', '/bin/busybox'].filter(existsSync)

/** Any text that an argument can be, with the characters that shells live on more often than others. */
const word = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }).map(text => text.replaceAll('\0', '')),
  fc
    .array(fc.constantFrom(...'\'"\\$`!*?~#&;|<>(){}[]=%^ \n\t\r-a\u00e9\u{1f600}'), { maxLength: 12 })
    .map(all => all.join('')),
)

for (const shell of shells) {
  const program = shell.endsWith('busybox') ? [shell, 'sh'] : [shell]

  test(`S2: quoted words come out of ${shell} as they went in`, () => {
    assertReported(
      report,
      fc.property(fc.array(word, { minLength: 1, maxLength: 20 }), words => {
        const [command = '', ...args] = program
        const script = `printf '%s\\0' ${quoteWords(words)}`
        const result = spawnSync(command, [...args, '-c', script], { encoding: 'utf8' })
        expect(result.stdout).toBe(words.map(text => `${text}\0`).join(''))
      }),
      { numRuns: 60 },
    )
  })

  describe(`the shim under ${shell}`, () => {
    const host = createReadHost()
    const tools = findTools(host)
    const printer = 'printf "%s\\0" "$@"; pwd; umask; exit 3'

    test('S2: runs exactly the command, in exactly the environment', () => {
      let run = 0
      assertReported(
        report,
        fc.property(
          fc.array(word, { maxLength: 8 }),
          fc.dictionary(fc.stringMatching(/^[A-Za-z_][A-Za-z0-9_]{0,8}$/), word, { maxKeys: 8 }),
          fc.constantFrom(0o22, 0o77, 0o2),
          (args, environment, umask) => {
            run += 1
            const process: Process = {
              // Not a shell, which would change the environment on the way.
              command: ['/usr/bin/env', '--', 'cat', '/proc/self/environ'],
              environment,
              environmentFiles: [],
              limits: {},
              umask,
              restart: { policy: 'always', delay: 0 },
              stop: { signal: 'TERM', timeout: 0 },
            }
            const { variables, sources } = buildEnvironment(process, host, '/usr/bin/node', false)
            const seen = execute(process, variables, sources, run)
            const plain = Object.fromEntries(Object.entries(variables).filter(([name]) => !name.startsWith('__reeve')))
            const names = new Set(Object.keys({ ...plain, ...environment }))
            const found = Object.fromEntries(
              seen.stdout
                .split('\0')
                .filter(Boolean)
                .map(pair => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]),
            )
            for (const name of names) expect(found[name]).toBe({ ...variables, ...environment }[name])
            // A shell says where it is; bash, that it was there.
            expect(
              Object.keys(found).filter(name => !names.has(name) && !['PWD', 'SHLVL', '_'].includes(name)),
            ).toEqual([])

            run += 1
            const printing: Process = {
              ...process,
              environment: {},
              command: ['/bin/sh', '-c', printer, 'sh', ...args],
            }
            const printed = execute(printing, {}, [], run)
            const shown = umask.toString(8).padStart(4, '0')
            // Without an argument, printf prints its format once.
            const printedArgs = args.length === 0 ? '\0' : args.map(text => `${text}\0`).join('')
            expect(printed.stdout).toBe(`${printedArgs}/\n${shown}\n`)
            expect(printed.exit).toMatch(/^3 [\d.]+ none\n$/)
          },
        ),
        { numRuns: 40 },
      )
    })

    function execute(
      process: Process,
      environment: Readonly<Record<string, string>>,
      sources: readonly VariableSource[],
      run: number,
    ): { stdout: string; exit: string } {
      const layout = { ...layoutOf(directory), runs: directory }
      const name = `s${shells.indexOf(shell)}`
      const chain = chainOf(process, undefined, wrapExecution({ variables: sources, problems: 4 }), tools)
      const script = join(directory, `${name}~${run}.sh`)
      const { umask = 0o22 } = process
      const plan = { service: name, run, bootId: 'b', umask, workingDirectory: '/', chain, opensOutput: false }
      writeFileSync(script, renderShim(layout, plan))
      const [command = '', ...args] = program
      const result = spawnSync(command, [...args, script], { encoding: 'utf8', env: environment, cwd: '/' })
      expect(result.stderr).toBe('')
      return { stdout: result.stdout, exit: readFileSync(join(directory, `${name}~${run}.exit`), 'utf8') }
    }
  })
}
