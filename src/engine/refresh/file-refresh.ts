import { dirname } from 'node:path'
import type { FileFacts, ReadHost } from '../../core/contracts/host.ts'
import type { ResolvedFacility, ResolvedFile } from '../../core/model/resolved-facility.ts'
import { describeUnsafePart } from '../../core/paths/path-safety.ts'
import { messageOf } from '../../core/reeve-error.ts'
import type { Observed, ObservedFile } from '../../core/state/observed.ts'
import { locationKey, type OwnedLocation } from '../../core/state/snapshot.ts'
import { bytesEqual } from '../../core/text/bytes.ts'
import { findRemover, findUnsafeDirectory } from '../../host/file-actor.ts'
import { sha256 } from '../../host/sha256.ts'
import { findMountProblem, findTargetProblem } from '../../host/target-path.ts'

/** Observed services, and the locations that carry our marker. */
export interface KnownServices {
  readonly services: ReadonlyMap<string, Observed>
  readonly owned: readonly OwnedLocation[]
}

/** What all observations of one refresh share. */
interface FileLook {
  readonly host: ReadHost
  readonly mountPoints: ReadonlySet<string>
}

/** Observes definitions and configuration files of the targets, and files that our markers name besides. By path. */
export function observeFiles(
  targets: readonly ResolvedFacility[],
  { services, owned }: KnownServices,
  host: ReadHost,
): Map<string, ObservedFile> {
  const look: FileLook = { host, mountPoints: host.mountPoints() }
  const files = new Map<string, ObservedFile>()
  for (const target of targets) {
    const declared = target.definition?.files.map(({ path }) => path) ?? []
    const found = services.get(locationKey(target.facility))?.definitionFiles ?? []
    for (const path of new Set([...declared, ...found])) files.set(path, observeDefinition(path, look))
    for (const file of target.files) files.set(file.path, observeDeclared(file, look))
  }
  for (const { ownership } of owned) {
    for (const path of ownership.files) if (!files.has(path)) files.set(path, observeForgotten(path, look))
  }
  return files
}

function observeDefinition(path: string, look: FileLook): ObservedFile {
  const found = inspect(path, look, facts => findReadProblem(path, facts, undefined, look))
  return withProblem(found, findMountProblem(path, look.mountPoints))
}

function observeDeclared(file: ResolvedFile, look: FileLook): ObservedFile {
  const { path } = file
  const found = inspect(path, look, facts => findReadProblem(path, facts, file, look))
  const known = found.kind === 'file' ? found : (recognise(file, look) ?? found)
  return withProblem(withDigest(known), judge(file, look))
}

/** Content of a file that may not be shown, if it is the declared one: that reveals nothing new. */
function recognise(file: ResolvedFile, look: FileLook): ObservedFile | undefined {
  const found = inspect(file.path, look, () => undefined)
  return found.content && bytesEqual(found.content, file.content) ? found : undefined
}

/** A path that can't be observed is a problem of its own facility only. */
function judge({ path, actAs }: ResolvedFile, { host, mountPoints }: FileLook): string | undefined {
  try {
    return findTargetProblem(path, host, { actAs, mountPoints })
  } catch (error) {
    return messageOf(error)
  }
}

/** A file that is no longer declared: its digest is compared, and its content never shown. */
function observeForgotten(path: string, look: FileLook): ObservedFile {
  const { content: _content, ...found } = withDigest(inspect(path, look, () => undefined))
  if (found.kind !== 'file') return found
  const keep = findKeepProblem(path, look)
  return keep === undefined ? found : { ...found, keep }
}

function findKeepProblem(path: string, { host, mountPoints }: FileLook): string | undefined {
  try {
    const mounted = findMountProblem(path, mountPoints)
    if (mounted !== undefined) return mounted
    const facts = host.facts(path)
    const unsafe = facts && findRemover(path, facts, host) === 'nobody' ? findUnsafeDirectory(path, host) : undefined
    return unsafe && describeUnsafePart(unsafe)
  } catch (error) {
    return messageOf(error)
  }
}

function inspect(
  path: string,
  { host }: FileLook,
  findProblem: (facts: FileFacts) => string | undefined,
): ObservedFile {
  try {
    let unread: string | undefined
    const found = host.inspectFile(path, {
      mayRead(facts) {
        unread = findProblem(facts)
        return unread === undefined
      },
    })
    if (!found) return { kind: 'absent' }
    const { mode, uid, gid, kind, changed } = found.facts
    if (kind !== 'file') return { kind: 'other', mode, uid, gid, problem: `${path} is a ${kind}, not a file` }
    if (unread !== undefined || !found.content) {
      return { kind: 'other', mode, uid, gid, problem: unread ?? `${path} can't be read` }
    }
    return { kind: 'file', mode, uid, gid, changed, content: found.content }
  } catch (error) {
    return { kind: 'other', problem: messageOf(error) }
  }
}

/**
 * Why a file isn't read: others can put any file of the file system in its place, also one that only root may read, and a plan would
 * show them its content (S8). Undefined if the user of the file may read it anyway.
 */
function findReadProblem(
  path: string,
  { uid, gid, mode }: FileFacts,
  file: ResolvedFile | undefined,
  { host }: FileLook,
): string | undefined {
  const unsafe = host.userId() === 0 ? host.findUnsafePart(dirname(path), { isExclusive: true }) : undefined
  if (!unsafe || (mode & 0o004) !== 0) return undefined
  const owners = [file?.uid, file?.actAs?.uid]
  if (uid !== 0 && owners.includes(uid)) return undefined
  const groups = file?.actAs ? [file.gid, file.actAs.gid] : []
  if (gid !== 0 && groups.includes(gid) && (mode & 0o040) !== 0) return undefined
  const bits = mode.toString(8).padStart(4, '0')
  return `${path} (owner ${uid}, mode ${bits}) isn't looked into, as others than its owner can have put it there: ${unsafe.path} can be changed by them. Give it to the user who is to have it, or remove it`
}

function withDigest(found: ObservedFile): ObservedFile {
  return found.content ? { ...found, digest: sha256(found.content) } : found
}

/** A problem of the path replaces one of the file. */
function withProblem(found: ObservedFile, problem: string | undefined): ObservedFile {
  return problem === undefined ? found : { ...found, problem }
}
