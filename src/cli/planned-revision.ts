import { ReeveError } from '../core/reeve-error.ts'
import type { RevisionSet } from '../engine/session/revision-reading.ts'
import type { Session } from '../engine/session/session.ts'
import type { CommandContext } from './context.ts'
import { listenForInterruption } from './interruption.ts'

/** Options of `reeve plan` that name a commit in place of the manifests in force. */
export interface RevisionOptions {
  readonly revision?: string
  readonly source?: string
  readonly manifests?: string
  readonly out?: string
}

/** Throws ReeveError `usage` for options that contradict each other. */
export function checkRevisionOptions(directory: string | undefined, options: RevisionOptions): void {
  const { revision, source, out } = options
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
  if (out !== undefined && (revision ?? source) !== undefined) {
    refuse('--out saves a plan for reeve apply, which applies the revision in force: leave it away here')
  }
}

/** The manifests of the commit that the options name. Undefined: they name none. Ends at the first SIGINT or SIGTERM, and tidies up. */
export async function readPlannedRevision(
  { io, err }: CommandContext,
  session: Session,
  { revision, source }: RevisionOptions,
): Promise<RevisionSet | undefined> {
  if (revision === undefined && source === undefined) return undefined
  const { placeOfSession, placeOfSource, readNamedSource } = await import('../engine/session/revision-place.ts')
  const { readRevision } = await import('../engine/session/revision-reading.ts')
  using interruption = listenForInterruption(io, () => err.write('Stopping.\n'))
  const named = source === undefined ? undefined : readNamedSource(source)
  const place = named ? placeOfSource(named, session, io.cwd) : placeOfSession(session)
  const wanted = revision ?? named?.revision ?? 'HEAD'
  const read = await readRevision(session, place, { revision: wanted }, interruption.signal)
  err.write(`Plan for commit ${read.commit.slice(0, 12)}.\n`)
  return read
}
