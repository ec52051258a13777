import { basename, join } from 'node:path'
import type { ReadHost, WriteHost } from '../../core/contracts/host.ts'
import type { RevisionOutcome, RevisionReport } from '../../core/contracts/source-status.ts'
import { isObject } from '../../core/outside-value.ts'
import { readTrusted } from '../../host/trusted-reading.ts'
import { sourceDirectory } from '../../source/source-place.ts'
import { isRevision, keyOf, markOf, readSourceState } from '../../source/source-state.ts'
import type { Session } from '../session/session.ts'
import { currentOf, findHealthy, noRevisions, type RevisionRecord, type RolloutState } from './revision-record.ts'

const outcomes: ReadonlySet<string> = new Set([
  'Pending',
  'Progressing',
  'Healthy',
  'Failed',
  'RolledBack',
  'RollbackFailed',
  'Superseded',
] satisfies RevisionOutcome[])

/** What is remembered of revisions on this host; what a crash or somebody else has spoilt says nothing. */
export function readRolloutState(stateDirectory: string, host: ReadHost): RolloutState {
  const value = parse(readTrusted(fileIn(stateDirectory), host))
  if (!isObject(value) || !Array.isArray(value.revisions)) return noRevisions
  const { revisions, pinned } = value
  return { revisions: revisions.flatMap(readRecord), ...(typeof pinned === 'string' && { pinned }) }
}

export function writeRolloutState(stateDirectory: string, state: RolloutState, host: WriteHost): void {
  host.writeFile(fileIn(stateDirectory), `${JSON.stringify(state)}\n`, { mode: 0o600 })
}

/** True if the manifests are those of a revision that came into force again as a newer one failed: its plan is a way back. */
export function isWayBack({ configuration, followsSource, readHost }: Session, manifests: string): boolean {
  if (!followsSource) return false
  const current = currentOf(readRolloutState(configuration.stateDirectory, readHost))
  return current?.backTo !== undefined && current.backTo === basename(manifests)
}

/** The mark of the newest accepted revision, for markers. Undefined: none was accepted yet, or the manifests come from elsewhere. */
export function readMark({ configuration, followsSource, readHost }: Session): string | undefined {
  const { source, stateDirectory } = configuration
  if (!followsSource || source?.type !== 'git') return undefined
  const healthy = findHealthy(readRolloutState(stateDirectory, readHost))
  return markOf(readSourceState(sourceDirectory(stateDirectory), keyOf(source), readHost), healthy?.revision.commit)
}

function fileIn(stateDirectory: string): string {
  return join(sourceDirectory(stateDirectory), 'revisions.json')
}

function parse(text: string | undefined): unknown {
  try {
    return text === undefined ? undefined : JSON.parse(text)
  } catch {
    return undefined
  }
}

function readRecord(value: unknown): RevisionRecord[] {
  if (!isObject(value) || !isRevision(value.revision)) return []
  const { revision, outcome, began, changed, changedCount, steps, starts } = value
  if (!isOutcome(outcome) || typeof began !== 'string' || !Array.isArray(changed)) return []
  const names = changed.filter(name => typeof name === 'string')
  return [
    {
      revision,
      outcome,
      began,
      changed: names,
      changedCount: typeof changedCount === 'number' ? changedCount : names.length,
      steps: typeof steps === 'number' ? steps : 0,
      starts: typeof starts === 'number' ? starts : 0,
      ...textsOf(value),
      ...(value.isHeld === true && { isHeld: true }),
      ...(value.isOvertaken === true && { isOvertaken: true }),
      ...(value.isForgiven === true && { isForgiven: true }),
      ...(isSummary(value.plan) && { plan: value.plan }),
    },
  ]
}

function textsOf({ message, ended, base, backTo }: Record<string, unknown>): Partial<RevisionRecord> {
  return {
    ...(typeof message === 'string' && { message }),
    ...(typeof ended === 'string' && { ended }),
    ...(typeof base === 'string' && { base }),
    ...(typeof backTo === 'string' && { backTo }),
  }
}

function isOutcome(value: unknown): value is RevisionOutcome {
  return typeof value === 'string' && outcomes.has(value)
}

function isSummary(value: unknown): value is NonNullable<RevisionReport['plan']> {
  return isObject(value) && ['add', 'change', 'repair', 'remove'].every(key => typeof value[key] === 'number')
}
