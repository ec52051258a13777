import type { EngineListener } from '../../core/contracts/engine-event.ts'

/** Listener that counts steps that were done, and passes every event on. */
export function countSteps(listener: EngineListener): { readonly listener: EngineListener; done(): number } {
  let count = 0
  return {
    listener(event) {
      if (event.type === 'step-finished' && event.result === 'done') count += 1
      listener(event)
    },
    done: () => count,
  }
}
