import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Step } from '../../src/core/plan/step.ts'
import { createUndoingWatch, type UndoingWatch } from '../../src/engine/execution/undoing-watch.ts'
import { assertReported, openPropertyReport } from '../runner/reported-property.ts'
import { createManualClock } from '../tools/manual-clock.ts'

const report = openPropertyReport('property-undoing-watch', 'Who undoes whose steps, over stories of steps and looks')

const runs = { seed: 20_261_130, numRuns: Number(process.env.REEVE_PROPERTY_RUNS ?? 500) }

const names: readonly string[] = ['a', 'b', 'c', 'd']

/** In ms: how long a finished step may still have an effect, and after which earlier events don't count. */
const AFTERMATH = 2_000
const WINDOW = 3_600_000

/** An event; then so many ms pass. */
interface Turn {
  readonly kind: 'act' | 'begin' | 'finish' | 'find undone' | 'find right' | 'fight'
  readonly name: string
  readonly result: 'done' | 'failed'
  /** Whether the supervisor reports since when. */
  readonly isTimed: boolean
  readonly wait: number
}

const turns: fc.Arbitrary<readonly Turn[]> = fc.array(
  fc.record({
    kind: fc.constantFrom('act', 'act', 'begin', 'finish', 'find undone', 'find right', 'fight', 'fight', 'fight'),
    name: fc.constantFrom(...names),
    result: fc.constantFrom('done', 'done', 'done', 'failed'),
    isTimed: fc.boolean(),
    wait: fc.constantFrom(0, 50, 700, 5_000, 120_000),
  }),
  { maxLength: 40 },
)

const start = (facility: string): Step => ({ id: `${facility}/start`, verb: 'start', reason: 'stopped', needs: [] })

interface Span {
  readonly began: number
  readonly ended: number
}

/** A watch that receives steps and observations, and a plain record of what it should conclude. */
function createBench(watch?: UndoingWatch, clock = createManualClock()) {
  const watched = watch ?? createUndoingWatch(clock)
  const at = { supervisor: 'lab', service: 'web' }
  const spans = new Map<string, Span[]>()
  const underWay = new Map<string, number>()
  /** Time of the last observation as declared. */
  const good = new Map<string, number>()
  const suspected = new Map<string, (readonly string[])[]>()

  function begin(name: string): void {
    if (underWay.has(name)) return
    underWay.set(name, clock.elapsed())
    watched.noted({ type: 'step-started', facility: name, step: start(name), at })
  }

  function finish(name: string, result: 'done' | 'failed' = 'done'): void {
    const began = underWay.get(name)
    if (began === undefined) return
    underWay.delete(name)
    watched.noted({ type: 'step-finished', facility: name, step: start(name), at, result, duration: 0 })
    watched.settled(name, 'one')
    spans.set(name, [...(spans.get(name) ?? []), { began, ended: clock.elapsed() }])
    good.set(name, began)
  }

  return {
    clock,
    watch: watched,
    begin,
    finish,
    act(
      name: string,
      { result = 'done', duration = 500 }: { result?: 'done' | 'failed'; duration?: number } = {},
    ): void {
      begin(name)
      clock.pass(duration)
      finish(name, result)
    },
    /** `ago`: for how long the state has held, in ms. */
    findUndone(name: string, ago?: number) {
      const since = ago === undefined ? {} : { since: clock.now() - ago }
      const undone = watched.seen(name, 'one', [start(name)], { began: clock.elapsed(), ...since })
      if (undone) suspected.set(name, [...(suspected.get(name) ?? []), undone.suspects])
      return undone
    },
    /** Facilities suspected in each of the last three undoings. */
    alwaysSuspected(name: string): readonly string[] {
      const last = (suspected.get(name) ?? []).slice(-3)
      return last.length < 3 ? [] : (last[0] ?? []).filter(one => last.every(suspects => suspects.includes(one)))
    },
    findRight(name: string): void {
      watched.seen(name, 'one', [], { began: clock.elapsed() })
      good.set(name, Math.max(good.get(name) ?? 0, clock.elapsed()))
    },
    /** Whether one of its steps was under way, or had only just ended, since that time. */
    hasActedSince: (name: string, time: number) =>
      underWay.has(name) || (spans.get(name) ?? []).some(({ ended }) => ended + AFTERMATH >= time),
    goodSince: (name: string) => good.get(name) ?? 0,
  }
}

type Bench = ReturnType<typeof createBench>

/** Returns the reported undoing. */
function take({ kind, name, result, isTimed, wait }: Turn, bench: Bench): unknown {
  const said = perform()
  bench.clock.pass(wait)
  return [said, names.map(one => [bench.watch.circleOf(one), bench.watch.often(one)])]

  function perform(): unknown {
    if (kind === 'act') return bench.act(name, { result })
    if (kind === 'begin') return bench.begin(name)
    if (kind === 'finish') return bench.finish(name, result)
    if (kind === 'find right') return bench.findRight(name)
    if (kind === 'fight') return fight(bench)
    return bench.findUndone(name, isTimed ? 100 : undefined)
  }
}

/** Both act, and each undoes the other by it. */
function fight(bench: Bench): unknown {
  return (['a', 'b'] as const).map((actor, index) => {
    bench.act(actor)
    return bench.findUndone(index === 0 ? 'b' : 'a', 0)
  })
}

function endAll(bench: Bench): void {
  for (const name of names) bench.finish(name)
}

