import pLimit from 'p-limit'
import { type ApplyOutcome, emptyOutcome } from '../../core/contracts/apply-outcome.ts'
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

/** What a pass has seen. */
export interface PassView {
  readonly plan: Plan
  readonly refresh: Refresh
  readonly set: ManifestSet
}

/** A full pass that somebody asks for, on which what is held back otherwise (backoff, removals that may settle) has no bearing. */
export interface AskedPass {
  /** For the history. */
  readonly trigger: string
  /** Removes these, or all that is owned; absent: brings about what is declared. */
  readonly removal?: readonly string[]
  readonly listener: EngineListener
  /** Whether the plan is to be carried out. Throws what keeps it from that: then nothing is begun. */
  admit(view: PassView): boolean
}

export interface AskedResult extends PassView {
  /** The lanes that were begun, by facility, each with what it failed by in the end. */
  readonly lanes: ReadonlyMap<string, Promise<Error | undefined>>
  /** Of the others that are busy now. */
  readonly underWay: readonly FacilityPlan[]
}

export interface PassGround {
  readonly session: Session
  readonly executor: Executor
  readonly tracker: HealthTracker
  /** Aborted when the controller ends. */
  readonly ending: AbortSignal
  begun(): Promise<void>
  /** Until it is disposed of, the controller's own passes begin nothing. */
  holdBack(): Disposable
  /** Gives up what the controller's own passes have begun, and names the facilities. */
  giveUp(): readonly string[]
  pass(asked: AskedPass): Promise<AskedResult>
  isDeclared(facility: string): boolean
  outputGround(): OutputGround
  /** The controller goes on with a pass of its own. */
  wake(): void
}

/**
 * Whole passes that people ask a running controller for: what `reeve apply` and `reeve down` would do without it, with the
 * same outcome. One after another. Who has gone before a step was begun gets nothing done; what was begun goes on.
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

  /** Nothing is under way when it looks, so that it is planned as if no controller ran. */
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
    session.log.info({ allowRemovals }, 'apply was asked for over the control socket')
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
      const evaluated = evaluateOutcome(done, { ...after, lookedAt }, after.underWay)
      return withLastOutput(evaluated, after.refresh, ground.outputGround())
    } finally {
      ground.wake()
    }
  }

  /** Throws ReeveError `refused` for what the controller would bring back. */
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
    session.log.info({ facilities: names }, 'down was asked for over the control socket')
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

async function failuresOf({ plan, lanes }: AskedResult): Promise<ApplyOutcome['failed']> {
  const failed: { facility: string; message: string }[] = []
  for (const { name, steps } of plan.facilities) {
    if (steps.length === 0) continue
    const lane = lanes.get(name)
    const message = lane ? (await lane)?.message : notBegun
    if (message !== undefined) failed.push({ facility: name, message })
  }
  return failed
}

const notBegun =
  "not begun: the facility is busy, or the state directory cannot be written (see the controller's log); try again"
