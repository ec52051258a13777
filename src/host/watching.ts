import { type FSWatcher, readdirSync, statSync, watch } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { beat } from './common-beat.ts'

/** Polling interval in ms for changes that inotify doesn't report. */
const checkInterval = 2_000

/** `watch` of node:fs. */
export type OpenWatcher = (
  path: string,
  options: { readonly persistent: boolean },
  listener: (event: string, name: string | null) => void,
) => FSWatcher

/**
 * Calls `hint` when something in the directory may have changed, with the name where it is known. The directory may be
 * missing, be removed and made again, or be replaced: the watch follows the path, not the inode. Where the kernel gives
 * no watch (ENOSPC, a network file system), it looks every 2 s instead. Never throws, and doesn't keep the process alive.
 */
export function watchDirectory(
  directory: string,
  hint: (name?: string) => void,
  openWatcher: OpenWatcher = watch,
): Disposable {
  let watcher: FSWatcher | undefined
  /** What the watcher is bound to: the directory itself, or the nearest one above it that exists. */
  let watched = ''
  let identity = identityOf(directory)
  let polled: string | undefined
  let disposed = false

  function arm(): void {
    watcher?.close()
    watcher = undefined
    watched = findExisting(directory)
    polled = undefined
    try {
      watcher = openWatcher(watched, { persistent: false }, (_event, name) => notice(name ?? undefined))
      // The kernel's queue overflowed, or the directory can't be watched any more.
      watcher.on('error', startPolling)
    } catch {
      startPolling()
    }
    // It may have come while the one above it was being armed.
    if (watched !== directory && findExisting(directory) !== watched) arm()
  }

  function startPolling(): void {
    watcher?.close()
    watcher = undefined
    polled = signatureOf(directory)
  }

  function notice(name: string | undefined): void {
    if (disposed) return
    // Of a directory that is itself deleted, moved or changed, the kernel tells its own name. What was made in its place
    // may have got the same inode.
    if (watched !== directory) check()
    else if (name === undefined || name === basename(directory)) follow()
    else hint(name)
  }

  /** Binds the watch to what the path leads to now. What happened meanwhile is unknown. */
  function follow(): void {
    identity = identityOf(directory)
    arm()
    hint()
  }

  function check(): void {
    if (identityOf(directory) !== identity) follow()
    else if (watcher !== undefined && watched !== findExisting(directory)) arm()
  }

  function tick(): void {
    check()
    if (watcher !== undefined) return
    const before = polled
    polled = signatureOf(directory)
    if (before !== polled) hint()
  }

  arm()
  const ticks = beat(checkInterval, tick)
  return {
    [Symbol.dispose]() {
      disposed = true
      ticks[Symbol.dispose]()
      watcher?.close()
    },
  }
}

/** The path itself or the nearest one above it that is a directory. */
function findExisting(path: string): string {
  if (path === '/' || identityOf(path) !== undefined) return path
  return findExisting(dirname(path))
}

/** Of what the path leads to, if that is a directory; the time of birth, since inodes are used again. */
function identityOf(directory: string): string | undefined {
  try {
    const facts = statSync(directory, { throwIfNoEntry: false })
    return facts?.isDirectory() ? `${facts.dev}:${facts.ino}:${facts.birthtimeMs}` : undefined
  } catch {
    return undefined
  }
}

/** Changes when an entry comes, goes or is written: enough to hint by. */
function signatureOf(directory: string): string {
  try {
    return readdirSync(directory)
      .sort()
      .map(name => {
        const facts = statSync(join(directory, name), { throwIfNoEntry: false })
        return facts ? `${name}:${facts.ino}:${facts.size}:${facts.mtimeMs}` : name
      })
      .join('\n')
  } catch {
    return ''
  }
}
