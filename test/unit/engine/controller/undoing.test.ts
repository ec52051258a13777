import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { outcomeProblems } from '../../../../src/cli/outcome-text.ts'
import { stepsDone } from '../../../labs/engine-lab.ts'
import { createEngineWorld, type EngineWorld } from '../../../simulation/engine-world.ts'
import { atSteps } from '../../../tools/step-effects.ts'

const run = (mark = 1): object => ({ process: { command: ['/bin/sleep', String(mark)] } })

function stalledOf(world: EngineWorld, name: string): string {
  const found = world.condition(name, 'Stalled')
  return found?.status === 'True' ? `${found.reason}: ${found.message}` : ''
}

describe("E21: facilities that overwrite each other's files", () => {
  const fileOf = (world: EngineWorld, name: string): string => world.path(`${name}.conf`)
  const spoil = (world: EngineWorld, name: string): void => writeFileSync(fileOf(world, name), 'spoilt')
  const declare = (world: EngineWorld, name: string, content = name): void =>
    world.declare(name, { ...run(), files: [{ path: fileOf(world, name), content }] }, true)

  test('an apply that undoes its own steps fails and reports it', async () => {
    await using world = await createEngineWorld({ isRunning: false })
    declare(world, 'a')
    declare(world, 'b')
    const started = new Set<string>()
    const outcome = await world.apply({
      listener: atSteps('start', (name, other) => {
        if (started.add(name).has(other)) for (const each of started) spoil(world, each)
      }),
    })
    expect([outcome.failed, outcome.notReady]).toEqual([[], []])
    const causeOf = (name: string, other: string): string =>
      `file ${fileOf(world, name)} is changed again, most likely by what was done about facility ${other}`
    expect(outcome.undone.map(({ facility, steps, cause }) => [facility, steps[0]?.path, cause])).toEqual([
      ['a', fileOf(world, 'a'), causeOf('a', 'b')],
      ['b', fileOf(world, 'b'), causeOf('b', 'a')],
    ])
    const told = outcomeProblems(outcome).map(({ facility, kind, message }) => `${facility} is ${kind}: ${message}`)
    expect(told).toEqual([
      expect.stringMatching(
        /^a is not as declared: .* \(file .*a\.conf is changed again, most likely by .* b\); to do: /,
      ),
      expect.stringMatching(
        /^b is not as declared: .* \(file .*b\.conf is changed again, most likely by .* a\); to do: /,
      ),
    ])
  })

  test("a controller stalls both, each with the other's name, and continues when one is declared anew", async () => {
    let isTamed = false
    await using world: EngineWorld = await createEngineWorld({
      resync: 1_000,
      listener: atSteps('write-file', (_name, other) => {
        if (!isTamed && existsSync(fileOf(world, other))) spoil(world, other)
      }),
    })
    declare(world, 'a')
    declare(world, 'b')
    world.declare('bystander', run(), true)
    await world.clock.advance(60_000)
    for (const name of ['a', 'b'])
      expect(stalledOf(world, name)).toMatch(/^Undone: facilities a and b undo each other's steps/)
    expect(stalledOf(world, 'bystander')).toBe('')
    // Passes continue without steps.
    const [steps, passes] = [stepsDone(world.events).length, world.passes.all]
    await world.clock.advance(60_000)
    expect(world.passes.all).toBeGreaterThan(passes)
    expect(stepsDone(world.events)).toHaveLength(steps)
    const entries = world.history().filter(({ reason }) => reason === 'undone')
    expect(entries.map(({ facility, result }) => [facility, result]).sort()).toEqual([
      ['a', 'failed'],
      ['b', 'failed'],
    ])
    for (const { error } of entries) expect(error).toMatch(/facilities a and b undo each other's steps/)

    isTamed = true
    declare(world, 'a', 'a anew')
    await world.clock.advance(10_000)
    expect(['a', 'b'].map(name => readFileSync(fileOf(world, name), 'utf8'))).toEqual(['a anew', 'b'])
    for (const name of ['a', 'b']) {
      expect(stalledOf(world, name)).toBe('')
      expect(world.condition(name, 'Ready')?.status).toBe('True')
    }
  })
})

describe('E21: a change by something else is repaired each time and reported, blaming no facility:', () => {
  test.each([
    [
      'a file',
      (world: EngineWorld) => writeFileSync(world.path('web'), 'mine\n'),
      (world: EngineWorld) => `file ${world.path('web')} is changed again`,
    ],
    [
      'a service',
      (world: EngineWorld) => void world.supervisor.stop(`${world.directory('alpha')}/web`, true),
      () => 'it is stopped again',
    ],
  ])('%s', async (_, change, what) => {
    await using world = await createEngineWorld({ resync: 1_000 })
    world.declare('web', { ...run(), files: [{ path: world.path('web'), content: 'web\n', onChange: 'none' }] }, true)
    world.declare('bystander', run(), true)
    await world.clock.advance(10_000)
    for (let time = 0; time < 3; time += 1) {
      change(world)
      await world.clock.advance(10_000)
      expect(readFileSync(world.path('web'), 'utf8')).toBe('web\n')
      expect(world.condition('web', 'Ready')?.status).toBe('True')
    }
    const by = `${what(world)}, by something other than Reeve or by itself, over and over`
    expect(world.condition('web', 'Undone')).toMatchObject({ reason: 'ByOthers', message: by })
    const told = world.log.filter(({ message }) => message.includes('by something other than Reeve'))
    expect(told.map(({ message }) => message)).toEqual([expect.stringMatching(/^web: .*, 3 times in 1 minute; Reeve/)])
    expect(stalledOf(world, 'web')).not.toMatch(/^Undone/)
    expect(world.condition('bystander', 'Undone')).toBeUndefined()
  })
})

test('E21: an apply that stops a service that it left alone names the cause, and the next one starts it', async () => {
  await using world = await createEngineWorld({ isRunning: false })
  world.declare('a', run(), false)
  expect(outcomeProblems(await world.apply())).toEqual([])
  world.declare('b', run(), false)
  const stop = (name: string): void => void world.supervisor.stop(`${world.directory('alpha')}/${name}`, true)
  const outcome = await world.apply({ listener: atSteps('start', (_name, other) => stop(other)) })
  const cause = 'it is stopped again, most likely by what was done about facility b'
  expect(outcome.undone).toMatchObject([{ facility: 'a', steps: [{ id: 'a/start' }], cause }])
  expect(outcomeProblems(outcome)).toMatchObject([{ facility: 'a', message: expect.stringContaining(cause) }])
  const pid = world.pid('b')
  expect(outcomeProblems(await world.apply())).toEqual([])
  expect(world.pid('b')).toBe(pid)
})
