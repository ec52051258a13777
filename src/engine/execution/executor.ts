import { type Lane, type LaneOptions, type LaneResult, openLane, type Work } from './lane.ts'
import { createLaneRun, type LaneRunOptions } from './lane-run.ts'
import { createWaiting, type WaitingOptions } from './waiting.ts'

/**
 * Executor of plans: one lane per facility, its steps one after another, all lanes side by side. A lane that waits (a
 * slow stop, a dependency's health) delays only itself and the lanes that need it (E5). Actions that become due at the
 * same moment go to a provider in one batch.
 */
export interface Executor {
  /**
   * Starts a lane for each plan with steps, and returns the names of their facilities. Busy facilities are left out: plan
   * them anew when they are free.
   */
  submit(work: readonly Work[]): ReadonlySet<string>
  isBusy(facility: string): boolean
  /** What the facility's lane is doing or waiting for, in words; undefined if it isn't busy. */
  activity(facility: string): string | undefined
  /** Aborts the facility's lane (E6). Actions that a provider has begun are still reported. */
  abort(facility: string): void
  /** Aborts all lanes, and starts no more. */
  end(): void
  /** Resolves when the facility's current lane has ended, with its error if it failed; at once if there is no lane. */
  settled(facility: string): Promise<Error | undefined>
  /** Resolves when no lane is left. */
  idle(): Promise<void>
}

export interface ExecutorOptions extends LaneOptions, LaneRunOptions, WaitingOptions {
  settled(result: LaneResult): void
}

export function createExecutor(options: ExecutorOptions): Executor {
  const lanes = new Map<string, Lane>()
  /** End of each lane, with its error if it failed. */
  const ends = new Map<string, Promise<Error | undefined>>()
  const waiting = createWaiting(options)
  const run = createLaneRun(options, waiting)
  let hasEnded = false

  async function carryOut(lane: Lane): Promise<Error | undefined> {
    const { name } = lane.work.plan
    const result = await run(lane)
    lanes.delete(name)
    ends.delete(name)
    options.settled(result)
    // Not sooner: a lane may still get to a step that needs one of an ended lane.
    if (lanes.size === 0) waiting.clear()
    return result.error
  }

  return {
    submit(work) {
      const opened: Lane[] = []
      for (const item of work) {
        if (hasEnded || item.plan.steps.length === 0 || lanes.has(item.plan.name)) continue
        const lane = openLane(item, options)
        waiting.add(lane)
        lanes.set(item.plan.name, lane)
        opened.push(lane)
      }
      for (const lane of opened) ends.set(lane.work.plan.name, carryOut(lane))
      return new Set(opened.map(lane => lane.work.plan.name))
    },
    isBusy: facility => lanes.has(facility),
    activity: facility => lanes.get(facility)?.activity(),
    abort(facility) {
      lanes.get(facility)?.giveUp('something newer is to be done about it')
    },
    end() {
      hasEnded = true
      for (const lane of lanes.values()) lane.giveUp('Reeve is ending')
    },
    settled: async facility => ends.get(facility),
    async idle() {
      while (ends.size > 0) await Promise.all(ends.values())
    },
  }
}
