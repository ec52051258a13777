import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { eventually } from '../../../src/conformance/eventually.ts'
import {
  createEngineLab,
  type EngineLab,
  facilityManifest,
  longRun,
  type RunningController,
  supervisorManifest,
} from '../../labs/engine-lab.ts'

/** No resync within the test: only a hint can help. */
const byHint = { configuration: 'resync: 1h' }

/** Directory with a whole revision: web with this mark. */
function publish(lab: EngineLab, directory: string, mark: number): void {
  mkdirSync(directory, { recursive: true })
  writeFileSync(join(directory, 'supervisor-lab.yaml'), supervisorManifest('lab', lab.supervisorDirectory))
  writeFileSync(join(directory, 'web.yaml'), facilityManifest('web', { process: longRun(mark) }))
}

function swap(link: string, target: string): void {
  symlinkSync(target, `${link}.tmp`)
  renameSync(`${link}.tmp`, link)
}

/** Waits until the step has been done so often; returns the elapsed time in ms. */
async function untilRestarts(controller: RunningController, count: number): Promise<number> {
  const began = Date.now()
  await eventually(
    `restart number ${count}`,
    () => controller.steps().filter(id => id === 'web/restart').length === count,
  )
  return Date.now() - began
}

/** The controller itself takes part of the second: it stops and starts a service. */
const SOON = 10_000

/** git-sync: a link that leads to one worktree after another, with the manifests in it or below. */
test.concurrent.for(['link', 'link/deploy'])(
  'PITFALLS 4: a link swapped as by git-sync is followed at once: %s',
  async where => {
    await using lab = createEngineLab(byHint)
    const below = where.slice('link'.length)
    mkdirSync(lab.path('sync'))
    publish(lab, lab.path('sync', 'commit-1', below), 1)
    swap(lab.path('sync', 'link'), 'commit-1')
    const controller = await lab.run({ directory: lab.path('sync', where) })
    await controller.ready('web')
    for (const mark of [2, 3]) {
      publish(lab, lab.path('sync', `commit-${mark}`, below), mark)
      swap(lab.path('sync', 'link'), `commit-${mark}`)
      expect(await untilRestarts(controller, mark - 1)).toBeLessThan(SOON)
      rmSync(lab.path('sync', `commit-${mark - 1}`), { recursive: true })
    }
    // After the swaps, an edit in place is still noticed.
    publish(lab, lab.path('sync', 'commit-3', below), 4)
    expect(await untilRestarts(controller, 3)).toBeLessThan(SOON)
  },
)

/** ConfigMap: files that are links into ..data, which is a link to a timestamped directory. */
test.concurrent('PITFALLS 4: a ConfigMap volume is followed at once', async () => {
  await using lab = createEngineLab(byHint)
  const volume = lab.path('volume')
  const update = (mark: number): void => {
    publish(lab, join(volume, `..2026_${mark}`), mark)
    swap(join(volume, '..data'), `..2026_${mark}`)
    if (mark > 1) rmSync(join(volume, `..2026_${mark - 1}`), { recursive: true })
  }
  mkdirSync(volume)
  update(1)
  for (const file of ['supervisor-lab.yaml', 'web.yaml']) symlinkSync(join('..data', file), join(volume, file))
  const controller = await lab.run({ directory: volume })
  await controller.ready('web')
  for (const mark of [2, 3, 4]) {
    update(mark)
    expect(await untilRestarts(controller, mark - 1)).toBeLessThan(SOON)
  }
})

