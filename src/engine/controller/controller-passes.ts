import pLimit from 'p-limit'
import { type ApplyOutcome, emptyOutcome, type Undone } from '../../core/contracts/apply-outcome.ts'
import type { Control, PassWays, PassWish } from '../../core/contracts/control.ts'
import type { EngineListener } from '../../core/contracts/engine-event.ts'
import type { FacilityPlan, Plan } from '../../core/plan/step.ts'
import { ReeveError } from '../../core/reeve-error.ts'
import { abortable } from '../../host/abortable.ts'
import type { ManifestSet } from '../../manifest/manifest-set.ts'
import { expectIntended } from '../execution/apply.ts'
import { expectOwned } from '../execution/down.ts'
import type { Executor } from '../execution/executor.ts'
import { awaitReadiness, findExpected } from '../execution/expected-readiness.ts'
import { type OutputGround, withLastOutput } from '../execution/last-output.ts'
import { evaluateOutcome, findUndone, reportedIn, withTroubles } from '../execution/outcome.ts'
import { countSteps } from '../execution/step-count.ts'
import type { HealthTracker } from '../health/health-tracker.ts'
import { findSuspended } from '../refresh/plan-run.ts'
import type { Refresh } from '../refresh/refresh.ts'
import type { Session } from '../session/session.ts'
import { expectSameSettings } from '../session/settings.ts'

/** What a pass found and planned. */
export interface PassView {
  readonly plan: Plan
  readonly refresh: Refresh
  readonly set: ManifestSet
}

/** A full pass that somebody requested: neither a backoff nor the prune delay holds it back. */
export interface AskedPass {
  /** For the history. */
  readonly trigger: string
  /** Removes the named facilities, or all that are owned. Absent: applies the manifests. */
  readonly removal?: readonly string[]
  readonly listener: EngineListener
  /** Whether to carry out the plan. Throws what forbids it: then no lane begins. */
  admit(view: PassView): boolean
}

export interface AskedResult extends PassView {
  /** Lanes that began, by facility, each with the error it ends with. */
  readonly lanes: ReadonlyMap<string, Promise<Error | undefined>>
  /** Plans of the other facilities that are busy now. */
  readonly underWay: readonly FacilityPlan[]
  /** Facilities whose turn in the roll-out it isn't yet. */
  readonly later: ReadonlySet<string>
}

export interface PassGround {
  readonly session: Session
  readonly executor: Executor
  readonly tracker: HealthTracker
  /** Aborted when the controller ends. */
  readonly ending: AbortSignal
  begun(): Promise<void>
  /** Keeps the controller's own passes from beginning lanes until it is disposed of. */
  holdBack(): Disposable
  /** Aborts the lanes of the controller's own passes, and names their facilities. */
  giveUp(): readonly string[]
  pass(asked: AskedPass): Promise<AskedResult>
  isDeclared(facility: string): boolean
  outputGround(): OutputGround
  /** Has the controller make a pass of its own. */
  wake(): void
}

/**
 * Passes that clients request from a running controller, one after another: they do what `reeve apply` and `reeve down` do without
 * one, with the same outcome. A request whose client disconnects before the first step is dropped; steps that began continue.
 */
