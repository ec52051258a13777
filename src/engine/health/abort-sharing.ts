/**
 * Lets many wait for the same signal with one listener: an AbortSignal goes through all of its listeners for each that
 * comes or goes, which for thousands takes longer than what they wait for.
 */
export interface AbortSharing {
  /** Calls `onAbort` when the signal is aborted, unless disposed of before. The signal must not be aborted yet. */
  listen(signal: AbortSignal, onAbort: () => void): Disposable
}

interface Share {
  readonly waiting: Set<() => void>
  readonly onAbort: () => void
}

export function createAbortSharing(): AbortSharing {
  const shares = new Map<AbortSignal, Share>()

  function open(signal: AbortSignal): Share {
    const waiting = new Set<() => void>()
    const onAbort = (): void => {
      for (const tell of [...waiting]) tell()
    }
    const share: Share = { waiting, onAbort }
    signal.addEventListener('abort', onAbort, { once: true })
    shares.set(signal, share)
    return share
  }

  return {
    listen(signal, onAbort) {
      const share = shares.get(signal) ?? open(signal)
      // Its own, so that one who listens twice is told twice.
      const tell = (): void => onAbort()
      share.waiting.add(tell)
      return {
        [Symbol.dispose]() {
          share.waiting.delete(tell)
          if (share.waiting.size > 0 || shares.get(signal) !== share) return
          signal.removeEventListener('abort', share.onAbort)
          shares.delete(signal)
        },
      }
    },
  }
}
