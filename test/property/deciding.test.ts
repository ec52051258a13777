import fc from 'fast-check'
import { test, vi } from 'vitest'
import { findRemovalProblem } from '../../src/core/plan/removal-guard.ts'
import type { FacilityPlan } from '../../src/core/plan/step.ts'
import { bringsUp } from '../../src/core/plan/step-builder.ts'
import type { Verb } from '../../src/core/plan/verb.ts'
import {
  type Decision,
  decide,
  findOvertaken,
  type Known,
  type Pruning,
  REMOVAL_SETTLING,
} from '../../src/core/reconcile/decide.ts'
import { assertReported, openPropertyReport } from '../runner/reported-property.ts'

/** Each property takes a second at most; but the machine may be busy. */
vi.setConfig({ testTimeout: 60_000 })

const report = openPropertyReport('property-deciding', 'Properties of deciding what begins')
const parameters = { numRuns: 500 } as const

const names = ['a', 'b', 'c', 'd', 'e'] as const
const now = 100_000
const name = fc.constantFrom(...names)
const some = fc.uniqueArray(name, { maxLength: 2 }).map(found => new Set<string>(found))
/** Values at the edges of each condition. */
const stamp = fc.constantFrom(
  now - 2 * REMOVAL_SETTLING,
  now - REMOVAL_SETTLING,
  now - REMOVAL_SETTLING + 1,
  now,
  now + 1,
)
const times = fc
  .uniqueArray(fc.tuple(name, stamp), { selector: ([of]) => of, maxLength: names.length })
  .map(found => new Map(found))

const verb = fc.constantFrom<Verb[]>('install', 'stop', 'start')
const needs = fc.uniqueArray(
  fc.tuple(name, verb).map(([of, what]) => `${of}/${what}`),
  { maxLength: 1 },
)

function facilityPlan(of: string): fc.Arbitrary<FacilityPlan> {
  const base = { name: of, supervisor: 'alpha', service: of }
  const steps = fc.uniqueArray(
    fc.record({ verb, needs }).map(step => ({ ...step, id: `${of}/${step.verb}`, reason: 'new' as const })),
    { selector: ({ id }) => id },
  )
  const changed = fc.record({ steps, renamedFrom: fc.option(fc.constantFrom('x', 'y'), { nil: undefined }) })
  return fc.oneof(
    changed.map(({ steps, renamedFrom }): FacilityPlan => {
      return { ...base, change: 'change', steps, ...(renamedFrom !== undefined && { renamedFrom }) }
    }),
    needs.map((ids): FacilityPlan => {
      const step = { id: `${of}/remove`, verb: 'remove', reason: 'pruned', needs: ids } as const
      return { ...base, change: 'remove', steps: [step] }
    }),
  )
}

const facilities = fc
  .subarray([...names])
  .chain(found => fc.tuple(...found.map(facilityPlan)))
  .map((found): readonly FacilityPlan[] => found)

const pruning: fc.Arbitrary<Pruning> = fc.record({
  readAt: fc.constantFrom(now, now - 500, undefined),
  isComplete: fc.boolean(),
  missingSince: times,
  owned: fc.constantFrom(1, 2, 5),
  removalLimit: fc.record({ count: fc.constantFrom(0, 1, 5), fraction: fc.constantFrom(0, 0.5, 1) }),
  allowRemovals: fc.constantFrom(0, 2),
  command: fc.constant('reeve apply'),
})

const known: fc.Arbitrary<Known> = fc.record({
  now: fc.constant(now),
  busy: fc.uniqueArray(fc.constantFrom(...names, 'x'), { maxLength: 2 }).map(found => new Set<string>(found)),
  wasBusy: some,
  heldUntil: times,
  encouraged: some,
  pruning: fc.oneof(pruning, fc.constant('agreed' as const)),
  // While held back, nothing else matters.
  isHeldBack: fc.constantFrom(false, false, false, true),
  isReporting: fc.constantFrom(false, false, false, true),
  unwritten: some,
})

function holds(law: (decision: Decision, facilities: readonly FacilityPlan[], known: Known) => boolean): void {
  const property = fc.property(facilities, known, (all, facts) => law(decide({ facilities: all }, facts), all, facts))
  assertReported(report, property, parameters)
}

const namesOf = (plans: readonly FacilityPlan[]): string[] => plans.map(plan => plan.name)

test('every facility with steps either starts or waits, never both', () => {
  holds(({ start, wait }, all) => {
    const told = [...namesOf(start), ...wait.map(({ facility }) => facility)].sort()
    const work = namesOf(all.filter(({ steps }) => steps.length > 0)).sort()
    return JSON.stringify(told) === JSON.stringify(work)
  })
})

test('a busy facility is never started again, under any of its names', () => {
  holds(({ start }, _, { busy }) =>
    start.every(({ name, renamedFrom = name }) => !busy.has(name) && !busy.has(renamedFrom)),
  )
})

