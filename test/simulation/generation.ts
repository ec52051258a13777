import fc from 'fast-check'
import {
  BRITTLE,
  BROKEN,
  DAEMON,
  type Declaration,
  type DeclaredFile,
  HUNG,
  isProgram,
  JOB,
  SCRIBE,
} from './declaration.ts'
import { type Meddling, meddlings } from './meddling.ts'

/** Events on one host: one revision is applied, then the host is disturbed, then another revision is applied. */
export interface Story {
  readonly older: readonly Declaration[]
  readonly newer: readonly Declaration[]
  /** Before Reeve's first pass. */
  readonly strangers: readonly Meddling[]
  /** Between the two revisions. */
  readonly meddling: readonly Meddling[]
  /** Chooses which of the ready lanes continues, each time. */
  readonly choices: readonly number[]
}

const names = ['a', 'b', 'c', 'd', 'e'] as const

/** Another name of the service `packaged`. */
export const ALIAS = 'alias'

/** Wishes of a facility; `tidy` makes of many what manifests may declare together. */
interface Wish {
  readonly isDeclared: boolean
  readonly wantsShared: boolean
  readonly dependencies: readonly number[]
  readonly declaration: Omit<Declaration, 'name' | 'dependsOn' | 'port' | 'directory' | 'conflicts'> & {
    readonly port: number | undefined
    readonly directory: string | undefined
    readonly conflicts: string | undefined
  }
}

const onChange = fc.constantFrom('restart', 'reload', 'none' as const)

const file = (name: string, index: number): fc.Arbitrary<DeclaredFile> =>
  fc.record({
    path: fc.constant(`/etc/${name}/${index}`),
    content: fc.constantFrom('one\n', 'two\n'),
    mode: fc.constantFrom(0o644, 0o600),
    onChange,
  })

const wish = (name: string): fc.Arbitrary<Wish> =>
  fc.record({
    isDeclared: often(),
    wantsShared: seldom(),
    dependencies: fc.array(fc.nat({ max: names.length - 1 }), { maxLength: 2 }),
    declaration: fc.record({
      supervisor: mostly('alpha', 'beta'),
      service: mostly(name, 's1', 'packaged', 'packaged', ALIAS),
      state: mostly('running', 'stopped', 'unmanaged'),
      enabled: mostly<boolean | 'unmanaged'>(true, false, 'unmanaged'),
      command: mostly<readonly string[] | null>(
        DAEMON,
        [...DAEMON, '2'],
        JOB,
        BROKEN,
        BRITTLE,
        HUNG,
        SCRIBE,
        SCRIBE,
        null,
      ),
      restart: mostly('always', 'on-failure', 'never'),
      reload: fc.boolean(),
      native: seldom(),
      files: fc.tuple(fc.option(file(name, 1)), fc.option(file(name, 2))).map(list => list.filter(one => one !== null)),
      onChange,
      adopt: seldom(),
      prune: often(),
      suspend: seldom(),
      port: fc.constantFrom(undefined, undefined, 80, 81),
      directory: fc.constantFrom(undefined, undefined, '/srv/one', '/srv/two'),
      conflicts: mostly<string | undefined>(undefined, 'a', 'b'),
    }),
  })

const told = {
  older: fc.tuple(...names.map(wish)),
  strangers: fc.array(meddlings, { maxLength: 3 }),
  meddling: fc.array(meddlings, { maxLength: 4 }),
  choices: fc.array(fc.nat({ max: 20 }), { minLength: 8, maxLength: 8 }),
}

/** Most facilities change only their files; the others appear, vanish and change. Some are renamed. */
export const changes: fc.Arbitrary<Story> = fc
  .record({
    ...told,
    newer: fc.tuple(...names.map(name => fc.option(wish(name), { freq: 2 }))),
    edits: fc.tuple(...names.map(() => fc.boolean())),
    renames: fc.tuple(...names.map(() => mostly<Rename>('none', 'in its place', 'with its service'))),
  })
  .map(({ older, newer, edits, renames, ...rest }) => ({
    ...rest,
    older: tidy(older),
    newer: tidy(
      older.map((before, index) => newer[index] ?? (edits[index] ? withEditedFiles(before) : before)),
      renames,
    ),
  }))

