import { type Location, locationKey } from '../state/snapshot.ts'
import type { Reason } from './reason.ts'
import type { KeptFile, Step } from './step.ts'
import type { Verb } from './verb.ts'

/** Builder of one facility's steps, each of which needs the one before: after a crash at any point, a new plan can go on. */
export interface StepBuilder {
  readonly steps: readonly Step[]
  /** Files that are released without being removed. */
  readonly kept: readonly KeptFile[]
  keep(file: KeptFile): void
  /** Files that cannot be restored later. */
  readonly unkept: readonly KeptFile[]
  noteUnkept(file: KeptFile): void
  add(verb: Verb, reason: Reason, detail?: { path?: string; target?: Location; diff?: string }): void
}

export function createStepBuilder(facility: string): StepBuilder {
  const steps: Step[] = []
  const kept: KeptFile[] = []
  const unkept: KeptFile[] = []
  return {
    steps,
    kept,
    keep: file => kept.push(file),
    unkept,
    noteUnkept: file => unkept.push(file),
    add(verb, reason, { path, target, diff } = {}) {
      const subject = path === undefined ? '' : `:${path}`
      const elsewhere = target === undefined ? '' : `@${locationKey(target)}`
      const previous = steps.at(-1)
      steps.push({
        id: `${facility}/${verb}${subject}${elsewhere}`,
        verb,
        reason,
        needs: previous ? [previous.id] : [],
        ...(path === undefined ? {} : { path }),
        ...(target === undefined ? {} : { target: { supervisor: target.supervisor, service: target.service } }),
        ...(diff ? { diff } : {}),
      })
    },
  }
}

/** Whether the step starts the service. A service that runs unsupervised is up already. */
export function bringsUp(step: Step): boolean {
  return (
    step.target === undefined && step.reason !== 'unsupervised' && (step.verb === 'start' || step.verb === 'restart')
  )
}

/** Step that starts the service as declared, if there is one. */
export function findStart(steps: readonly Step[]): Step | undefined {
  return steps.find(bringsUp)
}

/** `kept` and `unkept` of a plan; absent if empty. */
export function keptFiles({ kept, unkept }: StepBuilder): {
  readonly kept?: readonly KeptFile[]
  readonly unkept?: readonly KeptFile[]
} {
  return { ...(kept.length > 0 && { kept }), ...(unkept.length > 0 && { unkept }) }
}

/**
 * Steps that stop the service for good or disable it. They are taken even if the others are blocked: else anybody who can block
 * them would decide what runs.
 */
export function endingSteps(steps: readonly Step[]): Step[] {
  const isEnd = findStart(steps) === undefined
  // The stop of a move isn't for good.
  const ending = steps.filter(
    ({ verb, reason }) => verb === 'disable' || (verb === 'stop' && isEnd && reason !== 'moved'),
  )
  return chainSteps(ending)
}

/** Each of the steps needs the one before, and nothing else. */
export function chainSteps(steps: readonly Step[]): Step[] {
  return steps.map((step, index) => ({ ...step, needs: steps.slice(index - 1, index).map(({ id }) => id) }))
}
