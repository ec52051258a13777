import { bytesEqual } from './bytes.ts'
import { definitionDiff, diffText } from './diff-text.ts'
import { hasDefinition, type OnChange } from './facility.ts'
import type { Observed, ObservedFile } from './observed.ts'
import type { PlanContext } from './plan-input.ts'
import type { Change, FacilityPlan, Reason } from './step.ts'
import { createStepChain, type StepChain } from './step-chain.ts'
import type { Target, TargetFile } from './target.ts'
import { type Location, locationKey, type OwnedLocation } from './world.ts'

/**
 * What leads one facility from what is observed to what is declared. The order of its steps:
 *
 *   remove-file (dropped) → install → write-file … → enable|disable → [stop old] → start|stop|restart|reload → [remove old]
 *
 * `install` writes the marker, and so comes before the files that it names; a dropped file goes while the marker still
 * names it. What a running process still owes (a restart, a reload) is read from what the process has loaded, never
 * from the fact that something is being written now: so it survives a crash between the two (E4).
 */
export function planFacility(target: Target, context: PlanContext): FacilityPlan {
  const { facility } = target
  const location: Location = { supervisor: facility.supervisor, service: facility.service }
  const base = { name: facility.name, supervisor: facility.supervisor, service: facility.service }
  const unchanged: FacilityPlan = { ...base, change: 'none', steps: [] }
  if (facility.suspend) return unchanged

  const observed = context.world.services.get(locationKey(location))
  const blocked = findObstacle(target, observed, context)
  if (blocked !== undefined) return { ...unchanged, blocked }
  if (!observed) return unchanged

  const old = findOldLocations(target, context)
  const change = classify(target, observed, old, context)
  const chain = createStepChain(facility.name)
  planDroppedFiles(target, observed, context, chain)
  planDefinition(target, observed, change, context, chain)
  planFiles(target, observed, change, context, chain)
  planEnablement(target, observed, change, chain)
  for (const { location: at, observed: before } of old) {
    if (isUp(before)) chain.add('stop', 'moved', { target: at })
  }
  planState(target, observed, change, old.length > 0, context, chain)
  for (const { location: at } of old) chain.add('remove', 'moved', { target: at })
  return chain.steps.length === 0 ? unchanged : { ...base, change, steps: chain.steps }
}

function findObstacle(target: Target, observed: Observed | undefined, context: PlanContext): string | undefined {
  const { facility } = target
  const { world, applied } = context
  const [problem] = target.problems
  if (problem !== undefined) return target.problems.join('; ')
  const reason = world.unavailable.get(facility.supervisor)
  if (reason !== undefined) return `supervisor ${facility.supervisor} is unavailable: ${reason}`
  if (!observed) return `supervisor ${facility.supervisor} said nothing of service ${facility.service}`
  if (observed.state === 'unknown') {
    return `the state of service ${facility.service} is unknown: ${observed.message ?? 'the supervisor does not say why'}`
  }
  const before = applied.get(facility.name)
  if (before && before.supervisor !== facility.supervisor && world.unavailable.has(before.supervisor)) {
    return `it was under supervisor ${before.supervisor}, which is unavailable (${world.unavailable.get(before.supervisor)}), so it can't be stopped there first`
  }
  for (const { observed: old, location } of findOldLocations(target, context)) {
    if (old?.state === 'unknown') {
      return `the state of its old service ${locationKey(location)} is unknown: ${old.message ?? 'the supervisor does not say why'}`
    }
  }
  if (!hasDefinition(facility) && observed.state === 'absent' && !target.definition) {
    return (
      `supervisor ${facility.supervisor} has no service ${facility.service}, and the manifest doesn't say how to run one: ` +
      'install the package that brings it, or declare spec.process'
    )
  }
  if (observed.enabled === 'fixed' && facility.enabled !== 'unmanaged') {
    return (
      `service ${facility.service} can be neither enabled nor disabled (${observed.message ?? 'its definition allows neither'}): ` +
      'declare enabled: unmanaged'
    )
  }
  return findStranger(target, observed, context) ?? findFileObstacle(target, observed, context)
}

