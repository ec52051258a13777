import type { Definition } from '../model/definition.ts'
import type { ResolvedFacility } from '../model/resolved-facility.ts'
import { findAdopted, tooLargeToKeep } from '../state/adopted-file.ts'
import { definitionDiffers, fileDiffers, filesDiffer, findSurplus, otherDefinitionExists } from '../state/comparison.ts'
import type { Observed } from '../state/observed.ts'
import { placeOf } from '../state/place.ts'
import { isCompleted } from '../state/readiness.ts'
import { locationKey } from '../state/snapshot.ts'
import { bytesOf } from '../text/bytes.ts'
import { definitionDiff, diffText } from '../text/diff-text.ts'
import { hasDefinitionDrifted, hasEnablementDrifted, hasFileDrifted } from './applied-parts.ts'
import { findBlocker, mayEnd } from './blocker.ts'
import { withBlocker } from './blocking.ts'
import { planFileRemovals } from './file-removal.ts'
import { findOldLocations, isOurs, type OldLocation } from './ownership.ts'
import type { PlanContext } from './plan-input.ts'
import type { Reason } from './reason.ts'
import { findRequiredRestart } from './required-restart.ts'
import { findStartBlocker } from './start-blocker.ts'
import type { Change, FacilityPlan } from './step.ts'
import { createStepBuilder, keptFiles, type StepBuilder } from './step-builder.ts'
import { explainSteps } from './step-detail.ts'

/**
 * Plan of one facility, from its observed to its desired state. Order of its steps:
 *
 *   remove-file (dropped) → install → write-file … → enable|disable → [stop old] → start|stop|restart|reload
 *     → [remove-file (dropped with the old), remove old]
 *
 * Where additions to somebody else's service are no longer declared, `remove` stands in place of `install`. `install` writes the
 * marker, and so precedes the files that it names; dropped files are removed while a marker still names them. Whether a process needs
 * a restart or reload follows from what it has loaded, never from what this plan writes, so that it survives a crash between
 * the two (E4).
 */
export function planFacility(target: ResolvedFacility, context: PlanContext): FacilityPlan {
  const { name, supervisor, service, suspend } = target.facility
  const unchanged: FacilityPlan = { name, supervisor, service, change: 'none', steps: [] }
  if (suspend) {
    const resumed = planFacility({ ...target, facility: { ...target.facility, suspend: false } }, context)
    return { ...unchanged, suspended: true, ...withhold(resumed) }
  }

  const observed = context.snapshot.services.get(locationKey(target.facility))
  const blocker = findBlocker(target, observed, context)
  if (!observed || (blocker !== undefined && !mayEnd(target, observed, context))) {
    return { ...unchanged, ...(blocker !== undefined && { blocked: blocker }) }
  }
  const old = findOldLocations(target, context)
  const plan = planSteps(target, observed, old, context)
  const others = old.map(({ observed: before }) => before)
  const blocked = blocker ?? findStartBlocker(target, observed, others, plan.steps)
  return blocked === undefined ? plan : withBlocker(plan, blocked)
}

function planSteps(
  target: ResolvedFacility,
  observed: Observed,
  old: readonly OldLocation[],
  context: PlanContext,
): FacilityPlan {
  const { name, supervisor, service } = target.facility
  const unchanged: FacilityPlan = { name, supervisor, service, change: 'none', steps: [] }
  const change = classify(target, observed, old, context)
  const course: Course = { target, observed, change, isMove: old.length > 0, context, chain: createStepBuilder(name) }
  const { chain } = course
  planDroppedFiles(course)
  planDefinition(course)
  planRelease(course)
  planFiles(course)
  planEnablement(course)
  for (const { location, observed: before } of old) {
    if (isUp(before) && !location.ownership.isAddition) chain.add('stop', 'moved', { target: location })
  }
  planState(course)
  for (const { location } of old) {
    planFileRemovals(location, 'file-dropped', { target: location }, context, chain)
    chain.add('remove', 'moved', { target: location })
  }
  if (chain.steps.length === 0) return unchanged
  const { renamedFrom } = target.facility
  const isRenamed = renamedFrom !== undefined && context.newNames.has(renamedFrom) && hasMarkerOf(renamedFrom, context)
  const steps = explainSteps(chain.steps, target, observed)
  return { ...unchanged, change, ...(isRenamed ? { renamedFrom } : {}), steps, ...keptFiles(chain) }
}

