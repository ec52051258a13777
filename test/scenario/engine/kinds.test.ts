import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Condition } from '../../../src/core/reconcile/conditions.ts'
import { conditionOf } from '../../labs/engine-lab.ts'
import { takeTurns } from '../../random-actions/run.ts'
import type { Turn } from '../../random-actions/turns.ts'
import { openReport } from '../../runner/report.ts'
import { assertReportedAsync, openPropertyReport } from '../../runner/reported-property.ts'
import { endFaults } from '../../simulation/engine-story.ts'
import { createEngineWorld, type EngineWorld } from '../../simulation/engine-world.ts'
import {
  type Declared,
  declareKinds,
  endContradictions,
  endTroubles,
  type KindsWorld,
  kindStories,
  kindsActions,
  PORT,
  settleOthers,
} from '../../simulation/kinds-story.ts'

/** Simulated time, in ms. The controller isn't told of what it can't see: it resyncs at this interval. */
const RESYNC = 300_000
/** Time after the last change until the status is checked, and how long steps are counted after that. */
const QUIET = 15 * 60_000
const COUNTED = 10 * 60_000
/**
 * A failed step is retried every five minutes, by its supervisor or by Reeve; facilities that undid each other, every hour.
 */
const PATIENCE = 12 * 60_000
const PATIENCE_WITH_THOSE = 65 * 60_000
const LOOK_EVERY = 60_000

const FIRST = 'first\n'

/**
 * In `COUNTED`: a hung service is restarted every five minutes by then, and facilities that undid each other are retried
 * ever more rarely.
 */
const MOST_ACTS: Readonly<Record<string, number>> = { web: 4, left: 2, right: 2 }

const report = openPropertyReport('engine-kinds', 'The controller over services that are not well')
const kinds = openReport('engine-kinds-met', 'How often stories ended with each kind, and with what', ['KIND', 'TIMES'])

/** A law about a kind that no story had can't fail. */
const met = {
  'hung service that is restarted': 0,
  'hung service that is only reported': 0,
  'service that got stuck once': 0,
  'crash loop': 0,
  'crash loop of a manifest’s own fault': 0,
  'port that a stranger has': 0,
  'program that writes its file as it ends': 0,
  'services that undo each other': 0,
  'services that conflict': 0,
  'service with two names': 0,
}

/** Counts of kinds over all stories. */
function count({ programs, supervisor, directory, declared }: KindsWorld, story: readonly Turn[]): void {
  const isDown = (name: string): boolean => !supervisor.services.get(`${directory('alpha')}/${name}`)?.process
  const wasStuck = story.some(({ kind }) => kind === 'web gets stuck')
  const found: Readonly<Record<keyof typeof met, boolean>> = {
    'hung service that is restarted': programs.troubles.has('web'),
    'hung service that is only reported': programs.troubles.has('api'),
    'service that got stuck once': wasStuck && !programs.troubles.has('web'),
    'crash loop': programs.troubles.has('loop'),
    'crash loop of a manifest’s own fault': declared.isFaulty,
    'port that a stranger has': programs.taken.has(PORT),
    'program that writes its file as it ends': declared.content !== FIRST,
    'services that undo each other': isDown('left') || isDown('right'),
    'services that conflict': declared.doConflict && declared.isRivalRunning,
    'service with two names': declared.isNamedTwice,
  }
  for (const kind of Object.keys(met) as (keyof typeof met)[]) if (found[kind]) met[kind] += 1
}

test('E11, E21: conditions of failing services are true, nothing flaps, and resolved problems are forgotten', {
  timeout: 300_000,
}, async () => {
  let longest = 0
  await assertReportedAsync(
    report,
    fc.asyncProperty(kindStories, async story => {
      const declared: Declared = {
        mark: 100,
        isFaulty: false,
        content: FIRST,
        doConflict: false,
        isRivalRunning: true,
        isNamedTwice: false,
        leftMark: 1_000,
      }
      await using snapshot: KindsWorld = { ...(await createEngineWorld({ resync: RESYNC })), declared }
      settleOthers(snapshot)
      declareKinds(snapshot)
      await snapshot.clock.advance(15_000)
      const wait = snapshot.clock.advance
      await takeTurns({ world: snapshot, actions: kindsActions, turns: story, wait })
      endFaults(snapshot)
      await snapshot.clock.advance(QUIET)
      const acts = snapshot.acts.length
      await snapshot.clock.advance(COUNTED)
      count(snapshot, story)
      expectTrue(snapshot)
      expectAtRest(snapshot, acts)

      // A facility that is declared anew is retried at once, together with the other.
      const isDeclaredAnew = story.length % 2 === 0
      if (isDeclaredAnew) declared.leftMark += 1
      const patience = snapshot.quarrels.size > 0 && !isDeclaredAnew ? PATIENCE_WITH_THOSE : PATIENCE
      endTroubles(snapshot)
      endContradictions(snapshot)
      let waited = 0
      do {
        await snapshot.clock.advance(LOOK_EVERY)
        waited += LOOK_EVERY
      } while (waited < patience && !isAllReady(snapshot))
      longest = Math.max(longest, waited)
      expectTrue(snapshot)
      expect(notReady(snapshot)).toEqual([])
      const after = snapshot.acts.length
      await snapshot.clock.advance(COUNTED)
      expect(snapshot.acts.slice(after)).toEqual([])
      expectBystandersUntouched(snapshot)
    }),
    { seed: 20_261_130, numRuns: Number(process.env.REEVE_PROPERTY_RUNS ?? 16) },
  )
  for (const [kind, times] of Object.entries(met)) kinds.add(kind, times)
  kinds.add('longest till all was well again, s of simulated time', longest / 1_000)
  expect(Object.entries(met).filter(([, times]) => times === 0)).toEqual([])
})

