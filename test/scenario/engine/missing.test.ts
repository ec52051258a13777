import { chmodSync, copyFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { expect, test, vi } from 'vitest'
import { eventually } from '../../../src/conformance/eventually.ts'
import { conditionOf, createEngineLab, type EngineLab, reasonOf, type Spec } from '../../labs/engine-lab.ts'

vi.setConfig({ testTimeout: 60_000 })

/** No other event within the test would cause a retry. */
const configuration = 'resync: 1h'
const restart = { policy: 'always', delay: '10m' }

const command = ['/bin/sleep', '1000000']

const causes: [what: string, process: (path: string) => Spec, make: (path: string) => void][] = [
  [
    'a secret',
    path => ({ command, environment: { TOKEN: { fromFile: path } } }),
    path => writeFileSync(path, 'x\n', { mode: 0o600 }),
  ],
  [
    'an environment file',
    path => ({ command, environmentFiles: [path] }),
    path => writeFileSync(path, 'A=b\n', { mode: 0o600 }),
  ],
  ['a working directory', path => ({ command, workingDirectory: path }), path => mkdirSync(path)],
  [
    'a program',
    path => ({ command: [path, '1000000'] }),
    path => {
      copyFileSync('/bin/sleep', path)
      chmodSync(path, 0o755)
    },
  ],
]

async function runWithout(lab: EngineLab, process: Spec) {
  lab.declare('web', { process: { ...process, restart } })
  const controller = await lab.run()
  await eventually('it to be in trouble', async () => {
    const status = await controller.status('web')
    return conditionOf(status, 'Stalled') === 'True' || reasonOf(status, 'Ready') === 'Starting'
  })
  return controller
}

test.concurrent.each(causes)(
  'when a missing %s appears, the facility is retried at once and the problem cleared',
  async (_, process, make) => {
    await using lab = createEngineLab({ configuration })
    const path = lab.path('later', 'thing')
    const controller = await runWithout(lab, process(path))
    // In two steps, as a person creates a directory first.
    mkdirSync(dirname(path))
    make(path)
    const status = await controller.ready('web')
    expect([conditionOf(status, 'Stalled'), conditionOf(status, 'CrashLooping')]).toEqual(['False', 'False'])
    expect(reasonOf(status, 'Reconciling')).toBe('AsDeclared')
  },
)

test.concurrent('a start need that appears and vanishes again is watched anew', async () => {
  await using lab = createEngineLab({ configuration })
  const path = lab.path('token')
  const controller = await runWithout(lab, { command, environment: { TOKEN: { fromFile: path } } })
  mkdirSync(path)
  rmSync(path, { recursive: true })
  writeFileSync(path, 'x\n', { mode: 0o600 })
  await controller.ready('web')
})