function withhold({ change, steps, blocked }: FacilityPlan): Pick<FacilityPlan, 'withheld'> {
  if (change === 'remove') return {} // no declared facility is removed
  if (blocked !== undefined) return { withheld: { change, steps, blocked } }
  return steps.length > 0 ? { withheld: { change, steps } } : {}
}

/** Whether a marker on the host still has the facility's former name. */
function hasMarkerOf(former: string, context: PlanContext): boolean {
  const locations = context.ownedBy.get(context.newNames.get(former) ?? former) ?? []
  return locations.some(({ ownership }) => ownership.facility === former)
}

/** Planning of one facility under way. */
interface Course {
  readonly target: ResolvedFacility
  readonly observed: Observed
  readonly change: Change
  readonly isMove: boolean
  readonly context: PlanContext
  readonly chain: StepBuilder
}

/** Change of the manifest, or drift of the host. */
function classify(
  target: ResolvedFacility,
  observed: Observed,
  old: readonly OldLocation[],
  context: PlanContext,
): Change {
  const { facility } = target
  const before = context.applied.get(facility.name)
  // Its manifest is the same, and its supervisor's has changed.
  const isMoved = old.length > 0 && observed.state === 'absent'
  if (before) {
    return before.digest === facility.digest && !observed.isEarlierForm && !isMoved ? 'repair' : 'change'
  }
  if (old.length > 0) return 'change'
  if (target.definition === undefined) return 'change'
  if (!isOurs(target, observed, context)) return 'add'
  return definitionDiffers(target, observed, context.snapshot) || filesDiffer(target, context.snapshot)
    ? 'change'
    : 'repair'
}

/** Removes dropped files before the marker is rewritten, which names them until then. */
function planDroppedFiles({ target, observed, context, chain }: Course): void {
  if (!target.definition || !isOurs(target, observed, context)) return
  const { ownership } = observed
  if (ownership) planFileRemovals({ ownership }, 'file-dropped', {}, context, chain)
}

function planDefinition(course: Course): void {
  const { target, observed, context, chain } = course
  if (!target.definition) return
  // After a crash, the definition may be in place and its supervisor not have loaded it yet.
  if (!definitionDiffers(target, observed, context.snapshot) && observed.state !== 'absent') return
  const diff = target.definition.files
    .map(({ path, content, mode }) => {
      const found = context.snapshot.files.get(path)
      return definitionDiff(path, { content: found?.content, mode: found?.mode }, { content: bytesOf(content), mode })
    })
    .join('')
  const gone = removalDiff(findSurplus(target, observed), context)
  chain.add('install', installReason(course, target.definition), { diff: diff + gone })
}

function planRelease({ target, observed, change, context, chain }: Course): void {
  const { ownership, definitionFiles = [] } = observed
  if (target.definition || !ownership?.isAddition || !isOurs(target, observed, context)) return
  planFileRemovals({ ownership }, 'file-dropped', {}, context, chain)
  const reason: Reason = change === 'repair' ? 'definition-drift' : changeReason('definition-changed', context)
  chain.add('remove', reason, { diff: removalDiff(definitionFiles, context) })
}

function removalDiff(paths: readonly string[], { snapshot }: PlanContext): string {
  return paths.map(path => definitionDiff(path, { content: snapshot.files.get(path)?.content }, {})).join('')
}

function installReason(course: Course, definition: Definition): Reason {
  const { target, observed, context } = course
  if (course.change === 'repair' || isOurs(target, observed, context))
    return !observed.isEarlierForm && hasDefinitionDrifted(course)
      ? 'definition-drift'
      : changeReason('definition-changed', context)
  const isAdopted = observed.state !== 'absent' && !definition.isAddition
  return isAdopted || otherDefinitionExists(definition, context.snapshot) ? 'adopted' : 'new'
}

