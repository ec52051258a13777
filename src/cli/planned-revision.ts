import { ReeveError } from '../core/reeve-error.ts'
import type { PlanRun } from '../engine/refresh/plan-run.ts'
import type { RevisionSet } from '../engine/session/revision-reading.ts'
import type { Session } from '../engine/session/session.ts'
import type { ManifestSet } from '../manifest/manifest-set.ts'
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

/** Makes the plan that the options ask for. At the first SIGINT or SIGTERM, it stops, and tidies up. */
export async function planRevision(
  { io, err }: CommandContext,
  session: Session,
  options: RevisionOptions,
): Promise<RevisionPlan> {
  const { makePlanRun } = await import('../engine/refresh/plan-run.ts')
  if ((options.revision ?? options.source ?? options.against) === undefined)
    return { ...(await makePlanRun(session)), notes: [] }
  using interruption = listenForInterruption(io, () => err.write('Stopping.\n'))
  const { signal } = interruption
  const reader = await openReader(session, options, io.cwd)
  using base = await reader.readBase(signal)
  using revision = await reader.readRevision(signal)
  const notes = [
    ...(revision ? [`Plan for commit ${shorten(revision)}.`] : []),
    ...(base ? [`Compared with commit ${shorten(base)}; no host was looked at.`] : []),
  ]
  for (const note of notes) err.write(`${note}\n`)
  const known = { untrusted: revision?.untrusted, notes }
  if (!base) {
    const { set, mark, host: readHost = session.readHost } = revision ?? {}
    const { abortable } = await import('../host/abortable.ts')
    return { ...(await abortable(makePlanRun({ ...session, readHost }, { set, mark }), signal)), ...known }
  }
  const { compareRevisions } = await import('../engine/refresh/comparison.ts')
  const next = revision?.set ?? reader.readCheckout()
  return { ...(await compareRevisions(session, { base: base.set, next, baseName: base.name })), ...known }
}

function shorten({ commit }: RevisionSet): string {
  return commit.slice(0, 12)
}

/** Reads what the options name. */
interface Reader {
  /** Undefined: no commit is named, so the manifests are those of the session. */
  readRevision(signal: AbortSignal): Promise<RevisionSet | undefined>
  /** Undefined: the host is what is compared with. */
  readBase(signal: AbortSignal): Promise<(RevisionSet & { readonly name: string }) | undefined>
  readCheckout(): ManifestSet
}

async function openReader(
  session: Session,
  { revision, source, against }: RevisionOptions,
  cwd: string,
): Promise<Reader> {
  const { directoryInForce, placeOfSession, placeOfSource, readNamedSource } = await import(
    '../engine/session/revision-place.ts'
  )
  const { findHealthy } = await import('../engine/rollout/revision-record.ts')
  const { readRolloutState } = await import('../engine/rollout/rollout-state.ts')
  const { readCheckout, readRevision } = await import('../engine/session/revision-reading.ts')
  const named = source === undefined ? undefined : readNamedSource(source)
  const found = named ? placeOfSource(named, session, cwd) : placeOfSession(session)
  const place = against === undefined || named ? found : { ...found, inForce: directoryInForce(session) }
  const wanted = revision ?? named?.revision
  const { configuration, readHost } = session
  const healthy = findHealthy(readRolloutState(configuration.stateDirectory, readHost))?.revision.commit
  const name = against?.slice('revision:'.length)
  return {
    readRevision: async signal =>
      wanted === undefined ? undefined : readRevision(session, place, { revision: wanted, healthy }, signal),
    readBase: async signal =>
      name === undefined
        ? undefined
        : { ...(await readRevision(session, place, { revision: name, mayLack: true }, signal)), name },
    readCheckout: () => readCheckout(session, place),
  }
}
