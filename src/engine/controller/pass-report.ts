import type { Log } from '../../core/contracts/log.ts'
import { type FacilityStatus, isLeftAlone, type Status } from '../../core/contracts/status.ts'
import { findCondition } from '../../core/reconcile/conditions.ts'
import { messageOf } from '../../core/reeve-error.ts'
import { count } from '../../core/text/count-text.ts'
import type { Metrics } from '../../server/metrics.ts'
import type { ServiceManager } from '../../server/service-manager.ts'
import { createUnwritableLog } from '../execution/unwritable-log.ts'
import type { Session } from '../session/session.ts'
import { createConditionLog } from './condition-log.ts'
import type { PassResult } from './pass.ts'
import type { Reconciliation } from './reconciliation.ts'
import type { ServiceOutput } from './service-output.ts'

/** What the controller tells of its passes: to the log, the metrics and the service manager. */
export interface PassReport extends Disposable {
  /** `began`: by `Clock.elapsed`. */
  done(result: PassResult, began: number): Promise<void>
  failed(error: unknown, began: number): void
  /** By the last pass, everything is as declared. */
  isAtRest(): boolean
  /** A pass has been made. */
  isReady(): boolean
}

export interface PassReportOptions {
  readonly reconciliation: Reconciliation
  readonly metrics: Metrics | undefined
  readonly manager: ServiceManager
  readonly output: ServiceOutput | undefined
  readonly log: Log
}

export function createPassReport({ clock }: Pick<Session, 'clock'>, options: PassReportOptions): PassReport {
  const { reconciliation, metrics, manager, output, log } = options
  const troubles = createConditionLog(clock, log)
  const logUnwritable = createUnwritableLog(log)
  let isAtRest = false
  let isReady = false
  /** The log has said so since the last time that one wasn't. */
  let isAnnounced = false
  /** The status that the service manager was told last. */
  let told: string | undefined

  /** Once when everything has come to rest as declared: the line that people wait for. */
  function announce(facilities: readonly FacilityStatus[], isSettled: boolean): void {
    const kept = facilities.filter(status => !isLeftAlone(status))
    isAtRest = isSettled && kept.every(isResting)
    const all = isAtRest && kept.length > 0
    if (all && !isAnnounced) {
      const what = kept.length === 1 ? '1 facility is' : `all ${kept.length} facilities are`
      const others = facilities.length - kept.length
      const rest = others === 0 ? '' : `; ${count(others, 'other is', 'others are')} left alone`
      log.info({ facilities: kept.length }, `${what} as declared${rest}`)
    }
    isAnnounced = all
  }

  /** One line for `systemctl status`: says nothing that comes and goes. */
  async function tellManager({ facilities, mode }: Pick<Status, 'facilities' | 'mode'>): Promise<void> {
    const { size } = troubles
    const status = `${mode ? 'report mode: ' : ''}${count(facilities.length, 'facility', 'facilities')}${size === 0 ? '' : `, ${size} not as declared`}`
    if (told === status) return
    told = status
    if (isReady) return manager.tellStatus(status)
    isReady = true
    await manager.tellReady(status)
  }

  return {
    async done({ isSettled, set }, began) {
      const status = reconciliation.status()
      const { facilities, unwritable = [] } = status
      metrics?.setStatus(status)
      logUnwritable(unwritable)
      output?.follow(reconciliation.facilities(), facilities)
      troubles.note(facilities, reconciliation.digestOf)
      announce(facilities, isSettled)
      metrics?.setManifestErrors(set.diagnostics.filter(({ severity }) => severity === 'error').length)
      metrics?.recordPass('done', clock.elapsed() - began, clock.now())
      await tellManager(status)
    },
    failed(error, began) {
      isAtRest = false
      metrics?.recordPass('failed', clock.elapsed() - began, clock.now())
      const stack = error instanceof Error ? error.stack : undefined
      const message = `the pass failed: ${messageOf(error)}; it will be made again at the next resync or event`
      log.error({ error: messageOf(error), stack }, message)
    },
    isAtRest: () => isAtRest,
    isReady: () => isReady,
    [Symbol.dispose]: () => troubles[Symbol.dispose](),
  }
}

function isResting({ conditions }: FacilityStatus): boolean {
  const isReady = findCondition(conditions, 'Ready')?.status === 'True'
  return isReady && findCondition(conditions, 'Reconciling')?.status !== 'True'
}
