import { mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { REMOVAL_SETTLING } from '../../../../src/core/reconcile/decide.ts'
import { createEngineWorld, type EngineWorld } from '../../../simulation/engine-world.ts'

const run = (mark = 1): object => ({ process: { command: ['/bin/sleep', String(mark)] } })

/** In ms: more than the prune delay. */
const SETTLED = REMOVAL_SETTLING + 1_500
/** In ms: the manifests are read again within this time, even if no change was reported. */
const RESYNC = 1_000

/** Controller that has started these. */
async function openWorld(names: readonly string[], allowRemovals = 1_000): Promise<EngineWorld> {
  const world = await createEngineWorld({ resync: RESYNC, allowRemovals })
  for (const name of names) world.declare(name, run(), true)
  await world.clock.advance(3_000)
  for (const name of names) expect(world.condition(name, 'Ready')?.status).toBe('True')
  return world
}

function problemsOf(world: EngineWorld): string {
  return world.status().controller?.problems.join() ?? ''
}

test('E9: a controller refuses more removals than the limit, reports it, and does everything else', async () => {
  const names = ['a', 'b', 'c', 'd']
  await using world = await openWorld(names, 0)
  const before = names.map(name => world.pid(name))
  for (const name of ['a', 'b', 'c']) world.declare(name, undefined, true)
  world.declare('d', run(2), true)
  await world.clock.advance(SETTLED)
  expect(names.slice(0, 3).map(name => world.pid(name))).toEqual(before.slice(0, 3))
  expect(world.pid('d')).not.toBe(before[3])
  expect(problemsOf(world)).toMatch(/3 of the 4 owned facilities .*--allow-removals 3/)
})

test('E9: a controller with permission removes them', async () => {
  const names = ['a', 'b', 'c', 'd']
  await using world = await openWorld(names, 3)
  for (const name of ['a', 'b', 'c']) world.declare(name, undefined, true)
  await world.clock.advance(REMOVAL_SETTLING - 500)
  expect(world.pid('a')).toBeDefined()
  await world.clock.advance(SETTLED)
  expect(names.map(name => world.pid(name) !== undefined)).toEqual([false, false, false, true])
  expect(problemsOf(world)).toBe('')
})

test.each<[name: string, make: (path: string) => void, problem: string]>([
  ['that is missing', () => {}, 'does not exist'],
  ['that is a file', path => writeFileSync(path, ''), 'not a directory'],
  ['that is a dangling link', path => symlinkSync('/nowhere', path), 'does not exist'],
])('E9: a manifests directory %s removes nothing', async (_name, make, problem) => {
  await using world = await openWorld(['web'])
  const pid = world.pid('web')
  const aside = `${world.manifests}-aside`
  renameSync(world.manifests, aside)
  make(world.manifests)
  await world.clock.advance(SETTLED)
  expect(world.status().controller?.problems).toEqual([expect.stringContaining(problem)])
  expect(world.pid('web')).toBe(pid)
  rmSync(world.manifests, { force: true })
  renameSync(aside, world.manifests)
  await world.clock.advance(SETTLED)
  expect(problemsOf(world)).toBe('')
  expect(world.acts.map(({ verb }) => verb)).toEqual(['install', 'enable', 'start'])
})

test('E9: an unreadable subdirectory removes none of its facilities', async () => {
  await using world = await openWorld(['db', 'web'])
  mkdirSync(join(world.manifests, 'team'))
  renameSync(join(world.manifests, 'web.yaml'), join(world.manifests, 'team', 'web.yaml'))
  await world.clock.advance(SETTLED)
  const pid = world.pid('web')
  expect(pid).toBeDefined()
  rmSync(join(world.manifests, 'team'), { recursive: true })
  // Root can read everything: a dangling link is as unreadable.
  symlinkSync('/nowhere', join(world.manifests, 'team.yaml'))
  await world.clock.advance(SETTLED)
  expect(world.pid('web')).toBe(pid)
})

test('E9, PITFALLS 7: a manifest that is emptied and refilled, or removed and added again, removes nothing', async () => {
  await using world = await openWorld(['web'])
  const pid = world.pid('web')
  const path = join(world.manifests, 'web.yaml')
  const text = readFileSync(path, 'utf8')
  for (const part of ['', text.slice(0, 20), '# being written\n']) {
    writeFileSync(path, part)
    await world.clock.advance(RESYNC)
    writeFileSync(path, text)
    await world.clock.advance(RESYNC)
  }
  unlinkSync(path)
  await world.clock.advance(RESYNC)
  writeFileSync(path, text)
  await world.clock.advance(SETTLED)
  expect(world.pid('web')).toBe(pid)
  expect(world.acts.map(({ verb }) => verb)).toEqual(['install', 'enable', 'start'])
})

test('E9: a manifest that is back before a slow pass decides has not been gone for long enough', async () => {
  await using world = await openWorld(['web'])
  const pid = world.pid('web')
  world.declare('web', undefined, true)
  await world.clock.advance(500)
  const slow = REMOVAL_SETTLING + RESYNC
  let isRead = false
  world.meddled.look = () => {
    isRead = true
    return world.clock.sleep(slow)
  }
  await world.clock.advance(RESYNC)
  expect(isRead).toBe(true)
  world.declare('web', run(), false)
  world.meddled.look = () => {}
  await world.clock.advance(slow + SETTLED)
  expect(world.pid('web')).toBe(pid)
  expect(world.acts.map(({ verb }) => verb)).toEqual(['install', 'enable', 'start'])
})

test('PITFALLS 8: a manifest that is renamed or moved to another directory is the same', async () => {
  await using world = await openWorld(['web'])
  const pid = world.pid('web')
  renameSync(join(world.manifests, 'web.yaml'), join(world.manifests, 'website.yaml'))
  await world.clock.advance(SETTLED)
  mkdirSync(join(world.manifests, 'team'))
  renameSync(join(world.manifests, 'website.yaml'), join(world.manifests, 'team', 'site.yaml'))
  await world.clock.advance(SETTLED)
  expect(world.pid('web')).toBe(pid)
  expect(world.acts.map(({ verb }) => verb)).toEqual(['install', 'enable', 'start'])
})

test('E10, E6: run keeps the last good version of an invalid file, reconciles all others, reports it, and takes the fix', async () => {
  await using world = await openWorld(['web', 'db', 'old'])
  const [web, db, old] = ['web', 'db', 'old'].map(name => world.pid(name))
  world.declare('web', { ...run(2), onChnge: 'none' }, true)
  world.declare('old', undefined, true)
  world.declare('db', run(2), true)
  await world.clock.advance(SETTLED)
  expect(world.pid('db')).not.toBe(db)
  expect(problemsOf(world)).toMatch(/web\.yaml:.*onChnge/)
  expect([world.pid('web'), world.pid('old')]).toEqual([web, old])

  // The kept facilities are repaired as well.
  await world.supervisor.stop(`${world.directory('alpha')}/web`, true)
  await world.clock.advance(5_000)
  expect(world.pid('web')).toBeDefined()
  world.declare('web', run(3), true)
  await world.clock.advance(SETTLED + 5_000)
  expect(world.condition('web', 'Ready')?.status).toBe('True')
  expect(world.pid('old')).toBeUndefined()
  expect(problemsOf(world)).toBe('')
})
