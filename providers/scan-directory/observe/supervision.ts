import { basename, join } from 'node:path'
import type { ProcessFacts, ReadHost } from '../../../src/core/contracts/host.ts'
import { tryTo } from '../../../src/core/try-to.ts'
import { isPipeRead } from '../../../src/host/pipe-reader.ts'
import { isAlive, isLiving, type ProcessIdentity } from '../../../src/host/process-identity.ts'
import { isWrapped } from '../../posix/exec-wrapper.ts'
import { readStart } from '../../posix/process-age.ts'
import { readClaim, readLaunched } from '../definition/records.ts'
import { scriptWords } from '../definition/run-script.ts'
import type { Family, SupervisionStatus } from '../family.ts'
import type { Place } from '../layout.ts'
import { createEvidence, type Evidence, isProgram, isStartedThere, isUnforged } from './evidence.ts'

/**
 * State of a service's supervisor:
 *
 *   alive    its status is valid
 *   dead     the status is stale. `orphan`: the process that it started, and left when it was killed
 *   unknown  it is alive, but its status can't be parsed, or isn't trusted
 */
export type Supervision =
  | {
      readonly state: 'alive'
      readonly status: SupervisionStatus
      /** Pid of the service, or of the script that prepares it. */
      readonly pid: number | undefined
      /** The service itself is executed, not only prepared. */
      readonly launched: ProcessIdentity | undefined
      /** The run script is still at work, or has only just become another program. */
      readonly isPreparing: boolean
      readonly orphan: Orphan | undefined
    }
  | { readonly state: 'dead'; readonly orphan: Orphan | undefined }
  | { readonly state: 'unknown'; readonly message: string; readonly orphan: undefined }

export interface Orphan extends ProcessIdentity {
  /** Its supervisor is alive, and works in a directory that has been replaced since. */
  readonly lostSupervisor?: number
}

export function readSupervision(
  family: Family,
  place: Place,
  host: ReadHost,
  proofs: Evidence = createEvidence(family, host),
): Supervision {
  const problem = proofs.findProblem(place)
  if (problem !== undefined) return { state: 'unknown', message: problem, orphan: undefined }
  const isUnproven = !isUnforged(family, place.supervise, host)
  const isSupervised = isSupervisorAlive(family, place, host, proofs)
  const told = isSupervised ? readStatus(family, place, host) : undefined
  // A status that others can write isn't corrected, but distrusted.
  const status = told && !isUnproven ? correctStatus(told, family, place, host, proofs) : told
  const claim = readClaim(place, host)
  const living = claim && isAlive(claim, host) ? claim : undefined
  if (isSupervised && !status) {
    const message = `${family.supervisor} runs, but what it says in ${place.supervise}/status cannot be read`
    return { state: 'unknown', message, orphan: undefined }
  }
  if (status && isUnproven && !isProven(status, family, place, host)) {
    const message = `others than root can write ${place.supervise}/status, and it is not as the processes of ${family.supervisor} are`
    return { state: 'unknown', message, orphan: undefined }
  }
  if (!status) return { state: 'dead', orphan: living && toOrphan(family, living, host) }
  const pid = status.state === 'up' ? findMain(family, status.pid, living, host) : undefined
  const launched = readLaunched(place, host)
  const isPreparing = pid !== undefined && !isExecuted(family, pid, host)
  const isCurrent = launched && launched.pid === pid && living?.startTime === launched.startTime
  return {
    state: 'alive',
    status,
    pid,
    launched: isCurrent && !isPreparing ? launched : undefined,
    isPreparing,
    orphan: living && living.pid !== pid && status.state !== 'finish' ? toOrphan(family, living, host) : undefined,
  }
}

export function isSupervisorAlive(
  family: Family,
  place: Place,
  host: ReadHost,
  proofs: Evidence = createEvidence(family, host),
): boolean {
  if (isUnforged(family, place.supervise, host)) return isPipeRead(join(place.supervise, family.livenessPipe))
  return proofs.findSupervisor(host.realPath(place.directory) ?? '') !== undefined
}

/** Time in ms that a process may have begun after its recorded start: clocks are read one after the other, in ticks. */
const stampTolerance = 2_000

