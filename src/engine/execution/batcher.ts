import type { Action, ActionResult, Report } from '../../core/contracts/provider.ts'
import { ReeveError } from '../../core/reeve-error.ts'

/** `Applier.apply` of the named supervisor instance. */
export type Perform = (supervisor: string, actions: readonly Action[], report: Report) => Promise<void>

export interface Batcher {
  /** Never rejects: the result holds the error. */
  perform(supervisor: string, action: Action): Promise<ActionResult>
}

/** Hands actions that become due in the same turn of the event loop to their provider as one batch. */
export function createBatcher(perform: Perform): Batcher {
  const waiting = new Map<string, { action: Action; resolve: (result: ActionResult) => void }[]>()

  async function flush(supervisor: string): Promise<void> {
    const entries = waiting.get(supervisor) ?? []
    waiting.delete(supervisor)
    const pending = new Map(entries.map(entry => [entry.action.id, entry.resolve]))
    const report: Report = result => {
      pending.get(result.id)?.(result)
      pending.delete(result.id)
    }
    let problem = new ReeveError('internal', `the provider of supervisor ${supervisor} said nothing of the outcome`)
    try {
      await perform(
        supervisor,
        entries.map(entry => entry.action),
        report,
      )
    } catch (cause) {
      problem = cause instanceof ReeveError ? cause : new ReeveError('failed', String(cause), { cause })
    }
    for (const id of [...pending.keys()]) report({ id, ok: false, error: problem })
  }

  return {
    perform(supervisor, action) {
      return new Promise(resolve => {
        const entry = { action, resolve }
        const queue = waiting.get(supervisor)
        if (queue) {
          queue.push(entry)
          return
        }
        waiting.set(supervisor, [entry])
        setImmediate(() => void flush(supervisor))
      })
    },
  }
}
