import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { LONG_RUN, withLab } from '../../../src/conformance/lab.ts'
import { createS6Harness, scanFamilies } from '../../labs/scan-lab.ts'
import { has } from '../../runner/requirements.ts'
import { openApplier } from '../../tools/opened-provider.ts'

const plain = { process: { command: LONG_RUN } }

describe.skipIf(!has('s6-svscan')).concurrent('the limit of s6-svscan', { timeout: 300_000 }, () => {
  test.for([[['-c', '3']], [['-c3']]])(
    'refuses a further service, which leaves nothing behind and starts once there is room: %j',
    async ([options]) => {
      await withLab(createS6Harness(['s6-svscan', ...(options ?? [])]), async lab => {
        const { serviceDirectory, definitionDirectory } = lab.supervisor.options
        const logged = { process: { command: LONG_RUN, output: { file: join(lab.directory, 'log') } } }
        lab.declare({ one: logged, two: plain, three: plain })
        await lab.converge()
        lab.declare({ one: logged, two: plain, three: plain, four: plain })
        expect((await lab.apply()).failed).toMatchObject([
          {
            facility: 'four',
            message:
              `s6-svscan takes at most 3 services, and there are 3 in ${serviceDirectory}: remove some, ` +
              'start s6-svscan with a larger -c, or declare another kind: Supervisor for four',
          },
        ])
        expect(readdirSync(String(definitionDirectory)).sort()).toEqual(['one', 'three', 'two'])
        lab.declare({ one: logged, two: plain })
        await lab.converge()
        lab.declare({ one: logged, two: plain, four: plain })
        await lab.converge()
        expect(await lab.observe('four')).toMatchObject({ state: 'running', supervised: true, enabled: true })
      })
    },
  )

  test('is reported, if it is unknown, to those who waited for a service in vain', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'reeve-s6-'))
    const program = join(directory, 's6-svscan')
    // Since 2.12 the option counts pairs of supervisors, and has another name in the usage.
    const found = spawnSync('which', ['s6-svscan'], { encoding: 'utf8' }).stdout.trim()
    writeFileSync(program, readFileSync(found, 'latin1').replaceAll('maxservices', 'servicesmax'), 'latin1')
    chmodSync(program, 0o755)
    await withLab(createS6Harness([program, '-c', '2']), async lab => {
      lab.declare({ one: plain, two: plain })
      await lab.converge()
      lab.declare({ one: plain, two: plain, three: plain })
      const { serviceDirectory } = lab.supervisor.options
      const [failure] = (await lab.apply()).failed
      expect(failure?.message).toContain(
        `whether it still runs: there are 3 services in ${serviceDirectory}, and it takes only as many as its -c says`,
      )
    })
    rmSync(directory, { recursive: true })
  })
})

for (const { scanner, harness } of scanFamilies.filter(family => family.scanner !== 's6-svscan')) {
  test
    .skipIf(!has(scanner))
    .concurrent(`${scanner} takes no more services than its compiled-in limit, and existing ones stay`, async () => {
      await withLab(harness, async lab => {
        const services = String(lab.supervisor.options.serviceDirectory)
        const definitions = String(lab.supervisor.options.definitionDirectory)
        const instance = {
          name: 'lab',
          type: harness.provider.type,
          options: lab.supervisor.options,
          stateDirectory: '/',
          owner: 'me',
        }
        // The test would start a thousand supervisors otherwise.
        await lab.supervisor.makeUnavailable()
        for (let number = 1; number <= 999; number += 1) mkdirSync(join(services, `other-${number}`))
        mkdirSync(join(services, '.hidden'))
        writeFileSync(join(services, 'notes'), '')
        const act = async (verb: 'install' | 'enable', ...names: readonly string[]): Promise<string[]> => {
          const { signal } = new AbortController()
          const said: string[] = []
          const actions = names.map(service => {
            const files = [{ path: join(definitions, service, 'run'), content: '', mode: 0o755 }]
            return { id: service, verb, service, definition: { files, digest: '' }, signal } as const
          })
          using applier = openApplier(harness.provider, instance)
          await applier.apply(actions, result => {
            said.push(`${result.id}: ${result.ok ? 'done' : result.error.message}`)
          })
          return said.sort()
        }
        const refused = (name: string): string =>
          `${name}: ${scanner} takes at most 1000 services, and there are 1000 in ${services}: ` +
          `remove some, or declare another kind: Supervisor for ${name}`
        expect(await act('install', 'one', 'two')).toEqual(['one: done', refused('two')])
        expect(await act('install', 'one', 'two')).toEqual(['one: done', refused('two')])
        expect(readdirSync(definitions)).toEqual(['one'])
        rmSync(join(services, 'one'))
        mkdirSync(join(services, 'other-1000'))
        expect(await act('enable', 'one')).toEqual([refused('one')])
      })
    })
}
