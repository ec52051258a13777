import { ReeveError } from '../core/reeve-error.ts'
import type { PlanRun } from '../engine/refresh/plan-run.ts'
import type { RevisionSet } from '../engine/session/revision-reading.ts'
import type { Session } from '../engine/session/session.ts'
import type { CommandContext } from './context.ts'
import { listenForInterruption } from './interruption.ts'

/** Options of `reeve plan` that name commits in place of the manifests in force, and of the host's state. */
export interface RevisionOptions {
  readonly revision?: string
  readonly source?: string
  readonly against?: string
  readonly manifests?: string
  readonly out?: string
}

/** A plan, and what it was made of. */
export interface RevisionPlan extends Pick<PlanRun, 'plan' | 'refresh'> {
  /** Why this host would not apply the commit. Absent: it would, or no commit is planned. */
  readonly untrusted?: string | undefined
  /** Which commits it was made of, for people. */
  readonly notes: readonly string[]
}

/** Throws ReeveError `usage` for options that contradict each other. */
export function checkRevisionOptions(directory: string | undefined, options: RevisionOptions): void {
  const { revision, source, against, out } = options
  const refuse = (message: string): never => {
    throw new ReeveError('usage', message)
  }
  if (revision !== undefined && source !== undefined) {
    refuse('--revision and --source both name a commit: give one; --source URL#REF takes the commit behind the #')
  }
  if (source !== undefined && (directory ?? options.manifests) !== undefined) {
    refuse(
      '--source and DIR both name a manifests directory: give one; --source URL#REF:PATH takes it behind the colon',
    )
  }
  if (against !== undefined && !/^revision:./.test(against)) {
    refuse(`--against: expected revision:REV, such as revision:main, found ${against}`)
  }
  if (out !== undefined && (revision ?? source ?? against) !== undefined) {
    refuse('--out saves a plan for reeve apply, which applies the revision in force: leave it away here')
  }
}

/** Makes the plan that the options ask for. At the first SIGINT or SIGTERM, it stops reading commits, and tidies up. */
export async function planRevision(
  context: CommandContext,
  session: Session,
  options: RevisionOptions,
): Promise<RevisionPlan> {
  const { revision, base, notes } = await readCommits(context, session, options)
  const known = { untrusted: revision?.untrusted, notes }
  for (const note of notes) context.err.write(`${note}\n`)
  if (base === undefined) {
    const { makePlanRun } = await import('../engine/refresh/plan-run.ts')
    return { ...(await makePlanRun(session, { set: revision?.set, mark: revision?.mark })), ...known }
  }
  const { compareRevisions } = await import('../engine/refresh/comparison.ts')
  const { loadManifests } = await import('../manifest/manifest-source.ts')
  const next = revision?.set ?? loadManifests(session.manifests)
  const compared = await compareRevisions(session, { base: base.set, next, baseName: base.name })
  return { ...compared, ...known }
}

interface Commits {
  readonly notes: readonly string[]
  /** Absent: the manifests in force. */
  readonly revision?: RevisionSet | undefined
  /** Absent: the host. */
  readonly base?: RevisionSet & { readonly name: string }
}

async function readCommits(
  { io, err }: CommandContext,
  session: Session,
  { revision, source, against }: RevisionOptions,
): Promise<Commits> {
  if ((revision ?? source ?? against) === undefined) return { notes: [] }
  const { placeOfSession, placeOfSource, readNamedSource } = await import('../engine/session/revision-place.ts')
  const { readRevision } = await import('../engine/session/revision-reading.ts')
  using interruption = listenForInterruption(io, () => err.write('Stopping.\n'))
  const named = source === undefined ? undefined : readNamedSource(source)
  const place = named ? placeOfSource(named, session, io.cwd) : placeOfSession(session)
  const { signal } = interruption
  const wanted = revision ?? named?.revision
  const read = wanted === undefined ? undefined : await readRevision(session, place, { revision: wanted }, signal)
  const notes = read ? [`Plan for commit ${read.commit.slice(0, 12)}.`] : []
  const name = against?.slice('revision:'.length)
  if (name === undefined) return { notes, revision: read }
  const base = await readRevision(session, place, { revision: name, mayLack: true }, signal)
  notes.push(`Compared with commit ${base.commit.slice(0, 12)}; no host was looked at.`)
  return { notes, revision: read, base: { ...base, name } }
}
