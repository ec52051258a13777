import { chmodSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Plan } from '../../../../src/core/plan/step.ts'
import { createEngineWorld, type EngineWorld } from '../../../simulation/engine-world.ts'

const run = (mark = 1): object => ({ process: { command: ['/bin/sleep', String(mark)] } })

function stepsOf({ facilities }: Plan): string[] {
  return facilities.flatMap(({ steps }) => steps.map(({ id }) => id))
}

/** Host without a controller, on which these are applied. */
async function openWorld(specs: Readonly<Record<string, object>>): Promise<EngineWorld> {
  const world = await createEngineWorld({ isRunning: false })
  for (const [name, spec] of Object.entries(specs)) world.declare(name, spec, false)
  expect(await world.apply()).toMatchObject({ failed: [], notReady: [] })
  return world
}

/** Content and time of all files, except the claims of the writer's lock. */
function filesOf(world: EngineWorld): Map<string, string> {
  const root = join(world.manifests, '..')
  const names = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter(name => !/^state\/lock/.test(name))
  const files = names.map(name => join(root, name)).filter(path => statSync(path).isFile())
  return new Map(files.map(path => [path, `${statSync(path).mtimeMs} ${readFileSync(path, 'utf8')}`]))
}

test('E3: a second apply makes no step, touches no file and restarts nothing', async () => {
  await using world = await openWorld({
    db: run(),
    web: { ...run(), dependsOn: ['db'] },
    idle: { ...run(), state: 'stopped' },
  })
  const [acts, files] = [world.acts.length, filesOf(world)]
  const again = await world.apply()
  expect([stepsOf(again.plan), again.stepsDone]).toEqual([[], 0])
  expect(world.acts).toHaveLength(acts)
  expect(filesOf(world)).toEqual(files)
})

test('E12: several writes cause one restart, after all of them', async () => {
  await using world = await createEngineWorld({ isRunning: false })
  const declare = (mark: number): void => {
    const files = ['a', 'b', 'c'].map(name => ({ path: world.path(name), content: `${name} ${mark}\n` }))
    world.declare('web', { ...run(mark), files }, false)
  }
  declare(1)
  await world.apply()
  declare(2)
  const outcome = await world.apply()
  expect(stepsOf(outcome.plan)).toEqual([
    'web/install',
    ...['a', 'b', 'c'].map(name => `web/write-file:${world.path(name)}`),
    'web/restart',
  ])
  expect(world.acts.map(({ verb }) => verb)).toEqual(['install', 'enable', 'start', 'install', 'restart'])
})

test('E12: files are compared by content: neither touching nor rewriting the same content is a change', async () => {
  await using world = await createEngineWorld({ isRunning: false })
  const file = world.path('web')
  world.declare('web', { ...run(), files: [{ path: file, content: 'one\n', mode: '0640' }] }, false)
  await world.apply()
  for (const path of [file, `${world.directory('alpha')}/web.json`, join(world.manifests, 'web.yaml')]) {
    utimesSync(path, new Date(0), new Date(0))
    expect(stepsOf(await world.plan())).toEqual([])
    writeFileSync(path, readFileSync(path))
    expect(stepsOf(await world.plan())).toEqual([])
  }
  chmodSync(file, 0o600)
  const plan = await world.plan()
  expect(stepsOf(plan)).toEqual([`web/write-file:${file}`])
  expect(plan.facilities[0]?.change).toBe('repair')
})

test('E18: without the state directory nothing restarts, nothing is lost, and orphans are pruned', async () => {
  await using world = await createEngineWorld({ isRunning: false })
  const file = world.path('web')
  world.declare('db', run(), false)
  world.declare('web', { ...run(), files: [{ path: file, content: 'one\n' }], dependsOn: ['db'] }, false)
  await world.apply()
  const forget = (): void => {
    for (const name of readdirSync(join(world.manifests, '../state'))) {
      if (name !== 'simulated') rmSync(join(world.manifests, '../state', name), { recursive: true })
    }
  }
  forget()
  expect(stepsOf((await world.apply()).plan)).toEqual([])
  forget()
  world.declare('web', undefined, false)
  expect(stepsOf((await world.apply()).plan)).toEqual(['web/stop', `web/remove-file:${file}`, 'web/remove'])
  expect(world.pid('db')).toBeDefined()
})

