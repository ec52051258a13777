import { closeSync, constants, fstatSync, linkSync, openSync, readFileSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import type { FileToWrite } from '../core/contracts/host.ts'
import type { Perform } from './effects.ts'
import { errnoOf, isAbsence } from './failure.ts'
import { type OpenedDirectory, openDirectory } from './opened-directory.ts'

/** The file system has no hard links, or this file has as many as it can. */
const unlinkable: ReadonlySet<string | undefined> = new Set(['EPERM', 'EXDEV', 'EMLINK', 'ENOTSUP', 'EOPNOTSUPP'])

/** See `WriteHost.reuseFiles`. */
export function reuseFiles(from: string, files: readonly FileToWrite[], perform: Perform): readonly FileToWrite[] {
  const [first] = files
  using source = tryOpen(from)
  if (!first || !source) return files
  using target = openDirectory(dirname(first.path))
  const link = (name: string, path: string): boolean => {
    try {
      perform('link-file', path, () => linkSync(source.entry(name), target.entry(name)))
      return true
    } catch (error) {
      if (unlinkable.has(errnoOf(error))) return false
      throw error
    }
  }
  return files.filter(file => !isSame(source, file) || !link(basename(file.path), file.path))
}

function tryOpen(path: string): OpenedDirectory | undefined {
  try {
    return openDirectory(path)
  } catch (error) {
    if (isAbsence(error)) return undefined
    throw error
  }
}

/** It has that content and mode, and belongs to this user. */
function isSame(directory: OpenedDirectory, { path, content, mode }: FileToWrite): boolean {
  const fd = tryOpenFile(directory.entry(basename(path)))
  if (fd === undefined) return false
  try {
    const bytes = Buffer.from(content)
    const facts = fstatSync(fd)
    const isWanted = facts.isFile() && (facts.mode & 0o7777) === mode && facts.uid === process.geteuid?.()
    return isWanted && facts.size === bytes.length && readFileSync(fd).equals(bytes)
  } finally {
    closeSync(fd)
  }
}

function tryOpenFile(path: string): number | undefined {
  try {
    return openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  } catch {
    return undefined // it isn't there, or something else is
  }
}
