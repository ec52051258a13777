import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { takeTurns } from '../../random-actions/run.ts'
import { openReport } from '../../runner/report.ts'
import { assertReportedAsync, openPropertyReport } from '../../runner/reported-property.ts'
import {
  command,
  declareAll,
  endFaults,
  type MisledWorld,
  misleadingActions,
  settleStrangers,
  stories,
  type Wanted,
} from '../../simulation/engine-story.ts'
import { createEngineWorld, type EngineWorld } from '../../simulation/engine-world.ts'

/** A rolled-back move is retried after ten minutes, and the second time after twenty: all in ms. */
const PATIENCE = 4 * 3_600_000
const LOOK_EVERY = 30_000

/** Bounded stability: after the last fault, no more passes than these have steps. */
const MOST_WORKING = 12

const report = openPropertyReport('engine-misled', 'The controller over a supervisor that fails, answers late and lies')
const bounds = openReport('engine-misled-bounds', 'After the last fault', ['FIGURE', 'VALUE'])

test('despite wrong observations, nothing is stopped or removed wrongly, and the host converges in the end', {
  timeout: 300_000,
}, async () => {
  let most = 0
  let turns = 0
  await assertReportedAsync(
    report,
    fc.asyncProperty(stories, async story => {
      const wanted: Wanted = {
        edited: 4,
        file: 'first\n',
        moving: { isPresent: true, supervisor: 'alpha', state: 'running', mark: 5 },
      }
      await using snapshot: MisledWorld = { ...(await createEngineWorld()), wanted }
      settleStrangers(snapshot)
      declareAll(snapshot)
      await snapshot.clock.advance(1_000)
      const wait = snapshot.clock.advance
      await takeTurns({ world: snapshot, actions: misleadingActions, turns: story, wait })
      turns += story.length

      endFaults(snapshot)
      const before = snapshot.passes.working
      let waited = 0
      do {
        // Lanes begun from earlier observations end too.
        await snapshot.clock.advance(LOOK_EVERY)
        waited += LOOK_EVERY
      } while (waited < PATIENCE && !(snapshot.hasNothingToDo() && (await isAsPlanned(snapshot))))
      most = Math.max(most, snapshot.passes.working - before)
      expectSafe(snapshot)
      await expectAsDeclared(snapshot, wanted)
      expect(snapshot.passes.working - before).toBeLessThanOrEqual(MOST_WORKING)

      // After that, no pass has a step.
      const [acts, passes] = [snapshot.acts.length, snapshot.passes.all]
      await snapshot.clock.advance(5 * LOOK_EVERY)
      expect(snapshot.acts.slice(acts)).toEqual([])
      expect(snapshot.passes.all).toBeGreaterThan(passes)
    }),
    { seed: 20_261_122, numRuns: Number(process.env.REEVE_PROPERTY_RUNS ?? 40) },
  )
  bounds.add('things that came about', turns)
  bounds.add('most passes that led to anything', most)
})

async function isAsPlanned(snapshot: EngineWorld): Promise<boolean> {
  const { facilities } = await snapshot.plan()
  return facilities.every(({ steps }) => steps.length === 0)
}

/** Fails on a wrong stop or removal on the way. */
function expectSafe(snapshot: EngineWorld): void {
  const alpha = snapshot.directory('alpha')
  const of = (service: string): string[] =>
    snapshot.acts.filter(({ key }) => key === `${alpha}/${service}`).map(({ verb }) => verb)
  const wrong = (service: string, verbs: readonly string[]): string[] =>
    of(service).filter(verb => verbs.includes(verb))
  expect(wrong('steady', ['stop', 'restart', 'reload', 'remove', 'disable']), 'steady').toEqual([])
  expect(wrong('edited', ['stop', 'remove', 'disable']), 'edited').toEqual([])
  expect(wrong('waiting', ['stop', 'remove', 'disable']), 'waiting').toEqual([])
  expect([...of('taken'), ...of('stranger')], 'what is not owned').toEqual([])
}

async function expectAsDeclared(snapshot: EngineWorld, { edited, file, moving }: Wanted): Promise<void> {
  const plan = await snapshot.plan()
  const open = plan.facilities.filter(
    ({ name, steps, blocked }) => steps.length > 0 || (blocked !== undefined) !== (name === 'taken'),
  )
  expect(open).toEqual([])
  const running = [
    ['alpha/steady', 1],
    ['alpha/edited', edited],
    ['alpha/waiting', 2],
    ...(moving.isPresent && moving.state === 'running' ? [[`${moving.supervisor}/moving`, moving.mark]] : []),
  ].map(([place, mark]) => `${place} ${command(Number(mark)).join(' ')}`)
  const found = [...snapshot.supervisor.services].flatMap(([key, run]) => {
    if (!run.process) return []
    const contents: { command: readonly string[] } = JSON.parse(readFileSync(`${key}.json`, 'utf8'))
    return `${key.replace(/^.*simulated\//, '')} ${contents.command.join(' ')}`
  })
  expect(found.sort()).toEqual(running.sort())
  expect(readFileSync(snapshot.path('waiting'), 'utf8')).toBe(file)
}