function notReady(snapshot: EngineWorld): string[] {
  return snapshot.status().facilities.flatMap(one => {
    const isReady = conditionOf(one, 'Ready') === 'True' && conditionOf(one, 'Stalled') === 'False'
    return isReady ? [] : [`${one.name}: ${JSON.stringify(one.conditions)}`]
  })
}

function isAllReady(snapshot: EngineWorld): boolean {
  return notReady(snapshot).length === 0 && snapshot.hasNothingToDo()
}

/** Checks that the status of each is true. */
function expectTrue(snapshot: KindsWorld): void {
  const { programs, supervisor, quarrels, declared } = snapshot
  const said = new Map(snapshot.status().facilities.map(one => [one.name, one]))
  const runs = (name: string): boolean => {
    const key = `${snapshot.directory('alpha')}/${name}`
    return supervisor.services.get(supervisor.aliases.get(key) ?? key)?.process !== undefined
  }
  const expectIs = (name: string, type: Condition['type'], expected: boolean): void => {
    const status = conditionOf(said.get(name), type)
    expect(status, `${type} of ${name}: ${JSON.stringify(said.get(name)?.conditions)}`).toBe(
      expected ? 'True' : 'False',
    )
  }
  const expectStalled = (name: string, reason: string, other: string): void => {
    const stalled = said.get(name)?.conditions.find(({ type }) => type === 'Stalled')
    expect(stalled, name).toMatchObject({ status: 'True', reason, message: expect.stringContaining(other) })
  }

  for (const [name, one] of said) {
    if (conditionOf(one, 'Ready') === 'True') expect(runs(name), name).toBe(name !== 'rival' || declared.isRivalRunning)
  }
  expectIs('steady', 'Ready', true)
  for (const name of ['web', 'api']) {
    const isHung = programs.troubles.has(name)
    expectIs(name, 'Ready', !isHung)
    const reconciling = said.get(name)?.conditions.find(({ type }) => type === 'Reconciling')
    if (isHung) expect(reconciling?.reason).not.toBe('AsDeclared')
  }
  for (const [name, isLooping] of [
    ['loop', declared.isFaulty || programs.troubles.has('loop')],
    ['listener', programs.taken.has(PORT)],
  ] as const) {
    expectIs(name, 'Ready', !isLooping)
    expectIs(name, 'CrashLooping', isLooping)
    expectIs(name, 'Stalled', isLooping)
  }
  expectIs('scribe', 'Ready', true)
  expect(readFileSync(snapshot.path('scribe'), 'utf8')).toBe(declared.content)
  if (runs('left') && runs('right')) {
    for (const name of ['left', 'right']) expectIs(name, 'Ready', true)
  } else {
    expect(quarrels.size).toBeGreaterThan(0)
    expectStalled('left', 'Undone', 'right')
    expectStalled('right', 'Undone', 'left')
  }
  for (const [isImpossible, one, other] of [
    [declared.doConflict && declared.isRivalRunning, 'other', 'rival'],
    [declared.isNamedTwice, 'packaged', 'nickname'],
  ] as const) {
    if (isImpossible) {
      expectStalled(one, 'Blocked', other)
      expectStalled(other, 'Blocked', one)
    } else {
      for (const name of [one, other]) if (said.has(name)) expectIs(name, 'Ready', true)
    }
  }
}

/** Checks that hardly anything was done since, and nothing to the others. */
function expectAtRest(snapshot: EngineWorld, since: number): void {
  const counts: Record<string, number> = {}
  for (const { key, verb } of snapshot.acts.slice(since)) {
    const name = key.slice(key.lastIndexOf('/') + 1)
    // A retry is a start, or a stop and a start.
    if (verb === 'start' || verb === 'restart') counts[name] = (counts[name] ?? 0) + 1
    else if (!(name in MOST_ACTS)) counts[`${name}: ${verb}`] = 1
  }
  for (const [name, count] of Object.entries(counts)) expect(count, name).toBeLessThanOrEqual(MOST_ACTS[name] ?? 0)
}

function expectBystandersUntouched(snapshot: EngineWorld): void {
  const alpha = snapshot.directory('alpha')
  const of = (service: string): string[] =>
    snapshot.acts.flatMap(({ key, verb }) => (key === `${alpha}/${service}` ? verb : []))
  expect(of('steady')).toEqual(['install', 'enable', 'start'])
  expect(of('stranger')).toEqual([])
  for (const name of ['web', 'api']) expect(of(name).filter(verb => verb === 'stop' || verb === 'remove')).toEqual([])
  expect(of('api')).toEqual(['install', 'enable', 'start'])
}
