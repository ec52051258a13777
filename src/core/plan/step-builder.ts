import { type Location, locationKey } from '../state/snapshot.ts'
import type { Reason } from './reason.ts'
import type { KeptFile, Step } from './step.ts'
import type { Verb } from './verb.ts'

/** The steps of one facility, each needing the one before: the order that a crash at any point leaves repairable. */
export interface StepBuilder {
  readonly steps: readonly Step[]
  /** Files that are let go of without being removed. */
  readonly kept: readonly KeptFile[]
  keep(file: KeptFile): void
  /** Files that can't be put back later. */
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

/** Whether the service comes up by this step. One that runs and only lacks its supervisor is up already. */
export function bringsUp(step: Step): boolean {
  return (
    step.target === undefined && step.reason !== 'unsupervised' && (step.verb === 'start' || step.verb === 'restart')
  )
}

/** The step after which the facility's service runs with what is declared, if the plan has one. */
export function findStart(steps: readonly Step[]): Step | undefined {
  return steps.find(bringsUp)
}

/** For the plan, which has none where nothing is kept. */
export function keptFiles({ kept, unkept }: StepBuilder): {
  readonly kept?: readonly KeptFile[]
  readonly unkept?: readonly KeptFile[]
} {
  return { ...(kept.length > 0 && { kept }), ...(unkept.length > 0 && { unkept }) }
}

/**
 * Of these steps, those that end the service for good or keep it from starting at boot. They are taken whatever is in the way of
 * the others: else who could put something in their way would decide what runs.
 */
export function endingSteps(steps: readonly Step[]): Step[] {
  const isEnd = findStart(steps) === undefined
  // What is stopped to be had elsewhere isn't to end.
  const ending = steps.filter(
    ({ verb, reason }) => verb === 'disable' || (verb === 'stop' && isEnd && reason !== 'moved'),
  )
  return ending.map((step, index) => ({ ...step, needs: ending.slice(index - 1, index).map(({ id }) => id) }))
}