test('nothing starts before its time, unless the cause of its failure is gone', () => {
  holds(({ start }, _, { encouraged, heldUntil }) =>
    start.every(({ name }) => encouraged.has(name) || (heldUntil.get(name) ?? now) <= now),
  )
})

test('nothing starts during a requested pass', () => {
  holds(({ start }, _, { isHeldBack }) => !isHeldBack || start.length === 0)
})

test('nothing starts in report mode', () => {
  holds(({ start }, _, { isReporting }) => !isReporting || start.length === 0)
})

test('a removal starts only with freshly read, complete manifests, after the prune delay, and if the guard permits', () => {
  holds(({ start }, all, { busy, pruning, wasBusy }) => {
    const removals = start.filter(({ change }) => change === 'remove')
    if (removals.length === 0 || pruning === 'agreed') return removals.every(({ name }) => !wasBusy.has(name))
    const { readAt, isComplete, missingSince, owned, removalLimit, allowRemovals, command } = pruning
    const others = all.filter(({ name, change }) => change === 'remove' && !busy.has(name))
    const problem = findRemovalProblem({ facilities: others }, owned, removalLimit, command, allowRemovals)
    if (readAt === undefined) return false
    const isCertain = (of: string): boolean => readAt - (missingSince.get(of) ?? readAt) >= REMOVAL_SETTLING
    return isComplete && problem === undefined && removals.every(({ name }) => isCertain(name))
  })
})

test('a facility whose claims are not recorded does not start, and its record permits nothing else', () => {
  const property = fc.property(facilities, known, some, (all, facts, unwritten) => {
    const before = new Set(namesOf(decide({ facilities: all }, { ...facts, unwritten: new Set() }).start))
    const after = namesOf(decide({ facilities: all }, { ...facts, unwritten }).start)
    return after.every(started => before.has(started) && !unwritten.has(started))
  })
  assertReported(report, property, parameters)
})

test('E13: a facility that starts needs no step, except starts, of one that waits', () => {
  holds(({ start }, all) => {
    const begun = new Set(namesOf(start))
    const waiting = all.filter(({ name }) => !begun.has(name)).flatMap(({ steps }) => steps)
    const held = new Set(waiting.filter(step => !bringsUp(step)).map(({ id }) => id))
    return start.every(({ steps }) => steps.every(step => step.needs.every(id => !held.has(id))))
  })
})

test('a time to wait for is in the future', () => {
  holds(({ wait }) =>
    wait.every(({ why, until }) =>
      why === 'backoff' || why === 'settling' ? Number(until) > now : typeof until === 'string',
    ),
  )
})

test('when the time has come and nothing else has changed, the facility no longer waits for it', () => {
  holds(({ wait }, all, facts) =>
    wait.every(({ facility, why, until }) => {
      if (typeof until !== 'number') return true
      const pruning =
        facts.pruning === 'agreed'
          ? facts.pruning
          : { ...facts.pruning, readAt: until, missingSince: since(facts.pruning) }
      const later = decide({ facilities: all }, { ...facts, now: until, pruning })
      return later.wait.every(one => one.facility !== facility || one.why !== why)
    }),
  )
})

/** As the first refresh would record it. */
function since({ missingSince }: Pruning): Map<string, number> {
  return new Map([...names.map((of): [string, number] => [of, now]), ...missingSince])
}

test('the order of the facilities changes nothing', () => {
  const property = fc.property(
    facilities.chain(all => fc.tuple(fc.constant(all), fc.shuffledSubarray([...all], { minLength: all.length }))),
    known,
    ([all, shuffled], facts) => {
      const [one, two] = [all, shuffled].map(found => {
        const { start, wait, removals } = decide({ facilities: found }, facts)
        return JSON.stringify([start, wait, removals && [[...removals.missing], removals.problem]])
      })
      return one === two
    },
  )
  assertReported(report, property, parameters)
})

test('E6: a lane continues if, and only if, it is for the current declaration', () => {
  const digest = fc.constantFrom('', 'one', 'two')
  const lanes = fc.dictionary(name, digest, { noNullPrototype: true }).map(found => new Map(Object.entries(found)))
  const manifest = fc.record({ digest: fc.constantFrom('one', 'two'), suspend: fc.boolean() })
  const declared = fc.dictionary(name, manifest, { noNullPrototype: true }).map(found => new Map(Object.entries(found)))
  const property = fc.property(lanes, declared, some, (underWay, wanted, suspended) => {
    const overtaken = new Set(findOvertaken(underWay, wanted, suspended))
    return [...underWay].every(([of, madeFor]) => {
      const now = wanted.get(of)
      const fits = now ? !now.suspend && now.digest === madeFor : madeFor === '' && !suspended.has(of)
      return overtaken.has(of) !== fits
    })
  })
  assertReported(report, property, parameters)
})
