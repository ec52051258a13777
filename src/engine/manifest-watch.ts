import { dirname } from 'node:path'
import type { FSWatcher } from 'chokidar'
import type { Log } from '../core/log.ts'
import type { ReadHost } from '../core/provider.ts'
import { messageOf } from '../core/reeve-error.ts'
import type { Clock } from '../host/clock.ts'

/** So long after the last event (ms) a write counts as finished; so long after the first it is read all the same. */
const QUIET = 40
const AT_MOST = 400

export interface ManifestWatch {
  /** To be called after each reading: if the link leads elsewhere now, the watch moves along. */
  follow(): void
  close(): Promise<void>
}

/**
 * Hints that manifests may have changed. A watch is bound to what a symlink led to when it was set, can lose events,
 * and can run out (ENOSPC): so it is renewed when the target changes, and the controller's rescan is the guarantee.
 */
export async function watchManifests(
  directory: string,
  { host, clock, log }: { host: ReadHost; clock: Clock; log: Log },
  hint: () => void,
): Promise<ManifestWatch> {
  const { watch } = await import('chokidar')
  let watcher: FSWatcher | undefined
  let target: string | undefined
  let quiet: Disposable | undefined
  let firstEvent: number | undefined
  let failed = false

  function onEvent(): void {
    const now = clock.now()
    firstEvent ??= now
    quiet?.[Symbol.dispose]()
    quiet = clock.after(Math.min(QUIET, Math.max(0, firstEvent + AT_MOST - now)), () => {
      firstEvent = undefined
      hint()
    })
  }

  function onError(error: unknown): void {
    if (!failed)
      log.warn({ error: messageOf(error) }, 'manifests can not be watched; they are read at every resync instead')
    failed = true
  }

  function arm(): void {
    target = host.realPath(directory)
    // The directory's own name is watched through its parent: there a swapped symlink or a new directory shows.
    const own = host.watch(dirname(directory), name => {
      if (name !== undefined && !directory.endsWith(`/${name}`)) return
      onEvent()
    })
    parent?.[Symbol.dispose]()
    parent = own
    if (target === undefined) return
    watcher = watch(target, { ignoreInitial: true, followSymlinks: true, ignorePermissionErrors: true })
    watcher.on('all', onEvent)
    watcher.on('error', onError)
  }

  let parent: Disposable | undefined
  arm()
  return {
    follow() {
      if (host.realPath(directory) === target) return
      void watcher?.close()
      watcher = undefined
      arm()
      onEvent() // what changed between the reading and the new watch would be missed
    },
    async close() {
      quiet?.[Symbol.dispose]()
      parent?.[Symbol.dispose]()
      await watcher?.close()
    },
  }
}