test('E9: prune: false leaves the service alone when its manifest goes', async () => {
  await using world = await openWorld({ web: { ...run(), prune: false } })
  const pid = world.pid('web')
  world.declare('web', undefined, false)
  expect(stepsOf((await world.apply()).plan)).toEqual([])
  expect(world.pid('web')).toBe(pid)
})

test('E9: more removals than the limit are refused as a whole, and --allow-removals permits them', async () => {
  const names = ['a', 'b', 'c', 'd']
  await using world = await openWorld(Object.fromEntries(names.map(name => [name, run()])))
  const before = names.map(name => world.pid(name))
  for (const name of ['a', 'b', 'c']) world.declare(name, undefined, false)
  world.declare('d', run(2), false)
  await expect(world.apply()).rejects.toThrow(/3 of the 4 owned facilities .*a, b, c.*--allow-removals 3/)
  await expect(world.apply({ allowRemovals: 2 })).rejects.toMatchObject({ code: 'refused' })
  expect(names.map(name => world.pid(name))).toEqual(before)
  expect((await world.apply({ allowRemovals: 3 })).failed).toEqual([])
  expect(names.map(name => world.pid(name) !== undefined)).toEqual([false, false, false, true])
})

test('E10: apply with an invalid file changes nothing at all', async () => {
  await using world = await openWorld({ web: run(), db: run() })
  world.declare('web', run(2), false)
  world.declare('db', undefined, false)
  writeFileSync(join(world.manifests, 'broken.yaml'), 'apiVersion: reeve/v1\nkind: Facility\n')
  const acts = world.acts.length
  const outcome = await world.apply()
  expect(outcome.stepsDone).toBe(0)
  expect(outcome.plan.diagnostics.some(({ severity }) => severity === 'error')).toBe(true)
  expect(world.acts).toHaveLength(acts)
})

test('E14: another serviceName is a move within its supervisor, and another supervisor a move to it', async () => {
  await using world = await openWorld({ web: run() })
  world.declare('web', { ...run(), serviceName: 'web-2' }, false)
  expect((await world.apply()).failed).toEqual([])
  expect([world.pid('web'), world.pid('web-2') !== undefined]).toEqual([undefined, true])
  world.declare('web', { ...run(), supervisor: 'beta' }, false)
  expect((await world.apply()).failed).toEqual([])
  expect(world.pid('web-2')).toBeUndefined()
  expect(world.supervisor.services.get(`${world.directory('beta')}/web`)?.process).toBeDefined()
  expect(stepsOf(await world.plan())).toEqual([])
  const acts = world.acts.slice(3).map(({ key, verb }) => `${verb} ${key.replace(/^.*simulated\//, '')}`)
  expect(acts.indexOf('stop alpha/web-2')).toBeLessThan(acts.indexOf('start beta/web'))
})

test('E13: a dependent of a facility declared stopped is blocked, whatever runs at the moment', async () => {
  await using world = await createEngineWorld()
  world.declare('db', run(), true)
  await world.clock.advance(5_000)
  expect(world.pid('db')).toBeDefined()
  world.declare('db', { ...run(), state: 'stopped' }, false)
  world.declare('web', { ...run(), dependsOn: ['db'] }, true)
  await world.clock.advance(5_000)
  const { facilities } = await world.plan()
  expect(facilities.find(({ name }) => name === 'web')?.blocked).toContain('db, which is declared stopped')
  expect(world.acts.filter(({ key }) => key.endsWith('/web'))).toEqual([])
  expect(world.condition('web', 'Ready')?.status).toBe('False')
})

test('a renamed facility with an unchanged service name keeps its process', async () => {
  await using world = await openWorld({ www: { ...run(), serviceName: 'site' } })
  const pid = world.pid('site')
  world.declare('www', undefined, false)
  const metadata = { name: 'web', renamedFrom: 'www' }
  const manifest = { apiVersion: 'reeve/v1', kind: 'Facility', metadata, spec: { ...run(), serviceName: 'site' } }
  writeFileSync(join(world.manifests, 'web.yaml'), JSON.stringify(manifest))
  expect(stepsOf(await world.plan())).toEqual(['web/install'])
  await world.apply()
  expect(world.pid('site')).toBe(pid)
  expect(stepsOf(await world.plan())).toEqual([])
})