export function createControllerPasses(ground: PassGround): Pick<Control, 'apply' | 'planDown' | 'down'> {
  const { session, executor, tracker } = ground
  const inTurn = pLimit(1)

  async function ask<T>(ways: Pick<PassWays, 'settings' | 'signal'>, task: () => Promise<T>): Promise<T> {
    if (ways.settings) expectSameSettings(ways.settings, session)
    const run = async (): Promise<T> => {
      await ground.begun()
      ways.signal.throwIfAborted()
      return task()
    }
    return abortable(abortable(inTurn(run), ways.signal), ground.ending)
  }

  /** Waits until nothing is under way, so that the plan is the one that would be made without a controller. */
  async function carryOut(asked: AskedPass, { signal, listener }: PassWays): Promise<AskedResult> {
    using _held = ground.holdBack()
    for (const facility of ground.giveUp()) {
      listener({ type: 'waiting', facility, until: 'what the controller does about it to end' })
    }
    await abortable(executor.idle(), signal)
    return ground.pass(asked)
  }

  async function apply(wish: PassWish, ways: PassWays): Promise<ApplyOutcome> {
    const { allowRemovals } = wish
    session.log.info({ allowRemovals }, 'apply requested over the control socket')
    const counted = countSteps(ways.listener)
    const asked: AskedPass = {
      trigger: 'apply',
      listener: counted.listener,
      admit(view) {
        ways.signal.throwIfAborted()
        if (!view.set.complete) return false // E10: an invalid file, and nothing is changed
        expectIntended(view, session, wish)
        return true
      },
    }
    try {
      const result = await carryOut(asked, ways)
      const { plan, set } = result
      if (!set.complete) return emptyOutcome(plan)
      const failed = await failuresOf(result)
      ways.signal.throwIfAborted()
      const expected = findExpected(result, new Set(failed.map(({ facility }) => facility))).filter(
        ({ name, steps }) => steps.length > 0 || !tracker.readiness(name).ready,
      )
      const notReady = await awaitReadiness(expected, tracker, ways)
      const suspended = findSuspended(result)
      const done = { plan, failed, notReady, undone: [], stepsDone: counted.done(), suspended }
      if (result.lanes.size === 0 && expected.length === 0) {
        return withLastOutput(withTroubles(done, plan.troubles ?? []), result.refresh, ground.outputGround())
      }
      const lookedAt = session.clock.now()
      const after = await ground.pass({ ...asked, admit: () => false })
      const { undone, ...evaluated } = evaluateOutcome(done, { ...after, lookedAt }, after.underWay)
      const isOver = ({ facility }: Undone): boolean => !result.later.has(facility)
      return withLastOutput({ ...evaluated, undone: undone.filter(isOver) }, after.refresh, ground.outputGround())
    } finally {
      ground.wake()
    }
  }

  /** Throws ReeveError `refused` if the controller would restore one of them. */
  function expectUndeclared({ plan }: PassView): void {
    const declared = plan.facilities.flatMap(({ name }) => (ground.isDeclared(name) ? name : []))
    if (declared.length === 0) return
    throw new ReeveError(
      'refused',
      `the controller would bring ${declared.join(', ')} back at its next pass, as the manifests in ${session.directory} declare so. ` +
        'Take them out of there, and the controller removes them; or stop the controller, and run reeve down then. ' +
        `To have one stopped only: reeve stop ${declared[0]} --suspend`,
    )
  }

  async function planDown(names: readonly string[]): Promise<Plan> {
    const view = await ground.pass({ trigger: 'down', removal: names, listener() {}, admit: () => false })
    expectUndeclared(view)
    return view.plan
  }

  async function down(names: readonly string[], ways: PassWays): Promise<ApplyOutcome> {
    session.log.info({ facilities: names }, 'down requested over the control socket')
    const counted = countSteps(ways.listener)
    const asked: AskedPass = {
      trigger: 'down',
      removal: names,
      listener: counted.listener,
      admit(view) {
        ways.signal.throwIfAborted()
        expectOwned(names, view.plan)
        expectUndeclared(view)
        return true
      },
    }
    try {
      const result = await carryOut(asked, ways)
      const failed = await failuresOf(result)
      const outcome = { ...emptyOutcome(result.plan), failed, stepsDone: counted.done() }
      const after = await ground.pass({ ...asked, admit: () => false })
      return { ...outcome, undone: findUndone(result.plan, after.plan.facilities, reportedIn(outcome)) }
    } finally {
      ground.wake()
    }
  }

  return {
    apply: (wish, ways) => ask(ways, () => apply(wish, ways)),
    planDown: (names, settings) => ask({ signal: ground.ending, ...(settings && { settings }) }, () => planDown(names)),
    down: (names, ways) => ask(ways, () => down(names, ways)),
  }
}

async function failuresOf({ plan, lanes, later }: AskedResult): Promise<ApplyOutcome['failed']> {
  const failed: { facility: string; message: string }[] = []
  for (const { name, steps } of plan.facilities) {
    if (steps.length === 0 || later.has(name)) continue
    const lane = lanes.get(name)
    const message = lane ? (await lane)?.message : notBegun
    if (message !== undefined) failed.push({ facility: name, message })
  }
  return failed
}

const notBegun =
  "not begun: the facility is busy, or the state directory cannot be written (see the controller's log); try again"
