import { dirname, join, resolve } from 'node:path'
import type { Diagnostic } from '../../core/model/diagnostic.ts'
import { type CheckedPaths, findInsecurePath, type InsecurePath, lookupIn } from '../../core/paths/path-permissions.ts'
import type { DiagnosticCode } from '../diagnostics/diagnostic-code.ts'
import { diagnoseFile } from '../diagnostics/problem.ts'
import type { SourceReading } from '../parse/config-source.ts'
import { type FileContext, type ParsedManifest, parseManifest } from '../parse/manifest-file.ts'
import type { ParseCache } from '../parse/parse-cache.ts'
import { createContentLimit, sizeOf, tooMuchContent } from './content-limit.ts'
import type { ManifestFiles } from './manifest-files.ts'
import {
  isInside,
  isMissing,
  type ListedFile,
  type ManifestTree,
  openManifestTree,
  reasonOf,
} from './manifest-snapshot.ts'

export interface ManifestReaderOptions {
  readonly directory: string
  /** Directory that is read; paths in the manifests start at the other one all the same. */
  readonly readFrom: string
  /** Message for a directory that doesn't exist. */
  readonly missing: string
  readonly files: ManifestFiles
  /** Only files of this user and root are trusted. Absent: all are. */
  readonly trustedUser?: number
  readonly parseCache?: ParseCache | undefined
  readonly memory?: ReadingMemory | undefined
}

/** What readers of one directory have parsed, whichever of them: a file of the same name and content is not parsed again. */
export interface ReadingMemory {
  files: ReadonlyMap<string, Remembered>
}

export function createReadingMemory(): ReadingMemory {
  return { files: new Map() }
}

/** Result of reading the directory, before files are checked against each other. */
export interface DirectoryReading {
  /** Resolved path of the directory. */
  readonly root: string
  /** All files that could be read, sorted; those with diagnostics are invalid. */
  readonly manifests: readonly ParsedManifest[]
  /** Diagnostics of the directory and of files that couldn't be read. */
  readonly diagnostics: readonly Diagnostic[]
  /** Absolute paths of files and directories whose content is unknown. */
  readonly unknown: readonly string[]
  /** False: the directory changed during every attempt. */
  readonly isStable: boolean
}

/** Creates a reader of the directory, which parses each content once. */
export type ManifestReader = () => DirectoryReading

const maximumSize = 1024 * 1024
const maximumAttempts = 5

interface Remembered {
  readonly content: Uint8Array
  readonly sources: ReadonlyMap<string, SourceReading>
  readonly parsed: ParsedManifest
  /** In bytes, with what its facilities write. */
  readonly size: number
}

export function createManifestReader(options: ManifestReaderOptions): ManifestReader {
  const { directory, readFrom, files } = options
  const memory = options.memory ?? createReadingMemory()

  function readOnce(): DirectoryReading {
    const snapshot = openManifestTree(readFrom, files, options.missing)
    if (isMissing(snapshot)) return unreadable(directory, snapshot.code, snapshot.message)
    const findInsecure = createInsecurityCheck(options)
    const insecureRoot = findInsecure(resolve(readFrom))
    if (insecureRoot !== undefined) return unreadable(directory, 'insecure-path', insecureRoot.message, snapshot.root)

    const diagnostics: Diagnostic[] = []
    const unknown: string[] = []
    const reported = new Set<string>()
    const refuse = (name: string, code: DiagnosticCode, message: string): void => {
      unknown.push(resolve(name))
      if (code === 'insecure-path' && reported.has(message)) return
      reported.add(message)
      diagnostics.push(diagnoseFile(name, code, message))
    }
    for (const { path, code, message } of snapshot.problems) refuse(join(directory, path), code, message)
    for (const path of snapshot.directories) {
      const insecure = findInsecure(path)
      if (insecure !== undefined)
        refuse(join(directory, path.slice(snapshot.root.length)), 'insecure-path', insecure.message)
    }

    const next = new Map<string, Remembered>()
    const manifests: ParsedManifest[] = []
    const limit = createContentLimit()
    for (const listed of snapshot.files) {
      const file = join(directory, listed.path)
      const insecure = findInsecure(dirname(listed.realPath)) ?? findInsecure(listed.realPath)
      if (insecure !== undefined) {
        refuse(file, 'insecure-path', insecure.message)
        continue
      }
      const content = readContent(snapshot, listed, reason => refuse(file, reason.code, reason.message))
      if (content === undefined) continue
      const readSource = createSourceReader(snapshot, listed, files, findInsecure)
      const before = memory.files.get(file)
      const entry =
        before !== undefined && limit.fits(before.size) && isSame(before, content, readSource)
          ? before
          : parseFile(file, content, {
              readSource: limit.limitSources(content.byteLength, readSource),
              parse: options.parseCache?.parse,
            })
      if (!limit.fits(entry.size)) {
        refuse(file, tooMuchContent.code, tooMuchContent.message)
        continue
      }
      limit.keep(entry.size)
      next.set(file, entry)
      manifests.push(entry.parsed)
    }
    const isStable = snapshot.isUnchanged()
    if (isStable) memory.files = next
    return { root: snapshot.root, manifests, diagnostics, unknown, isStable }
  }

  return () => {
    let reading = readOnce()
    for (let attempt = 1; !reading.isStable && attempt < maximumAttempts; attempt++) reading = readOnce()
    return reading
  }
}