function planFiles(course: Course): void {
  const { target, context, chain } = course
  for (const file of target.files) {
    const found = context.snapshot.files.get(file.path)
    if (!fileDiffers(file, found)) continue
    const isKnown = context.ownedFiles.has(placeOf(file.path, context.snapshot))
    const foreign: Reason = found !== undefined && found.kind !== 'absent' ? 'adopted' : 'new'
    const known: Reason = hasFileDrifted(file, course) ? 'file-drift' : changeReason('file-changed', context)
    const reason: Reason = isKnown || course.change === 'repair' ? known : foreign
    const diff = diffText(file.path, { content: undefined, mode: undefined, ...found }, file)
    chain.add('write-file', reason, { path: file.path, diff })
    if (reason === 'adopted' && findAdopted(file, target, found)?.isKept === false) {
      chain.noteUnkept({ path: file.path, why: tooLargeToKeep })
    }
  }
}

function planEnablement(course: Course): void {
  const { target, observed, change, chain } = course
  const { enabled, state } = target.facility
  if (enabled === 'unmanaged' || observed.enabled === 'unknown') return
  const known: Reason = hasEnablementDrifted(course) ? 'enablement-drift' : 'enablement'
  const reason: Reason = change === 'add' ? 'new' : known
  if (enabled !== observed.enabled) {
    chain.add(enabled ? 'enable' : 'disable', reason)
  } else if (enabled && state === 'unmanaged' && !observed.supervised) {
    chain.add('enable', 'unsupervised') // else nothing would start it at boot
  }
}

function planState(course: Course): void {
  const { target, observed, change, isMove, context, chain } = course
  const { facility } = target
  if (facility.state === 'stopped') {
    if (isUp(observed)) chain.add('stop', 'running')
    return
  }
  const requiredRestart = findRequiredRestart(target, observed, findWrite(chain) !== undefined, context)
  if (isUp(observed) && observed.state !== 'stopping') {
    const isIll = context.unhealthy?.has(facility.name) && facility.health?.onFailure === 'restart'
    if (requiredRestart === 'restart') chain.add('restart', restartReason(chain))
    else if (isIll) chain.add('restart', 'unhealthy')
    else {
      if (facility.state === 'running' && !observed.supervised) chain.add('start', 'unsupervised')
      if (requiredRestart === 'reload') chain.add('reload', restartReason(chain))
      else if (mayStartWaiting(facility.name, context) && facility.state === 'running' && isWaiting(observed))
        chain.add('start', 'failed')
    }
    return
  }
  if (facility.state === 'unmanaged') return
  // A completed job; or a final failure, unless it is a move that is tried again.
  const isDone = isCompleted(facility, observed) || (observed.state === 'failed' && isForever(target) && !isMove)
  if (isDone && !requiredRestart) return
  chain.add('start', startReason(observed, change, isMove))
}

function mayStartWaiting(facility: string, { startsWaiting = false }: PlanContext): boolean {
  return typeof startsWaiting === 'boolean' ? startsWaiting : startsWaiting.has(facility)
}

/** Whether the service waits in its supervisor's backoff. */
function isWaiting({ state, pid, supervised, restarts = 0 }: Observed): boolean {
  return state === 'starting' && pid === undefined && supervised && restarts > 0
}

/** Whether a failure is final. */
function isForever(target: ResolvedFacility): boolean {
  return target.facility.process?.restart.policy === 'never'
}

function startReason(observed: Observed, change: Change, isMove: boolean): Reason {
  if (isMove) return 'moved'
  if (change === 'add' && observed.state === 'absent') return 'new'
  return observed.state === 'failed' ? 'failed' : 'stopped'
}

/** Reason of a restart or reload: that of the write in this plan, if there is one. */
function restartReason(chain: StepBuilder): Reason {
  const cause = findWrite(chain)
  if (!cause) return 'out-of-date'
  const isChange = cause.reason === 'file-drift' || cause.reason === 'rolled-back'
  return cause.verb !== 'write-file' || isChange ? cause.reason : 'file-changed'
}

/** Reason of what the manifest declares otherwise than before. */
function changeReason(reason: 'definition-changed' | 'file-changed', { isRolledBack }: PlanContext): Reason {
  return isRolledBack ? 'rolled-back' : reason
}

function findWrite(chain: StepBuilder): StepBuilder['steps'][number] | undefined {
  return chain.steps.find(({ verb }) => verb === 'install' || verb === 'remove' || verb === 'write-file')
}

function isUp(observed: Observed | undefined): boolean {
  const state = observed?.state
  return state === 'running' || state === 'starting' || state === 'stopping'
}
