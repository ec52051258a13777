import type { Clock } from '../../host/clock.ts'

/** What the next pass has to read and observe. */
export interface Due {
  /** Read the manifests again. */
  readonly manifests: boolean
  /** Observe everything. */
  readonly full: boolean
  /** Otherwise, observe these facilities only. */
  readonly facilities: ReadonlySet<string>
}

/**
 * Queue of hints, of which several make one pass. Lost, doubled or reordered hints do no harm: a hint only says that a pass is due,
 * and the pass observes for itself (E1).
 */
export interface ReconcileQueue {
  manifests(): void
  full(): void
  facility(name: string): void
  /** Resolves when something is due. Rejects with the signal's reason. */
  next(signal: AbortSignal): Promise<Due>
}

/** Time in ms for which hints are collected into one pass. */
const GATHERING = 5

export function createReconcileQueue(clock: Clock): ReconcileQueue {
  let manifests = false
  let full = false
  let facilities = new Set<string>()
  let wake: (() => void) | undefined

  async function sleepTillHint(signal: AbortSignal): Promise<void> {
    if (manifests || full || facilities.size > 0) return
    await new Promise<void>((resolve, reject) => {
      const onAbort = (): void => reject(signal.reason)
      signal.addEventListener('abort', onAbort, { once: true })
      wake = () => {
        signal.removeEventListener('abort', onAbort)
        resolve()
      }
    })
  }

  return {
    manifests() {
      manifests = true
      full = true
      wake?.()
    },
    full() {
      full = true
      wake?.()
    },
    facility(name) {
      facilities.add(name)
      wake?.()
    },
    async next(signal) {
      signal.throwIfAborted()
      await sleepTillHint(signal)
      wake = undefined
      await clock.sleep(GATHERING, signal)
      const due: Due = { manifests, full, facilities }
      manifests = false
      full = false
      facilities = new Set()
      return due
    },
  }
}
