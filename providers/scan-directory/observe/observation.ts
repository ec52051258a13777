import { join } from 'node:path'
import type { ReadHost } from '../../../src/core/contracts/host.ts'
import { messageOf } from '../../../src/core/reeve-error.ts'
import { type Observed, type Ownership, unknownService } from '../../../src/core/state/observed.ts'
import { GOOD_RUN } from '../../../src/core/state/readiness.ts'
import { findSignalName } from '../../../src/host/signals.ts'
import { readMarker } from '../definition/marker.ts'
import {
  type Ending,
  isTakenOver,
  readClaim,
  readEnding,
  readLoaded,
  readLogProblem,
  readProblem,
} from '../definition/records.ts'
import type { Family, SupervisionStatus } from '../family.ts'
import { type Layout, type Place, placeOf } from '../layout.ts'
import { createEvidence, type Evidence } from './evidence.ts'
import { readSupervision, type Supervision } from './supervision.ts'

/** Time in ms that a run script may take until it has written its claim. */
const claimTime = 5_000

/** Reads only files, pipes and /proc: nothing is queried. */
export function observeServices(
  family: Family,
  services: readonly string[],
  layout: Layout,
  host: ReadHost,
): Map<string, Observed> {
  const proofs = createEvidence(family, host)
  return new Map(services.map(service => [service, observeService(family, layout, service, host, proofs)]))
}

export function observeService(
  family: Family,
  layout: Layout,
  service: string,
  host: ReadHost,
  proofs: Evidence,
): Observed {
  try {
    const ours = placeOf(layout, service)
    const linked = findLinked(ours, host)
    const isForeign = isElsewhere(linked, ours, host)
    // The service that the scanner runs under that name, from wherever, is the service of that name.
    const place = isForeign ? placeOf(layout, service, linked) : ours
    const ownership = isForeign ? undefined : readMarker(place, host)
    const supervision = readSupervision(family, place, host, proofs)
    if (supervision.state === 'unknown') return unknownService(service, supervision.message)
    const enabled = linked !== undefined && host.facts(place.down) === undefined
    const exists = host.facts(join(place.directory, 'run')) !== undefined || host.facts(place.marker) !== undefined
    if (!exists && !ownership && supervision.state === 'dead' && !supervision.orphan) {
      return { service, state: 'absent', enabled, supervised: false }
    }
    const found = { family, place, ownership, supervision, isLinked: linked !== undefined, host }
    return { service, enabled, ...(ownership && { ownership }), ...judge(found) }
  } catch (error) {
    return unknownService(service, messageOf(error))
  }
}

export function isElsewhere(linked: string | undefined, { directory }: Place, host: ReadHost): linked is string {
  return linked !== undefined && linked !== directory && linked !== host.realPath(directory)
}

/** Target of the link. Undefined: it is dangling or missing. */
export function findLinked({ link, directory }: Place, host: ReadHost): string | undefined {
  // As Reeve makes it: resolving every component of two paths would take three times as long.
  const isDirect = host.readLink(link) === directory && host.facts(directory)?.kind === 'directory'
  return isDirect ? directory : host.realPath(link)
}

interface Found {
  readonly family: Family
  readonly place: Place
  readonly ownership: Ownership | undefined
  readonly supervision: Exclude<Supervision, { readonly state: 'unknown' }>
  readonly isLinked: boolean
  readonly host: ReadHost
}

type Judged = Pick<Observed, 'state' | 'supervised'> & Partial<Observed>

function judge(found: Found): Judged {
  const { family, place, supervision, isLinked, host } = found
  const { orphan } = supervision
  if (orphan) {
    const loaded = readLoaded(place, host)
    const what =
      orphan.lostSupervisor === undefined
        ? `its ${family.supervisor} was killed, and left process ${orphan.pid} behind`
        : `${place.directory} was replaced, and ${family.supervisor} (pid ${orphan.lostSupervisor}) runs process ${orphan.pid} in what was there`
    const message = `${what}; it is stopped before another copy is started`
    return { state: 'running', supervised: false, pid: orphan.pid, message, ...(loaded && { loaded }) }
  }
  if (supervision.state === 'alive') return judgeStatus(found, supervision)
  const message = isLinked ? `no ${family.supervisor} has come for it yet` : undefined
  return { state: 'stopped', supervised: false, ...(message !== undefined && { message }) }
}