/**
 * On a full disk the supervisor continues, and its status stays as it was: if the pid in it is gone or reused, it isn't
 * trusted. Then its children are what runs.
 */
function correctStatus(
  told: SupervisionStatus,
  family: Family,
  place: Place,
  host: ReadHost,
  proofs: Evidence,
): SupervisionStatus {
  if (told.state !== 'up' || told.pid === undefined) return told
  const facts = host.process(told.pid)
  const isThere = isLiving(facts)
  if (isThere && readStart(facts, host) <= told.since + stampTolerance) return told
  if (isThere && isStartedThere(told.pid, family, place, host)) return told
  const [child] = listChildren(place, host, proofs)
  const { pid: _pid, ...rest } = { ...told, isCorrected: true as const }
  return child ? { ...rest, pid: child.pid, since: readStart(child, host) } : { ...rest, state: 'down' }
}

function listChildren(place: Place, host: ReadHost, proofs: Evidence): ProcessFacts[] {
  const directory = host.realPath(place.directory) ?? ''
  const supervisor = proofs.findSupervisor(directory)
  if (supervisor === undefined) return []
  return host.processes().flatMap(pid => {
    const facts = host.process(pid)
    if (!isLiving(facts) || facts.parent !== supervisor) return []
    // It runs the log as well, in a directory of its own.
    return tryTo(() => host.readLink(`/proc/${pid}/cwd`)) === join(directory, 'log') ? [] : facts
  })
}

/** As far as /proc can tell: it has started what it says, or nothing but a log. */
function isProven({ pid }: SupervisionStatus, family: Family, place: Place, host: ReadHost): boolean {
  if (pid !== undefined) return isStartedThere(pid, family, place, host)
  const log = family.supervisesLog && host.facts(join(place.directory, 'log/run')) ? 1 : 0
  return host.processes().filter(child => isStartedThere(child, family, place, host)).length <= log
}

/** The process that the supervisor has started may be the parent of the service; see `FamilyScripts.hasFinish`. */
function findMain(
  { scripts }: Family,
  started: number | undefined,
  claimed: ProcessIdentity | undefined,
  host: ReadHost,
): number | undefined {
  if (scripts.hasFinish || !claimed || started === undefined) return started
  return host.process(claimed.pid)?.parent === started ? claimed.pid : started
}

function toOrphan({ supervisor, scripts }: Family, process: ProcessIdentity, host: ReadHost): Orphan {
  const parent = host.process(process.pid)?.parent ?? 0
  const starter = scripts.hasFinish ? parent : (host.process(parent)?.parent ?? 0)
  const isLost = isProgram(starter, supervisor, host)
  return { ...process, ...(isLost && { lostSupervisor: starter }) }
}

/** False as long as the process is the run script, or a program by which it becomes the service. */
export function isExecuted({ launchers }: Pick<Family, 'launchers'>, pid: number, host: ReadHost): boolean {
  const words = readCommandLine(pid, host).split('\0')
  if (scriptWords.every((word, index) => words[index] === word) || isWrapped(words)) return false
  const program = basename(words[0] ?? '')
  return !['env', 'prlimit', ...launchers].includes(program)
}

/** In the middle of an execution it is empty, for less than a millisecond. */
function readCommandLine(pid: number, host: ReadHost): string {
  let text: string | undefined = ''
  for (let look = 1; look <= 20 && text === ''; look += 1) text = host.readText(`/proc/${pid}/cmdline`)
  return text ?? ''
}

/** A file that is replaced by renaming is always complete; others may be read while they are written. */
function readStatus(family: Family, place: Place, host: ReadHost): SupervisionStatus | undefined {
  for (let attempt = 1; attempt <= 3; attempt += 1) {
    const content = host.readFile(join(place.supervise, 'status'))
    const status = content && family.parseStatus(content)
    if (status) return status
  }
  return undefined
}

/** True if the supervisor of the log is alive. */
export function isLogSupervised(family: Family, place: Place, host: ReadHost): boolean {
  const isRead = isPipeRead(join(place.logSupervise, family.livenessPipe))
  if (!isRead || isUnforged(family, place.logSupervise, host)) return isRead
  const directory = family.supervisesLog ? place.directory : join(place.directory, 'log')
  return createEvidence(family, host).findSupervisor(host.realPath(directory) ?? '') !== undefined
}