/** E8: something of that name that isn't ours. */
function findStranger(target: Target, observed: Observed, context: PlanContext): string | undefined {
  const { facility } = target
  if (!target.definition || facility.adopt || isOurs(target, observed, context)) return undefined
  if (observed.state === 'absent' && !definitionExists(target, context)) return undefined
  const holder =
    observed.ownership === undefined
      ? 'not managed by Reeve'
      : `managed by another Reeve (owner ${observed.ownership.owner})`
  return (
    `supervisor ${facility.supervisor} has a service ${facility.service} that is ${holder}: ` +
    'declare adopt: true to take it over, or another serviceName'
  )
}

function findFileObstacle(target: Target, observed: Observed, context: PlanContext): string | undefined {
  for (const file of target.definition?.files ?? []) {
    const problem = context.world.files.get(file.path)?.problem
    if (problem !== undefined) return `its definition can't be written: ${problem}`
  }
  for (const file of target.files) {
    const found = context.world.files.get(file.path)
    if (found?.problem !== undefined) return `file ${file.path} can't be managed: ${found.problem}`
    if (!found || found.kind === 'absent' || target.facility.adopt) continue
    if (isOurs(target, observed, context) && observed.ownership?.files.includes(file.path)) continue
    if (context.ownedFiles.has(file.path)) continue
    return `file ${file.path} exists and is not managed by Reeve: declare adopt: true to take it over, or another path`
  }
  return undefined
}

function isOurs(target: Target, observed: Observed, context: PlanContext): boolean {
  if (observed.ownership) return observed.ownership.owner === context.owner
  // Its definition was deleted while it ran, and the marker with it: then the record of what we did speaks for us.
  const before = context.applied.get(target.facility.name)
  return (
    before !== undefined &&
    before.supervisor === target.facility.supervisor &&
    before.service === target.facility.service &&
    !definitionExists(target, context)
  )
}

function definitionExists(target: Target, context: PlanContext): boolean {
  return (target.definition?.files ?? []).some(file => {
    const found = context.world.files.get(file.path)
    return found !== undefined && found.kind !== 'absent'
  })
}

interface OldLocation {
  readonly location: OwnedLocation
  readonly observed: Observed | undefined
}

/** Where the facility's marker stands besides the place it is declared for (E14). */
function findOldLocations(target: Target, context: PlanContext): OldLocation[] {
  const here = locationKey({ supervisor: target.facility.supervisor, service: target.facility.service })
  const found: OldLocation[] = []
  for (const [key, location] of context.owned) {
    if (location.ownership.facility !== target.facility.name) continue
    if (key === here || context.claimed.has(key)) continue
    found.push({ location, observed: context.world.services.get(key) })
  }
  return found
}

function classify(target: Target, observed: Observed, old: readonly OldLocation[], context: PlanContext): Change {
  const { facility } = target
  const before = context.applied.get(facility.name)
  if (before) return before.digest === facility.digest ? 'repair' : 'change'
  if (old.length > 0) return 'change'
  if (target.definition === undefined) return 'change'
  if (!isOurs(target, observed, context)) return 'add'
  return definitionDiffers(target, context) || filesDiffer(target, context) ? 'change' : 'repair'
}

function definitionDiffers(target: Target, context: PlanContext): boolean {
  return (target.definition?.files ?? []).some(file => {
    const found = context.world.files.get(file.path)
    return !found?.content || textDiffers(found, file.content) || found.mode !== file.mode
  })
}

function textDiffers(found: ObservedFile, text: string): boolean {
  return !found.content || !bytesEqual(found.content, new TextEncoder().encode(text))
}

function filesDiffer(target: Target, context: PlanContext): boolean {
  return target.files.some(file => fileDiffers(file, context.world.files.get(file.path)))
}

function fileDiffers(file: TargetFile, found: ObservedFile | undefined): boolean {
  if (!found?.content) return true
  return (
    found.mode !== file.mode ||
    found.uid !== file.uid ||
    found.gid !== file.gid ||
    !bytesEqual(found.content, file.content)
  )
}

function planDroppedFiles(target: Target, observed: Observed, context: PlanContext, chain: StepChain): void {
  if (!isOurs(target, observed, context)) return
  for (const path of observed.ownership?.files ?? []) {
    if (!context.declaredFiles.has(path)) chain.add('remove-file', 'file-dropped', { path })
  }
}

