import { EventEmitter } from 'node:events'
import { mkdirSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs'
import { expect, test, vi } from 'vitest'
import { eventually } from '../../../src/conformance/eventually.ts'
import { createReadHost } from '../../../src/host/read-host.ts'
import { createEngineLab, facilityManifest, longRun, supervisorManifest } from '../../labs/engine-lab.ts'

/** Behaviour of chokidar here: `deaf` never reports anything, `broken` fails. */
const watching = vi.hoisted(() => ({ how: 'deaf' }))

vi.mock('chokidar', () => ({
  watch() {
    const watcher = new EventEmitter()
    if (watching.how === 'broken') {
      for (let i = 0; i < 3; i += 1) setTimeout(() => watcher.emit('error', new Error('ENOSPC')), 50 * i)
    }
    return Object.assign(watcher, { close: async () => {} })
  },
}))

type Options = Parameters<typeof createReadHost>[0]

function withoutWatches(options: Options): ReturnType<typeof createReadHost> {
  return { ...createReadHost(options), watch: () => ({ [Symbol.dispose]() {} }) }
}

test('PITFALLS 6: without any hints, the rescan finds a swapped link and an edit', async () => {
  watching.how = 'deaf'
  await using lab = createEngineLab({ configuration: 'resync: 1s' })
  const publish = (name: string, mark: number): void => {
    mkdirSync(lab.path(name), { recursive: true })
    writeFileSync(lab.path(name, 'supervisor.yaml'), supervisorManifest('lab', lab.supervisorDirectory))
    writeFileSync(lab.path(name, 'web.yaml'), facilityManifest('web', { process: longRun(mark) }))
  }
  publish('commit-1', 1)
  publish('commit-2', 2)
  symlinkSync('commit-1', lab.path('link'))
  const controller = await lab.run({ directory: lab.path('link'), createReadHost: withoutWatches })
  await controller.ready('web')
  const restarts = (): number => controller.steps().filter(id => id === 'web/restart').length
  unlinkSync(lab.path('link'))
  symlinkSync('commit-2', lab.path('link'))
  await eventually('the other revision to run', () => restarts() === 1)
  publish('commit-2', 3)
  await eventually('the edit to run', () => restarts() === 2)
  expect((await controller.ready('web')).state).toBe('running')
})

test('PITFALLS 6: if nothing can be watched, this is reported once, and the rescan continues', async () => {
  watching.how = 'broken'
  await using lab = createEngineLab({ configuration: 'resync: 1s' })
  const files = [{ path: lab.path('web.conf'), content: 'one\n' }]
  lab.declare('web', { process: longRun(), files })
  const throwing = (options: Options): ReturnType<typeof createReadHost> => ({
    ...createReadHost(options),
    watch() {
      throw new Error('ENOSPC: no space left on device, watch')
    },
  })
  const controller = await lab.run({ createReadHost: throwing })
  await controller.ready('web')
  lab.declare('web', { process: longRun(1), files })
  await eventually('the edit to run', () => controller.steps().includes('web/restart'))
  const warnings = controller.log.filter(({ level }) => level === 'warn').map(({ message }) => message)
  expect(warnings.filter(message => message.startsWith('cannot watch the manifests'))).toHaveLength(1)
  expect(warnings.filter(message => message.startsWith('cannot watch supervisor lab'))).toHaveLength(1)
  expect(warnings.filter(message => message.startsWith(`cannot watch ${lab.path()};`))).toHaveLength(1)
})
