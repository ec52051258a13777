import type { ApplyOutcome } from '../../core/contracts/apply-outcome.ts'
import type { ReadHost } from '../../core/contracts/host.ts'
import type { FacilityStatus } from '../../core/contracts/status.ts'
import type { Facility } from '../../core/model/facility.ts'
import { findCondition } from '../../core/reconcile/conditions.ts'
import { describeLastLines, LAST_LINES, lastLinesOf } from '../../core/state/last-output.ts'
import type { Observed } from '../../core/state/observed.ts'
import { locationKey } from '../../core/state/snapshot.ts'
import { readLogEnd } from '../../host/service-log.ts'
import type { PlanRun } from '../refresh/plan-run.ts'
import type { Refresh } from '../refresh/refresh.ts'
import type { Session } from '../session/session.ts'
import type { BoundInstance } from '../session/supervisor-instances.ts'

/** Where the output of services is found. */
export interface OutputGround {
  readonly instances: ReadonlyMap<string, BoundInstance>
  facility(name: string): Facility | undefined
  readonly host: ReadHost
}

export function outputGroundOf(
  { readHost: host }: Pick<Session, 'readHost'>,
  { instances, refresh }: Pick<PlanRun, 'instances' | 'refresh'>,
): OutputGround {
  const declared = new Map(refresh.targets.map(({ facility }) => [facility.name, facility]))
  return { instances, facility: name => declared.get(name), host }
}

/** Limit of services whose last lines are read at once: more don't fit a table, and each query of a journal takes a process. */
const MOST_ASKED = 20

const tellingReasons: ReadonlySet<string> = new Set(['CrashLooping', 'FailedForGood', 'Failed'])

/** Adds the last lines of facilities that don't stay up. */
export async function addLastOutput(
  statuses: readonly FacilityStatus[],
  ground: OutputGround,
): Promise<FacilityStatus[]> {
  const asked = new Set(statuses.filter(isDown).slice(0, MOST_ASKED))
  return Promise.all(
    statuses.map(async status => {
      if (!asked.has(status)) return status
      const lastOutput = await readLastOutput(status, status.output, ground)
      return lastOutput.length === 0 ? status : { ...status, lastOutput }
    }),
  )
}

function isDown({ conditions }: FacilityStatus): boolean {
  const ready = findCondition(conditions, 'Ready')
  return ready?.status === 'False' && (tellingReasons.has(ready.reason) || isLooping(conditions))
}

function isLooping(conditions: FacilityStatus['conditions']): boolean {
  return findCondition(conditions, 'CrashLooping')?.status === 'True'
}

/** Adds the last lines of facilities that did not become ready because they ended by themselves. */
export async function withLastOutput(
  outcome: ApplyOutcome,
  { snapshot }: Pick<Refresh, 'snapshot'>,
  ground: OutputGround,
): Promise<ApplyOutcome> {
  const notReady = await Promise.all(
    outcome.notReady.map(async ({ facility: name, message }, index) => {
      const facility = ground.facility(name)
      const observed = facility && snapshot.services.get(locationKey(facility))
      if (!facility || !hasEnded(observed) || index >= MOST_ASKED) return { facility: name, message }
      const lines = await readLastOutput(facility, observed?.output, ground)
      const { output } = observed ?? {}
      const what = output === undefined ? 'its output' : `its output (${output})`
      return { facility: name, message: message + describeLastLines(what, lines) }
    }),
  )
  return { ...outcome, notReady }
}

function hasEnded(observed: Observed | undefined): boolean {
  return observed?.state === 'failed' || (observed?.restarts ?? 0) > 0
}

/** Empty if the output cannot be read: it is only an addition. */
async function readLastOutput(
  { name, supervisor, service }: Pick<Facility, 'name' | 'supervisor' | 'service'>,
  output: string | undefined,
  { instances, facility, host }: OutputGround,
): Promise<readonly string[]> {
  const bound = instances.get(supervisor)
  if (!bound) return []
  const { observer } = bound
  const process = facility(name)?.process
  const file = process?.output?.file ?? (output?.startsWith('/') ? output : undefined)
  try {
    if (file === undefined) {
      return lastLinesOf(((await observer.readLastLines?.(service, LAST_LINES)) ?? []).join('\n'))
    }
    const found = readLogEnd(file, process, host)
    return found ? lastLinesOf(found.text, found) : []
  } catch {
    return []
  }
}
