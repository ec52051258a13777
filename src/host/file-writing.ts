import { chmodSync, closeSync, lstatSync, mkdirSync, renameSync, rmdirSync, symlinkSync, unlinkSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import type { WriteHost } from '../core/contracts/host.ts'
import { removeLeftovers, writeAll, writeFileAtomically } from './atomic-write.ts'
import { writeBatch } from './batch-write.ts'
import { openOutput } from './detached-process.ts'
import type { Perform } from './effects.ts'
import { createFailure, errnoOf, isAbsence } from './failure.ts'
import { readLinkTarget } from './file-reading.ts'
import { reuseFiles } from './file-reuse.ts'
import { type OpenedDirectory, openDirectory } from './opened-directory.ts'

/** The part of `WriteHost` that changes files; see there. */
export type FileWriting = Pick<
  WriteHost,
  | 'writeFile'
  | 'writeFiles'
  | 'reuseFiles'
  | 'appendFile'
  | 'moveFile'
  | 'makeLink'
  | 'makeDirectory'
  | 'removeFile'
  | 'removeDirectory'
>

export function createFileWriting(perform: Perform): FileWriting {
  const tidy = createTidy(perform)
  return {
    writeFile: (path, content, options) =>
      attempt(`write ${path}`, path, () => {
        using directory = openDirectory(dirname(path))
        tidy(directory)
        writeFileAtomically(directory, basename(path), content, options, perform)
      }),
    async writeFiles(files) {
      try {
        await writeBatch(files, tidy, perform)
      } catch (error) {
        const [first = { path: '' }] = files
        throw createFailure(`write ${first.path} and ${files.length - 1} more`, error, first)
      }
    },
    reuseFiles(from, files) {
      try {
        return reuseFiles(from, files, perform)
      } catch (error) {
        throw createFailure(`link files of ${from}`, error, { path: from })
      }
    },
    appendFile: (path, content, { mode }) =>
      attempt(`append to ${path}`, path, () => perform('append-file', path, () => append(path, content, mode))),
    moveFile: (from, to) => attempt(`move ${from} to ${to}`, to, () => moveFile(from, to, perform)),
    makeLink: (path, target) => attempt(`make the symlink ${path}`, path, () => makeLink(path, target, perform)),
    makeDirectory: (path, { mode }) =>
      attempt(`make the directory ${path}`, path, () => makeDirectory(path, mode, perform)),
    removeFile: path =>
      attempt(`remove ${path}`, path, () =>
        inParent(path, (directory, entry) => {
          tidy(directory)
          perform('remove-file', path, () => removeEntry(entry, unlinkSync))
        }),
      ),
    removeDirectory: path => attempt(`remove ${path}`, path, () => removeDirectory(path, perform)),
  }
}

function attempt(task: string, path: string, act: () => void): void {
  try {
    act()
  } catch (error) {
    throw createFailure(task, error, { path })
  }
}

/** Searches each directory once for leftovers of other processes; this one removes its own. */
function createTidy(perform: Perform): (directory: OpenedDirectory) => void {
  const tidied = new Set<string>()
  return directory => {
    if (tidied.has(directory.path)) return
    tidied.add(directory.path)
    removeLeftovers(directory, perform)
  }
}

function append(path: string, content: Uint8Array | string, mode: number): void {
  const fd = openOutput(path, mode)
  try {
    writeAll(fd, typeof content === 'string' ? Buffer.from(content) : content)
  } finally {
    closeSync(fd)
  }
}

function moveFile(from: string, to: string, perform: Perform): void {
  using source = openDirectory(dirname(from))
  using target = openDirectory(dirname(to))
  perform('rename', to, () => renameSync(source.entry(basename(from)), target.entry(basename(to))))
}

function makeLink(path: string, target: string, perform: Perform): void {
  using directory = openDirectory(dirname(path))
  const entry = directory.entry(basename(path))
  if (readLinkTarget(entry) === target) return
  perform('make-link', path, () => symlinkSync(target, entry))
}

function makeDirectory(path: string, mode: number, perform: Perform): void {
  const create = (anchored: string, here: string): void => {
    const isParent = here !== path
    perform('make-directory', here, () => makeEntry(anchored, isParent ? 0o755 : mode, isParent))
  }
  openDirectory(path, { create })[Symbol.dispose]()
}

function makeEntry(path: string, mode: number, isParent: boolean): void {
  try {
    mkdirSync(path, { mode })
    // The process's umask has taken its part of the mode; for parents that is as wanted.
    if (!isParent) chmodSync(path, mode)
  } catch (error) {
    // Another process created it first.
    if (errnoOf(error) !== 'EEXIST') throw error
  }
}

function removeDirectory(path: string, perform: Perform): void {
  try {
    inParent(path, (_directory, entry) => {
      removeLeftoversIn(path, perform)
      perform('remove-directory', path, () => removeEntry(entry, rmdirSync))
    })
  } catch (error) {
    if (errnoOf(error) !== 'ENOTEMPTY') throw error
  }
}

function removeLeftoversIn(path: string, perform: Perform): void {
  using directory = openDirectory(path)
  removeLeftovers(directory, perform)
}

/** A missing file counts as removed; a read-only file system reports EROFS even then. */
function removeEntry(entry: string, remove: (entry: string) => void): void {
  try {
    remove(entry)
  } catch (error) {
    if (lstatSync(entry, { throwIfNoEntry: false })) throw error
  }
}

/** Does nothing if the entry, or its directory, isn't there. */
function inParent(path: string, act: (directory: OpenedDirectory, entry: string) => void): void {
  try {
    using directory = openDirectory(dirname(path))
    act(directory, directory.entry(basename(path)))
  } catch (error) {
    if (!isAbsence(error)) throw error
  }
}
