import { LASTING_TROUBLE, type Readiness, RUN_FAILED } from '../state/readiness.ts'
import { STALLED_AFTER } from './backoff.ts'

/**
 * As Kubernetes and Flux have them. Ready: as declared. Reconciling: work is under way. Stalled: it can't go on by itself.
 * CrashLooping: the service ends soon after each start. Undone: what was brought about is undone over and over, by others than
 * Reeve, and brought about again; told while it is so.
 */
export interface Condition {
  readonly type: 'Ready' | 'Reconciling' | 'Stalled' | 'CrashLooping' | 'Undone'
  readonly status: 'True' | 'False' | 'Unknown'
  /** CamelCase, for programs. */
  readonly reason: string
  /** For people. Holds no counts or times that change while the condition doesn't, so that equal means unchanged. */
  readonly message: string
  /** ISO 8601: when `status` last changed. */
  readonly since: string
}

export interface ConditionInput {
  readonly readiness: Readiness
  readonly blocked?: string
  readonly suspended: boolean
  /** Current activity, in words. */
  readonly underWay?: string
  /** Planned work that isn't under way. */
  readonly pending?: string
  /** Failures in a row of Reeve's own steps, and the last error's message. */
  readonly failures: number
  readonly lastError?: string
  /** True: the failures are steps that facilities undo for each other. */
  readonly isUndone?: boolean
  /** How others keep undoing the applied state. */
  readonly undone?: string
}

/** The conditions of a facility; `since` is kept from `before` where the status is the same. */
export function conditionsOf(input: ConditionInput, before: readonly Condition[], now: string): Condition[] {
  const { readiness } = input
  const found = [ready(input, readiness), reconciling(input), stalled(input), crashLooping(input), ...undone(input)]
  return found.map(condition => {
    const previous = findCondition(before, condition.type)
    return { ...condition, since: previous?.status === condition.status ? previous.since : now }
  })
}

export function findCondition(conditions: readonly Condition[], type: Condition['type']): Condition | undefined {
  return conditions.find(condition => condition.type === type)
}

type Undated = Omit<Condition, 'since'>

function ready(input: ConditionInput, readiness: Readiness): Undated {
  if (input.blocked !== undefined) return { type: 'Ready', status: 'False', reason: 'Blocked', message: input.blocked }
  const status = readiness.ready ? 'True' : readiness.reason === 'Unknown' ? 'Unknown' : 'False'
  return { type: 'Ready', status, reason: readiness.reason, message: readiness.message }
}

function reconciling(input: ConditionInput): Undated {
  if (input.suspended) {
    const pending = input.pending === undefined ? '' : `; ${input.pending}`
    const message = `suspended; observed only until resumed${pending}`
    return { type: 'Reconciling', status: 'False', reason: 'Suspended', message }
  }
  if (input.underWay !== undefined) {
    return { type: 'Reconciling', status: 'True', reason: 'UnderWay', message: input.underWay }
  }
  if (input.failures > 0) {
    return {
      type: 'Reconciling',
      status: 'True',
      reason: 'Retrying',
      message: input.lastError ?? 'the last try failed',
    }
  }
  if (input.blocked !== undefined) {
    return { type: 'Reconciling', status: 'False', reason: 'Blocked', message: 'nothing is done while it is blocked' }
  }
  if (input.pending !== undefined) {
    return { type: 'Reconciling', status: 'False', reason: 'OutOfSync', message: input.pending }
  }
  const { ready, reason } = input.readiness
  // Nothing is planned, yet the state differs from the declared one: these must not look alike.
  if (!ready) return { type: 'Reconciling', status: 'False', reason, message: idleText(reason) }
  return { type: 'Reconciling', status: 'False', reason: 'AsDeclared', message: 'nothing to do' }
}

function idleText(reason: string): string {
  if (reason === 'CrashLooping') return 'its supervisor starts it again; reeve apply has it begin at once'
  if (reason === 'FailedForGood') return 'nobody starts it again; reeve start does'
  if (reason === RUN_FAILED) return 'the next run may go better; reeve start has it run now'
  if (reason === 'Unknown') return 'nothing is done while its state is unknown'
  if (reason === 'Undeclared') return 'nothing is done about what no manifest declares'
  return 'waiting for it to become ready'
}

function stalled(input: ConditionInput): Undated {
  if (input.blocked !== undefined) return { type: 'Stalled', status: 'True', reason: 'Blocked', message: input.blocked }
  if (input.failures >= STALLED_AFTER) {
    const reason = input.isUndone ? 'Undone' : 'Failing'
    return { type: 'Stalled', status: 'True', reason, message: input.lastError ?? 'it keeps failing' }
  }
  const { reason, message } = input.readiness
  if (LASTING_TROUBLE.has(reason)) return { type: 'Stalled', status: 'True', reason, message }
  return { type: 'Stalled', status: 'False', reason: 'Progressing', message: '' }
}

function crashLooping({ readiness }: ConditionInput): Undated {
  const { reason, message } = readiness
  if (reason === 'CrashLooping') return { type: 'CrashLooping', status: 'True', reason, message }
  const status = reason === 'Unknown' ? 'Unknown' : 'False'
  return { type: 'CrashLooping', status, reason: reason === 'Unknown' ? 'Unknown' : 'Stable', message: '' }
}

function undone({ undone: message }: ConditionInput): Undated[] {
  return message === undefined ? [] : [{ type: 'Undone', status: 'True', reason: 'ByOthers', message }]
}