function withEditedFiles(before: Wish): Wish {
  const files = before.declaration.files?.map(one => ({ ...one, content: one.content === 'one\n' ? 'two\n' : 'one\n' }))
  return { ...before, declaration: { ...before.declaration, ...(files ? { files } : {}) } }
}

/** `in its place`: its service keeps its name. */
type Rename = 'none' | 'in its place' | 'with its service'

/**
 * No place, path, port or directory is claimed twice, there is no cycle of dependencies, and none on a facility that never
 * comes up.
 */
function tidy(wishes: readonly Wish[], renames: readonly Rename[] = []): Declaration[] {
  const claimed = new Set<string>()
  let isSharedTaken = false
  const result: Declaration[] = []
  for (const [index, { isDeclared, wantsShared, dependencies, declaration }] of wishes.entries()) {
    const former = names[index]
    if (!isDeclared || former === undefined) continue
    const isRenamed = (renames[index] ?? 'none') !== 'none'
    const name = isRenamed ? `${former}-renamed` : former
    const { supervisor = 'alpha', files = [], native = false, port, directory, conflicts, ...rest } = declaration
    const claims = (key: string): boolean => !claimed.has(key) && claimed.add(key).has(key)
    const wanted = renames[index] === 'with its service' ? name : (declaration.service ?? name)
    const service = claimed.has(`${supervisor}/${wanted}`) ? name : wanted
    claimed.add(`${supervisor}/${service}`)
    // A definition of its own would replace the name.
    const command = service === ALIAS ? null : declaration.command
    const shared: DeclaredFile[] = wantsShared && !isSharedTaken ? [{ path: '/etc/shared', content: `${name}\n` }] : []
    isSharedTaken ||= shared.length > 0
    result.push({
      ...rest,
      name,
      ...(isRenamed ? { renamedFrom: former } : {}),
      supervisor,
      service,
      native: native && command !== null,
      ...(command === undefined ? {} : { command }),
      ...(port !== undefined && claims(`port ${port}`) ? { port } : {}),
      ...(directory !== undefined && claims(directory) ? { directory } : {}),
      ...(conflicts === undefined || conflicts === service ? {} : { conflicts }),
      // Without a definition there is no marker that could name files.
      files: command === null ? [] : [...files, ...shared],
      dependsOn: result.filter((other, at) => dependencies.includes(at) && comesUp(other)).map(other => other.name),
    })
  }
  return result.map(declaration => (isSoundConflict(declaration, result) ? declaration : withoutConflict(declaration)))
}

/**
 * The states of both are declared. A service of unmanaged state may be stopped by the other, in whatever order they are changed, and
 * no supervisor starts it again.
 */
function isSoundConflict({ conflicts, supervisor, state }: Declaration, all: readonly Declaration[]): boolean {
  const other = all.find(one => one.service === conflicts && one.supervisor === supervisor)
  if (!other?.command || other.suspend || state === 'unmanaged') return false
  return other.state === 'stopped' || (other.state === 'running' && comesUp(other))
}

function withoutConflict({ conflicts: _, ...declaration }: Declaration): Declaration {
  return declaration
}

/** Whether its program stays up, or ends successfully. */
export function comesUp({ command = DAEMON, restart, native, port }: Declaration): boolean {
  if (command === null || isProgram(command, 'daemon') || isProgram(command, 'scribe')) return true
  if (isProgram(command, 'hung')) return port === undefined // not queried
  return isProgram(command, 'job') && restart !== 'always' && !native
}

/** The first value three times out of four. */
function mostly<T>(first: T, ...others: readonly T[]): fc.Arbitrary<T> {
  return fc.oneof({ arbitrary: fc.constant(first), weight: 3 }, { arbitrary: fc.constantFrom(...others), weight: 1 })
}

function often(): fc.Arbitrary<boolean> {
  return mostly<boolean>(true, true, true, false)
}

function seldom(): fc.Arbitrary<boolean> {
  return mostly<boolean>(false, false, true)
}
