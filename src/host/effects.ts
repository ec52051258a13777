/**
 * Everything that Reeve can do to a host, and all it tells before and after doing it: a crash harness counts these and
 * kills the process there (E4).
 */
type EffectKind =
  | 'write-temporary' // a temporary dotfile with its content, owner and mode, synced
  | 'rename' // over the target
  | 'sync-directory'
  | 'append-file'
  | 'remove-file' // also of a temporary dotfile that a crash left behind
  | 'make-link'
  | 'link-file' // another name of the same file
  | 'write-pipe'
  | 'make-directory'
  | 'remove-directory'
  | 'run'
  | 'spawn'
  | 'kill'
  | 'request' // the line is sent, or the HTTP request answered
  | 'bus-call' // a D-Bus method call that isn't a declared query

export interface Effect {
  readonly kind: EffectKind
  /** A path, a command line, a pid. */
  readonly target: string
}

/** `after` only comes when it has been done, not when it failed. */
export type EffectListener = (effect: Effect, phase: 'before' | 'after') => void

/** Runs an effect between its `before` and `after`. */
export type Perform = <T>(kind: EffectKind, target: string, act: () => T) => T

export function createPerform(listener: EffectListener | undefined): Perform {
  if (!listener) return (_kind, _target, act) => act()
  return (kind, target, act) => {
    listener({ kind, target }, 'before')
    const result = act()
    // For a promise, `after` waits for it; the caller gets the promise that has reported it.
    if (!(result instanceof Promise)) {
      listener({ kind, target }, 'after')
      return result
    }
    return result.then(value => {
      listener({ kind, target }, 'after')
      return value
    }) as typeof result
  }
}
