import type { FSWatcher } from 'chokidar'
import type { ReadHost } from '../../core/contracts/host.ts'
import type { Log } from '../../core/contracts/log.ts'
import { messageOf } from '../../core/reeve-error.ts'
import type { Clock } from '../../host/clock.ts'
import { resolveSymlinks } from '../refresh/symlink-resolution.ts'

/** Times in ms: a write counts as finished `QUIET` after the last event, and `AT_MOST` after the first. */
const QUIET = 40
const AT_MOST = 400

export interface ManifestWatch {
  /** Called after each reading: moves the watch to where the path leads now. */
  follow(): void
  /** False: some manifests cannot be watched. */
  isComplete(): boolean
  close(): Promise<void>
}

/**
 * Hints that manifests may have changed. A watch is bound to an inode, can lose events, and can run out (ENOSPC): so it is
 * renewed when the path leads elsewhere, and the controller's resync is the guarantee.
 */
export async function watchManifests(
  directory: string,
  { host, clock, log }: { host: ReadHost; clock: Clock; log: Log },
  hint: () => void,
): Promise<ManifestWatch> {
  const { watch } = await import('chokidar')
  let watcher: FSWatcher | undefined
  let turns: Disposable[] = []
  let target: string | undefined
  /** The path itself has changed: it may lead to another inode, even one of the same number. */
  let isStale = false
  let quiet: Disposable | undefined
  let firstEvent: number | undefined
  let hasFailed = false
  let isClosed = false

  function onEvent(): void {
    if (isClosed) return
    const now = clock.elapsed()
    firstEvent ??= now
    quiet?.[Symbol.dispose]()
    quiet = clock.after(Math.min(QUIET, Math.max(0, firstEvent + AT_MOST - now)), () => {
      firstEvent = undefined
      hint()
    })
  }

  function onTurn(name: string | undefined, expected: string): void {
    if (name !== undefined && name !== expected) return
    isStale = true
    onEvent()
  }

  function onError(error: unknown): void {
    if (!hasFailed && !isClosed) {
      log.warn({ error: messageOf(error) }, 'cannot watch the manifests; polling every 30 s')
    }
    hasFailed = true
  }

  function arm(): void {
    disarm()
    isStale = false
    const path = resolveSymlinks(directory, host)
    target = path.target
    try {
      turns = path.turns.map(turn => host.watch(turn.directory, name => onTurn(name, turn.name)))
      if (target !== undefined) watcher = watchTree(target)
    } catch (error) {
      onError(error)
    }
  }

  function watchTree(root: string): FSWatcher {
    // Links inside are not followed: what may be read of their targets lies inside as well.
    const tree = watch(root, {
      followSymlinks: false,
      ignoreInitial: true,
      ignorePermissionErrors: true,
      ignored: isGit,
    })
    tree.on('all', onEvent)
    // Changes before the watch was complete have made no event.
    tree.on('ready', onEvent)
    tree.on('error', onError)
    return tree
  }

  function disarm(): void {
    for (const turn of turns) turn[Symbol.dispose]()
    turns = []
    void watcher?.close()
    watcher = undefined
  }

  arm()
  return {
    follow() {
      if (isClosed || (!isStale && resolveSymlinks(directory, host).target === target)) return
      arm()
      onEvent() // changes between the reading and the new watch would be missed
    },
    isComplete: () => !hasFailed,
    async close() {
      isClosed = true
      quiet?.[Symbol.dispose]()
      const closing = watcher?.close()
      disarm()
      await closing
    },
  }
}

/** Files of a Git checkout's own: many, always changing, and never read. */
function isGit(path: string): boolean {
  return path.endsWith('/.git') || path.includes('/.git/')
}