function planDefinition(
  target: Target,
  observed: Observed,
  change: Change,
  context: PlanContext,
  chain: StepChain,
): void {
  if (!target.definition || !definitionDiffers(target, context)) return
  const diff = target.definition.files
    .map(file => {
      const found = context.world.files.get(file.path)
      return definitionDiff(
        file.path,
        { content: found?.content, mode: found?.mode },
        { content: new TextEncoder().encode(file.content), mode: file.mode },
      )
    })
    .join('')
  chain.add('install', installReason(target, observed, change, context), { diff })
}

function installReason(target: Target, observed: Observed, change: Change, context: PlanContext): Reason {
  if (change === 'repair') return 'definition-drift'
  if (isOurs(target, observed, context)) return 'definition-changed'
  return observed.state === 'absent' && !definitionExists(target, context) ? 'new' : 'adopted'
}

function planFiles(target: Target, observed: Observed, change: Change, context: PlanContext, chain: StepChain): void {
  for (const file of target.files) {
    const found = context.world.files.get(file.path)
    if (!fileDiffers(file, found)) continue
    const isKnown = observed.ownership?.files.includes(file.path) ?? false
    const reason: Reason = change === 'repair' ? 'file-drift' : isKnown ? 'file-changed' : 'new'
    const diff = diffText(file.path, { content: found?.content, mode: found?.mode }, file)
    chain.add('write-file', reason, { path: file.path, diff })
  }
}

function planEnablement(target: Target, observed: Observed, change: Change, chain: StepChain): void {
  const { enabled, state } = target.facility
  if (enabled === 'unmanaged' || observed.enabled === 'unknown' || observed.enabled === 'fixed') return
  const reason: Reason = change === 'add' ? 'new' : 'enablement'
  if (enabled !== observed.enabled) {
    chain.add(enabled ? 'enable' : 'disable', reason)
  } else if (enabled && state === 'unmanaged' && !observed.supervised && observed.state !== 'absent') {
    chain.add('enable', 'unsupervised') // else nothing would start it at boot
  }
}

function planState(
  target: Target,
  observed: Observed,
  change: Change,
  isMove: boolean,
  context: PlanContext,
  chain: StepChain,
): void {
  const { facility } = target
  const owed = findOwed(target, observed)
  if (facility.state === 'stopped') {
    if (isUp(observed)) chain.add('stop', 'running')
    return
  }
  if (isUp(observed) && observed.state !== 'stopping') {
    if (owed) chain.add(owed, owedReason(change, chain))
    else if (facility.state === 'running' && !observed.supervised) chain.add('start', 'unsupervised')
    else if (context.unhealthy?.has(facility.name) && facility.health?.onFailure === 'restart') {
      chain.add('restart', 'unhealthy')
    }
    return
  }
  if (facility.state === 'unmanaged') return
  const isDone = observed.completed === true || (observed.state === 'failed' && isForever(target))
  if (isDone && !owed && !isMove) return
  chain.add('start', startReason(observed, change, isMove))
}

/** It said itself that a failure is final. */
function isForever(target: Target): boolean {
  return target.facility.process?.restart.policy === 'never'
}

function startReason(observed: Observed, change: Change, isMove: boolean): Reason {
  if (isMove) return 'moved'
  if (change === 'add' && observed.state === 'absent') return 'new'
  return observed.state === 'failed' ? 'failed' : 'stopped'
}

/** Why the process is out of date: named after what is being changed in this plan, if it is. */
function owedReason(change: Change, chain: StepChain): Reason {
  const cause = chain.steps.find(step => step.verb === 'install' || step.verb === 'write-file')
  if (!cause) return 'out-of-date'
  if (cause.verb === 'install') return change === 'repair' ? 'definition-drift' : cause.reason
  return change === 'repair' ? 'file-drift' : 'file-changed'
}

/** What the running process owes to what is declared: the strongest of what each difference asks for. */
function findOwed(target: Target, observed: Observed): 'restart' | 'reload' | undefined {
  const { facility, definition } = target
  if (!definition) return undefined
  const { loaded } = observed
  const due: OnChange[] = []
  if (loaded?.definition !== definition.digest) due.push(facility.onChange)
  for (const file of target.files) {
    if (loaded?.files[file.path] !== file.digest) due.push(file.onChange)
  }
  if (due.includes('restart')) return 'restart'
  if (!due.includes('reload')) return undefined
  return facility.process !== undefined && facility.process.reload === undefined ? 'restart' : 'reload'
}

function isUp(observed: Observed | undefined): boolean {
  return observed?.state === 'running' || observed?.state === 'starting' || observed?.state === 'stopping'
}
