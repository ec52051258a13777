import assert from 'node:assert/strict'
import { mkdirSync, readdirSync, readFileSync, renameSync } from 'node:fs'
import { basename, join } from 'node:path'
import type { ConformanceHarness } from '../../src/conformance/index.ts'
import { eventually, isAlive } from '../../src/conformance/lab.ts'
import type { Provider } from '../../src/core/contracts/provider.ts'
import { loadProviders } from '../../src/engine/session/provider-loading.ts'
import { createReadHost } from '../../src/host/read-host.ts'
import { openApplier } from '../tools/opened-provider.ts'
import { killIfThere } from './process-lab.ts'

/** The example of an outside provider, loaded as the host configuration has it loaded. */
export async function createPidfileHarness(): Promise<ConformanceHarness> {
  const module = join(import.meta.dirname, '../outside-provider/pidfile.mjs')
  const provider = (await loadProviders([module], createReadHost(), false)).get('pidfile')
  assert.ok(provider)
  return {
    provider,
    async setUp(root) {
      const directory = join(root, 'run')
      mkdirSync(directory)
      return {
        options: { directory },
        watched: [root],
        meddle: definition => definition.replace('1000000', '1000099'),
        async boot() {
          await powerOff(directory)
          await startEnabled(provider, directory)
        },
        async makeUnavailable() {
          renameSync(directory, `${directory}.away`)
        },
        async makeAvailable() {
          renameSync(`${directory}.away`, directory)
        },
        async abandon(service) {
          killIfThere(readRun(join(directory, `${service}.run`)).keeper)
        },
        tearDown: () => powerOff(directory),
      }
    },
  }
}

/** As Reeve's controller would. */
async function startEnabled(provider: Provider, directory: string): Promise<void> {
  const enabled = readdirSync(directory).filter(name => name.endsWith('.enabled'))
  const instance = { name: 'lab', type: 'pidfile', options: { directory }, stateDirectory: directory, owner: 'boot' }
  const { signal } = new AbortController()
  const actions = enabled.map(name => {
    const service = basename(name, '.enabled')
    return { id: service, verb: 'start', service, signal } as const
  })
  using applier = openApplier(provider, instance)
  await applier.apply(actions, result => {
    if (!result.ok) throw result.error
  })
}

async function powerOff(directory: string): Promise<void> {
  const runs = readdirSync(directory)
    .filter(name => name.endsWith('.run'))
    .map(name => readRun(join(directory, name)))
  for (const { group } of runs) killIfThere(-group)
  await eventually('all processes to be gone', () => !runs.some(({ keeper, pid }) => isAlive(keeper) || isAlive(pid)))
}

function readRun(path: string): { readonly keeper: number; readonly group: number; readonly pid: number } {
  return JSON.parse(readFileSync(path, 'utf8'))
}
