import type { RevisionReport } from '../../src/core/contracts/source-status.ts'
import type { Declared } from '../random-actions/declarations.ts'

/** Commit that was pushed. */
export interface Commit {
  readonly id: string
  /** `crash`: one of its services fails at once. `invalid`: one of its manifests can't be read. */
  readonly kind: 'good' | 'crash' | 'invalid'
  /** It and all before it are signed. */
  readonly isTrusted: boolean
  /** What it declares, where it is good. */
  readonly declared: readonly Declared[]
}

/** What was pushed and asked for: all that decides what has to be in force. */
export interface Deeds {
  readonly commits: ReadonlyMap<string, Commit>
  /** The newest commit of the branch. */
  readonly tip: Commit
  /** Commit that was in force when the host was last found settled. */
  readonly settled: string
  /** Commits since then. */
  readonly since: readonly Commit[]
  /** Commit that `reeve rollback` has chosen. */
  readonly pinned: string | undefined
  /** Times at which a service, and the controller, was killed, in ms since 1970. */
  readonly serviceKills: readonly number[]
  readonly controllerKills: readonly number[]
}

export type Record = Pick<RevisionReport, 'commit' | 'outcome' | 'message' | 'began' | 'ended' | 'isInForce'>

/** As many controllers may end while they carry out one revision. */
const MOST_ENDS = 3

/** Commits of which one has to be in force once the host is settled. */
export function findAllowed(deeds: Deeds, records: readonly Record[]): ReadonlySet<string> {
  const { tip, pinned, settled, since } = deeds
  if (pinned !== undefined) return new Set([pinned])
  const record = records.find(({ commit }) => commit === tip.id)
  const isDisturbed = record !== undefined && hasFailed(record) && wasDisturbed(deeds, record)
  if (isSound(tip) && !isDisturbed) return new Set([tip.id])
  return new Set([settled, ...since.filter(isSound).map(({ id }) => id)])
}

/** What no moment may show: revisions in force or called healthy that must not be. */
export function findViolations({ commits }: Deeds, records: readonly Record[]): string[] {
  const problems: string[] = []
  for (const record of records) {
    const commit = commits.get(record.commit)
    if (!commit) problems.push(`nobody has pushed ${describe(record)}`)
    else if (!commit.isTrusted) problems.push(`not signed, and yet it was tried: ${describe(record)}`)
    else if (commit.kind !== 'good' && record.outcome === 'Healthy')
      problems.push(`${commit.kind}: ${describe(record)}`)
    else if (commit.kind === 'invalid' && record.isInForce) problems.push(`invalid, and in force: ${describe(record)}`)
  }
  const doubled = records.filter(({ commit }, index) => records.findIndex(one => one.commit === commit) !== index)
  problems.push(...doubled.map(record => `twice in the list: ${describe(record)}`))
  return problems
}

/** Untruths in the revisions of a settled host. */
export function findUntruths(deeds: Deeds, records: readonly Record[]): string[] {
  const problems = findViolations(deeds, records)
  for (const record of records) {
    const { commit, outcome, ended, isInForce, message = '' } = record
    const kind = deeds.commits.get(commit)?.kind
    if (ended === null) problems.push(`it has not ended: ${describe(record)}`)
    if (isInForce && outcome !== 'Healthy') problems.push(`in force, and not healthy: ${describe(record)}`)
    if (kind === 'good' && hasFailed(record) && !wasDisturbed(deeds, record)) {
      problems.push(`good, and nothing was done to it: ${describe(record)}`)
    }
    if (kind === 'invalid' && outcome === 'Failed' && !message.includes('its manifests are not valid')) {
      problems.push(`another cause than the invalid manifest: ${describe(record)}`)
    }
  }
  const inForce = records.filter(({ isInForce }) => isInForce).length
  if (inForce !== 1) problems.push(`${inForce} revisions are in force`)
  return problems
}

function isSound({ kind, isTrusted }: Commit): boolean {
  return kind === 'good' && isTrusted
}

function hasFailed({ outcome }: Record): boolean {
  return outcome === 'Failed' || outcome === 'RolledBack' || outcome === 'RollbackFailed'
}

/** A service crashed while the revision was judged, or its controllers ended again and again. */
function wasDisturbed({ serviceKills, controllerKills }: Deeds, { began, ended }: Record): boolean {
  const [from, until] = [Date.parse(began), ended === null ? Number.POSITIVE_INFINITY : Date.parse(ended)]
  const isWithin = (at: number): boolean => at >= from && at <= until
  return serviceKills.some(isWithin) || controllerKills.filter(isWithin).length >= MOST_ENDS
}

function describe({ commit, outcome, message }: Record): string {
  return `${commit.slice(0, 12)} ${outcome}${message === undefined ? '' : ` (${message})`}`
}