test('E21: a suspect has had a step since the other was last as declared, and no facility undoes itself', () => {
  assertReported(
    report,
    fc.property(turns, story => {
      const bench = createBench()
      for (const turn of story) {
        if (turn.kind !== 'find undone') {
          take(turn, bench)
          continue
        }
        const since = bench.goodSince(turn.name)
        const undone = bench.findUndone(turn.name, turn.isTimed ? 100 : undefined)
        for (const suspect of undone?.suspects ?? []) {
          expect(suspect).not.toBe(turn.name)
          expect(bench.hasActedSince(suspect, since), `${suspect} for ${turn.name}`).toBe(true)
        }
        // An undoing is reported once.
        expect(bench.findUndone(turn.name)).toBeUndefined()
        bench.clock.pass(turn.wait)
      }
    }),
    runs,
  )
})

test('E21: members of a circle agree on it, and each was undone three times, each time perhaps by the same member', () => {
  let met = 0
  assertReported(
    report,
    fc.property(turns, story => {
      const bench = createBench()
      const { watch } = bench
      for (const turn of story) {
        take(turn, bench)
        for (const name of names) {
          const circle = watch.circleOf(name)
          expect(circle).not.toHaveLength(1)
          for (const one of circle) {
            met += 1
            expect(watch.circleOf(one)).toEqual(circle)
            expect(watch.often(one)?.count).toBeGreaterThanOrEqual(3)
            expect(bench.alwaysSuspected(one).some(other => circle.includes(other))).toBe(true)
          }
        }
      }
    }),
    runs,
  )
  expect(met).toBeGreaterThan(0)
})

test('E21: what an outsider undoes while no facility is acted on forms no circle', () => {
  assertReported(
    report,
    fc.property(turns, story => {
      const bench = createBench()
      for (const { kind, name } of story) {
        // All others act, and only later somebody undoes this one.
        for (const one of names) if (one !== name && kind !== 'find right') bench.act(one)
        bench.act(name)
        bench.clock.pass(10_000)
        expect(bench.findUndone(name, 5_000)).toEqual({ effect: 'up', suspects: [] })
        for (const one of names) expect(bench.watch.circleOf(one)).toEqual([])
      }
    }),
    { ...runs, numRuns: Math.ceil(runs.numRuns / 5) },
  )
})

/** Each undoes the next, the last the first; others act too, at other times. */
const circles = fc.record({
  members: fc.shuffledSubarray([...names], { minLength: 2 }),
  waits: fc.array(fc.integer({ min: 3_000, max: 100_000 }), { minLength: 12, maxLength: 12 }),
  acts: fc.array(fc.boolean(), { minLength: 12, maxLength: 12 }),
  isTimed: fc.boolean(),
})

test('E21: facilities that undo each other are found after three rounds, whatever others do meanwhile', () => {
  assertReported(
    report,
    fc.property(circles, ({ members, waits, acts, isTimed }) => {
      const bench = createBench()
      const others = names.filter(name => !members.includes(name))
      for (const member of members) bench.act(member)
      bench.clock.pass(10_000)
      for (let round = 0; round < 3; round += 1) {
        for (const [index, member] of members.entries()) {
          const turn = round * members.length + index
          const next = members[(index + 1) % members.length] ?? member
          // A facility that has acted is a suspect too if the time of the undoing is unknown.
          if (isTimed && acts[turn % acts.length]) for (const other of others) bench.act(other)
          bench.clock.pass(waits[turn % waits.length] ?? 0)
          bench.act(member)
          bench.findUndone(next, isTimed ? 250 : undefined)
        }
        if (round < 2) for (const member of members) expect(bench.watch.circleOf(member)).toEqual([])
      }
      const found = [...members].sort()
      for (const member of members) expect(bench.watch.circleOf(member)).toEqual(found)
      for (const other of others) expect(bench.watch.circleOf(other)).toEqual([])
      // One of them is declared anew: the others form no circle any more, unless they do so without it.
      const [first] = members
      if (first) bench.watch.forget(first)
      for (const member of members) expect(bench.watch.circleOf(member)).not.toContain(first)
    }),
    runs,
  )
})

test('forgotten facilities, and events over an hour old, do not count', () => {
  assertReported(
    report,
    fc.property(turns, turns, fc.boolean(), (before, after, isForgotten) => {
      const bench = createBench()
      for (const turn of before) take(turn, bench)
      endAll(bench)
      if (isForgotten) for (const name of names) bench.watch.forget(name)
      else bench.clock.pass(WINDOW + AFTERMATH)
      const fresh = createBench(undefined, bench.clock)
      // The last step is known for as long as it lasts.
      if (!isForgotten) for (const one of [bench, fresh]) for (const name of names) one.act(name, { duration: 0 })
      const both = after.map(turn => {
        const still = { ...turn, wait: 0 }
        const said = [take(still, createSteps(bench)), take(still, createSteps(fresh))]
        bench.clock.pass(turn.wait)
        return said
      })
      for (const [known, anew] of both) expect(known).toEqual(anew)
    }),
    runs,
  )
})

/** Its steps take no time: two watches share a clock. */
function createSteps(bench: Bench): Bench {
  return { ...bench, act: (name, options) => bench.act(name, { ...options, duration: 0 }) }
}

test('nothing is kept of an undeclared facility an hour after its last step', () => {
  assertReported(
    report,
    fc.property(turns, fc.subarray([...names]), (story, declared) => {
      const bench = createBench()
      for (const turn of story) take(turn, bench)
      endAll(bench)
      for (const name of names) bench.act(name)
      bench.clock.pass(WINDOW)
      bench.watch.keep(new Set(declared))
      const known = names.filter(name => bench.findUndone(name) !== undefined)
      expect(known).toEqual(declared)
    }),
    runs,
  )
})
