import type { CommandIo } from './command-io.ts'

export interface Interruption extends Disposable {
  /** Aborted at the first SIGINT or SIGTERM. */
  readonly signal: AbortSignal
}

/** The first SIGINT or SIGTERM asks for a clean end and calls `onFirst`; the second ends the process at once. */
export function listenForInterruption(io: CommandIo, onFirst: (signal: string) => void): Interruption {
  const controller = new AbortController()
  const registration = io.onSignal(signal => {
    if (controller.signal.aborted) return io.exit(1)
    onFirst(signal)
    controller.abort()
  })
  return {
    signal: controller.signal,
    [Symbol.dispose]: () => registration[Symbol.dispose](),
  }
}
