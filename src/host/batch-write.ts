import { close, fsync, open, renameSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { promisify } from 'node:util'
import type { FileToWrite } from '../core/contracts/host.ts'
import { createTemporaryName, fillTemporary, isUnsyncable, removeQuietly, temporaryFlags } from './atomic-write.ts'
import type { Perform } from './effects.ts'
import { type OpenedDirectory, openDirectory } from './opened-directory.ts'

const openFile = promisify(open)
const syncFile = promisify(fsync)
const closeFile = promisify(close)

/**
 * Replaces files, each in one step as `writeFileAtomically` does, in the order they are given. All are synced side by side
 * first: a disk takes that many times as fast as one after the other.
 */
export async function writeBatch(
  files: readonly FileToWrite[],
  tidy: (directory: OpenedDirectory) => void,
  perform: Perform,
): Promise<void> {
  using directories = openDirectories(files)
  for (const directory of directories.all()) tidy(directory)
  const temporaries = files.map(file => {
    const directory = directories.of(file.path)
    return { file, directory, name: createTemporaryName(basename(file.path)) }
  })
  try {
    await forEach(temporaries, ({ file, directory, name }) =>
      perform('write-temporary', join(directory.path, name), () => writeSynced(directory.entry(name), file)),
    )
    for (const { file, directory, name } of temporaries) {
      perform('rename', file.path, () => renameSync(directory.entry(name), directory.entry(basename(file.path))))
    }
  } catch (error) {
    for (const { directory, name } of temporaries) removeQuietly(directory.entry(name))
    throw error
  }
  await forEach(directories.all(), directory =>
    perform('sync-directory', directory.path, () => syncDirectory(directory)),
  )
}

async function writeSynced(path: string, file: FileToWrite): Promise<void> {
  const fd = await openFile(path, temporaryFlags, 0o600)
  try {
    fillTemporary(fd, file.content, file)
    await syncFile(fd)
  } finally {
    await closeFile(fd)
  }
}

async function syncDirectory(directory: OpenedDirectory): Promise<void> {
  // The descriptor that we hold only names the place, and can't be synced.
  const fd = await openFile(directory.entry('.'), 'r')
  try {
    await syncFile(fd)
  } catch (error) {
    if (!isUnsyncable(error)) throw error
  } finally {
    await closeFile(fd)
  }
}

/**
 * Acts on all side by side and waits for all, also when one fails or isn't even begun: nothing may be under way any more when
 * what is left is taken away and the directories are closed.
 */
async function forEach<T>(items: readonly T[], act: (item: T) => Promise<void>): Promise<void> {
  const outcomes = await Promise.allSettled(items.map(async item => act(item)))
  const failed = outcomes.find(({ status }) => status === 'rejected')
  if (failed?.status === 'rejected') throw failed.reason
}

interface OpenedDirectories extends Disposable {
  all(): OpenedDirectory[]
  of(file: string): OpenedDirectory
}

function openDirectories(files: readonly FileToWrite[]): OpenedDirectories {
  const opened = new Map<string, OpenedDirectory>()
  const end = (): void => {
    for (const directory of opened.values()) directory[Symbol.dispose]()
  }
  const of = (file: string): OpenedDirectory => {
    const path = dirname(file)
    const directory = opened.get(path) ?? openDirectory(path)
    opened.set(path, directory)
    return directory
  }
  try {
    for (const { path } of files) of(path)
  } catch (error) {
    end()
    throw error
  }
  return { all: () => [...opened.values()], of, [Symbol.dispose]: end }
}
