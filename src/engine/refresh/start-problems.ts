import { dirname } from 'node:path'
import type { FileFacts, ReadHost } from '../../core/contracts/host.ts'
import type { Observer } from '../../core/contracts/provider.ts'
import type { Definition } from '../../core/model/definition.ts'
import type { Facility } from '../../core/model/facility.ts'
import type { ResolvedFile } from '../../core/model/resolved-facility.ts'
import { type StartNeeds, startNeedsOf } from '../../core/model/start-needs.ts'
import { isServing } from '../../core/plan/start-blocker.ts'
import type { Observed } from '../../core/state/observed.ts'
import { isCompleted } from '../../core/state/readiness.ts'
import { findStartProblems } from '../../host/start-check.ts'

/** All declared facilities, by name: what one needs may be a file of another. */
export type Declared = ReadonlyMap<string, Pick<Facility, 'name' | 'files' | 'dependsOn' | 'suspend' | 'process'>>

export interface StartOutlook {
  readonly host: ReadHost
  readonly declared: Declared
  /** Resolves a file for this host. */
  resolve(file: Facility['files'][number], facility: Pick<Facility, 'process'>): Omit<ResolvedFile, 'digest'>
}

/** What a start of the definition needs of the host. Undefined if unknown. */
export function findStartNeeds(
  facility: Facility,
  definition: Definition | undefined,
  observer: Pick<Observer, 'startNeeds'>,
): StartNeeds | undefined {
  const said = definition && observer.startNeeds?.(facility, definition)
  if (said) return said
  const process = definition?.process ?? (facility.config === undefined ? facility.process : undefined)
  return process && startNeedsOf(process)
}

/**
 * Says why a start is certain to fail on the host as it will be then: with the files of the facility, and of those that it depends
 * on. Files of other facilities may come too late.
 */
export function judgeStart(needs: StartNeeds, facility: Facility, planRun: StartOutlook): readonly string[] {
  const { declared, host } = planRun
  const before = findEarlier(facility, declared)
  const problems = findStartProblems(needs, withFiles(host, before, planRun))
  if (problems.length === 0) return problems
  const rest = [...declared.values()].filter(one => !before.includes(one) && one.files.length > 0)
  return problems.map(problem => {
    const other = rest.find(({ files }) => files.some(({ path }) => problem.includes(path)))
    if (!other) return problem
    return `${problem}; facility ${other.name} brings it, and this one does not wait for that: declare dependsOn: [${other.name}]`
  })
}

type Bringer = Pick<Facility, 'name' | 'files' | 'dependsOn' | 'suspend' | 'process'>

/** The facility and its dependencies, indirect ones too. Suspended ones write no files. */
function findEarlier(facility: Facility, declared: Declared): readonly Bringer[] {
  const found = new Map<string, Bringer>([[facility.name, facility]])
  // A Map iterates over what is added meanwhile.
  for (const { dependsOn } of found.values()) {
    for (const name of dependsOn) {
      const needed = declared.get(name)
      if (needed && !needed.suspend) found.set(name, found.get(name) ?? needed)
    }
  }
  return [...found.values()]
}

/** The host with the files of these facilities written. */
function withFiles(host: ReadHost, bringers: readonly Bringer[], { resolve }: StartOutlook): ReadHost {
  if (bringers.every(({ files }) => files.length === 0)) return host
  const files = new Map(bringers.flatMap(one => one.files.map(file => [file.path, { file, one }] as const)))
  function factsOf(path: string): FileFacts | undefined {
    const found = files.get(path)
    if (!found) return undefined
    const { mode, uid, gid, content } = resolve(found.file, found.one)
    return { kind: 'file', mode, uid, gid, size: content.length, device: 0, inode: 0, modified: 0, changed: 0 }
  }
  const contentOf = (path: string): Uint8Array | undefined => files.get(path)?.file.content
  return {
    ...host,
    facts: path => factsOf(path) ?? host.facts(path),
    realPath: path => (files.has(path) ? path : host.realPath(path)),
    readLink: path => (files.has(path) ? undefined : host.readLink(path)),
    readPart(path, offset, length) {
      const [facts, content] = [factsOf(path), contentOf(path)]
      return facts && content
        ? { facts, content: content.subarray(offset, offset + length) }
        : host.readPart(path, offset, length)
    },
    readFile: (path, limit) => contentOf(path) ?? host.readFile(path, limit),
    readText(path, limit) {
      const content = contentOf(path)
      return content ? new TextDecoder().decode(content) : host.readText(path, limit)
    },
    inspectFile(path, options) {
      const [facts, content] = [factsOf(path), contentOf(path)]
      return facts && content ? { facts, content } : host.inspectFile(path, options)
    },
  }
}

/** Paths that decide whether the facility can start: a change of one is worth another refresh. */
export function listStartPaths({ process }: Facility): string[] {
  if (!process) return []
  const { program, workingDirectory, output, secrets, environmentFiles } = startNeedsOf(process)
  const own = [program, workingDirectory, output && dirname(output)].filter(path => path?.startsWith('/'))
  const accounts = process.user === undefined && process.group === undefined ? [] : ['/etc/passwd', '/etc/group']
  return [...own.flatMap(path => path ?? []), ...secrets.map(({ path }) => path), ...environmentFiles, ...accounts]
}

/** Adds the hindrance of a start to a service that should run and doesn't. */
export function withHindrance(observed: Observed, facility: Facility, problems: readonly string[] = []): Observed {
  const isWanted = facility.state === 'running' && !isServing(observed) && !isCompleted(facility, observed)
  return isWanted && problems.length > 0 ? { ...observed, hindrance: problems.join('; ') } : observed
}