/** A missing directory is read again too: while a link is swapped there may be none for a moment. */
function unreadable(
  directory: string,
  code: DiagnosticCode,
  message: string,
  root = resolve(directory),
): DirectoryReading {
  const diagnostics = [diagnoseFile(directory, code, message)]
  return { root, manifests: [], diagnostics, unknown: [resolve(directory)], isStable: code === 'insecure-path' }
}

/** A sticky directory is insecure here too, as others can add files to it. */
type InsecurityCheck = (path: string) => InsecurePath | undefined

function createInsecurityCheck({ files, trustedUser }: ManifestReaderOptions): InsecurityCheck {
  if (trustedUser === undefined) return () => undefined
  const checked: CheckedPaths = new Map()
  const lookup = lookupIn(files)
  return path => findInsecurePath(path, lookup, trustedUser, checked)
}

function readContent(
  snapshot: ManifestTree,
  listed: ListedFile,
  refuse: (reason: { code: DiagnosticCode; message: string }) => void,
): Uint8Array | undefined {
  try {
    const { content } = snapshot.readFile(listed.realPath, maximumSize)
    if (content === undefined)
      refuse({ code: 'file-too-large', message: 'a manifest file holds at most 1 MiB: split it' })
    return content
  } catch (error) {
    refuse({ code: 'file-unreadable', message: `cannot be read: ${reasonOf(error)}` })
    return undefined
  }
}

function parseFile(
  file: string,
  content: Uint8Array,
  { readSource, parse }: Pick<FileContext, 'readSource' | 'parse'>,
): Remembered {
  const sources = new Map<string, SourceReading>()
  const base = dirname(resolve(file))
  const parsed = parseManifest(file, content, {
    parse,
    resolvePath: path => resolve(base, path),
    readSource(path) {
      const reading = readSource(path)
      sources.set(path, reading)
      return reading
    },
  })
  return { content, sources, parsed, size: sizeOf(content, parsed) }
}

function isSame(before: Remembered, content: Uint8Array, readSource: FileContext['readSource']): boolean {
  if (Buffer.compare(before.content, content) !== 0) return false
  for (const [path, reading] of before.sources) {
    const now = readSource(path)
    const isEqual =
      now instanceof Uint8Array || reading instanceof Uint8Array
        ? now instanceof Uint8Array && reading instanceof Uint8Array && Buffer.compare(now, reading) === 0
        : now.message === reading.message
    if (!isEqual) return false
  }
  return true
}

/** Reads `source` files: below the resolved root, so that they are of the same revision as their manifest. */
function createSourceReader(
  snapshot: ManifestTree,
  listed: ListedFile,
  files: ManifestFiles,
  findInsecure: InsecurityCheck,
): FileContext['readSource'] {
  const base = join(snapshot.root, dirname(listed.path))
  const outside: SourceReading = {
    code: 'source-outside',
    message: 'the source must be inside the manifests directory',
  }
  return path => {
    const wanted = resolve(base, path)
    if (!isInside(wanted, snapshot.root)) return outside
    try {
      const realPath = files.realPath(wanted)
      if (!isInside(realPath, snapshot.root)) return outside
      const insecure = findInsecure(dirname(realPath)) ?? findInsecure(realPath)
      if (insecure !== undefined) return { code: 'insecure-path', message: insecure.message }
      const { content } = snapshot.readFile(realPath, maximumSize)
      return content ?? { code: 'source-too-large', message: 'a source file holds at most 1 MiB' }
    } catch (error) {
      return { code: 'source-unreadable', message: `the source ${path} cannot be read: ${reasonOf(error)}` }
    }
  }
}