function judgeStatus(
  { family, place, host }: Found,
  { status, pid, launched, isPreparing }: Supervision & { readonly state: 'alive' },
): Judged {
  const ending = readEnding(place, host)
  const base = { supervised: true, since: status.since, ...(ending && { exit: exitOf(ending) }) }
  if (status.state === 'up' && pid !== undefined) {
    if (status.want === 'down') return { ...base, state: 'stopping', pid }
    const startedAt = status.since
    if (!launched) {
      // Scripts of others, and ours before an adoption, don't record when they have become the service.
      const isOurs = readClaim(place, host)?.pid === pid
      const isYoung = Math.abs(host.now() - status.since) < claimTime && host.facts(place.records) !== undefined
      if (!isOurs && !isPreparing && !isYoung) return { ...base, state: 'running', pid, startedAt }
      // Without a finish script, the run script waits for the time of the next start.
      const counted = countRestarts(ending)
      const why = counted.restarts ? (readProblem(place, host) ?? (ending && describeEnding(ending))) : undefined
      return { ...base, ...counted, state: 'starting', ...(why !== undefined && { message: why }) }
    }
    const loaded = readLoaded(place, host)
    const paused = status.isPaused && { message: 'it is paused by a signal: continue it' }
    if (status.isReady === false && host.facts(join(place.directory, 'notification-fd'))) {
      return {
        ...base,
        state: 'starting',
        pid,
        ...(loaded && { loaded }),
        message: 'it has not said yet that it is ready',
      }
    }
    const logProblem = readLogProblem(place, host)
    if (logProblem !== undefined) {
      // It continues until the pipe to its logger is full.
      const message = `its output cannot be written: ${logProblem}`
      return { ...base, state: 'starting', pid, ...(loaded && { loaded }), message }
    }
    // The supervisor's stamp is that of the run script, which takes its time.
    const ready = isTakenOver(place, host) ? undefined : host.facts(join(place.records, 'launched'))?.modified
    const since = ready ?? status.since
    const isGood = Math.abs(host.now() - since) >= GOOD_RUN
    const restarts = countRestarts(isGood ? ending && { ...ending, failures: 0 } : ending)
    return { ...base, ...restarts, state: 'running', since, pid, startedAt, ...(loaded && { loaded }), ...paused }
  }
  if (status.state === 'finish' && status.want === 'down' && ending?.wasAsked !== false) {
    return { ...base, state: 'stopping', message: `its finish script runs (pid ${status.pid})` }
  }
  if (status.want === 'up') {
    const problem = readProblem(place, host)
    const why = problem ?? (ending && describeEnding(ending))
    const isHeldUp = hangs(status, host)
    const waits = isHeldUp
      ? `its finish script runs (pid ${status.pid}), and then ${family.supervisor} starts it again`
      : `waits for ${family.supervisor} to start it again`
    return {
      ...base,
      // Delayed by its own script, and not by a backoff that a start would skip.
      ...(!isHeldUp && countRestarts(ending)),
      state: 'starting',
      ...(problem !== undefined && { cause: problem }),
      message: why === undefined ? waits : `${waits}: ${why}`,
    }
  }
  if (!ending || ending.wasAsked) return { ...base, state: 'stopped' }
  const loaded = readLoaded(place, host)
  const ended = { ...base, ...(loaded && { loaded }) }
  const problem = readProblem(place, host)
  // Of a program that daemonized, the started process has exited successfully.
  if (ending.code === 0 && problem === undefined) return { ...ended, state: 'stopped', completed: true }
  return { ...ended, state: 'failed', message: problem ?? describeEnding(ending) }
}

function countRestarts(ending: Ending | undefined): Pick<Observed, 'restarts' | 'totalRestarts'> {
  if (!ending || ending.wasAsked) return { restarts: 0, totalRestarts: 0 }
  const { failures: restarts, total } = ending
  return { restarts, ...(total !== undefined && { totalRestarts: total }) }
}

/** The delay before another start is a `sleep` that the finish script has become. */
function hangs({ state, pid }: SupervisionStatus, host: ReadHost): boolean {
  return state === 'finish' && host.readText(`/proc/${pid}/cmdline`)?.startsWith('sleep\0') === false
}

function exitOf({ code, signal }: Ending): NonNullable<Observed['exit']> {
  if (code !== undefined) return { code }
  return { signal: findSignalName(signal ?? 0) ?? String(signal) }
}

function describeEnding(ending: Ending): string {
  const { code, signal } = exitOf(ending)
  return `it ended by itself with ${signal === undefined ? `exit code ${code}` : `signal ${signal}`}`
}