test.concurrent('PITFALLS 6: a manifests directory that is deleted and created again is followed at once', async () => {
  await using lab = createEngineLab(byHint)
  const directory = lab.path('sub', 'manifests')
  publish(lab, directory, 1)
  const controller = await lab.run({ directory })
  await controller.ready('web')
  rmSync(directory, { recursive: true })
  publish(lab, directory, 2)
  await untilRestarts(controller, 1)
  // The watch is on the new directory.
  publish(lab, directory, 12)
  expect(await untilRestarts(controller, 2)).toBeLessThan(SOON)
  // Slowly, and with its parent.
  rmSync(lab.path('sub'), { recursive: true })
  await eventually('it to be missed', async () => {
    const { controller: said } = await controller.control.status()
    return said?.problems.some(problem => problem.includes('does not exist')) ?? false
  })
  publish(lab, directory, 3)
  await untilRestarts(controller, 3)
  publish(lab, directory, 13)
  expect(await untilRestarts(controller, 4)).toBeLessThan(SOON)
  // Another directory renamed into its place.
  publish(lab, lab.path('sub', 'next'), 5)
  renameSync(directory, lab.path('sub', 'last'))
  renameSync(lab.path('sub', 'next'), directory)
  await untilRestarts(controller, 5)
  publish(lab, directory, 15)
  expect(await untilRestarts(controller, 6)).toBeLessThan(SOON)
})

test.concurrent('PITFALLS 1, 7: fifty successive edits end with the last one, and files that are no manifests are ignored', async () => {
  await using lab = createEngineLab(byHint)
  lab.declare('web', { process: longRun() })
  const controller = await lab.run()
  await controller.ready('web')
  for (let mark = 1; mark <= 50; mark += 1) {
    writeFileSync(`${lab.manifests}/web.yaml`, facilityManifest('web', { process: longRun(mark) }))
    for (const name of ['.web.yaml.swp', '#web.yaml#', 'web.yaml~', 'web.yaml.backup', '_web.yaml', '4913']) {
      writeFileSync(`${lab.manifests}/${name}`, facilityManifest('other', { process: longRun(mark) }))
    }
    await new Promise(resolve => setTimeout(resolve, mark % 10))
  }
  await eventually('the last to run', async () => {
    const plan = await lab.plan()
    const { state } = await lab.observe('web')
    return state === 'running' && plan.summary.unchanged === 1 && plan.facilities.length === 1
  })
  expect((await controller.control.status()).facilities.map(({ name }) => name)).toEqual(['web'])
})

test('apply caches the parsed manifests for the next process, and plan writes no cache', async () => {
  await using lab = createEngineLab()
  const spec = { state: 'unmanaged', enabled: 'unmanaged', process: longRun(1) } as const
  for (let index = 0; index < 60; index += 1) lab.declare(`s${index}`, { ...spec, suspend: true })
  const kept = lab.path('state', 'parsed.json')
  await lab.plan()
  expect(existsSync(kept)).toBe(false)
  await lab.apply()
  const { ino } = statSync(kept)
  await lab.apply()
  expect(statSync(kept).ino).toBe(ino)
  // The cache is used only for the identical text.
  writeFileSync(kept, readFileSync(kept, 'utf8').replace('"s7"', '"other"'))
  const names = async (): Promise<string[]> => (await lab.plan()).facilities.map(({ name }) => name)
  expect(await names()).toContain('other')
  lab.declare('s7', { ...spec, suspend: true, process: longRun(2) })
  expect(await names()).toContain('s7')
})

test('a controller writes the cache too, and continues if that fails', async () => {
  await using lab = createEngineLab()
  for (let index = 0; index < 60; index += 1) lab.declare(`s${index}`, { process: longRun(1), suspend: true })
  mkdirSync(lab.path('state', 'parsed.json'), { recursive: true })
  const blocked = await lab.run()
  await eventually('it to be said', () => blocked.log.some(({ message }) => message.includes('parses all manifests')))
  lab.declare('web', { process: longRun(2) })
  await blocked.ready('web')
  await blocked.stop()
  rmSync(lab.path('state', 'parsed.json'), { recursive: true })
  const controller = await lab.run()
  await controller.ready('web')
  expect(readFileSync(lab.path('state', 'parsed.json'), 'utf8')).toContain('s59')
})
