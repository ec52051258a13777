import type { ResolvedFacility, ResolvedFile } from '../model/resolved-facility.ts'
import { isKnown } from '../state/file-claim.ts'
import { locationKey } from '../state/snapshot.ts'
import { meetingPointsOf } from './meeting-point.ts'
import type { Applied, PlanContext } from './plan-input.ts'
import type { Change } from './step.ts'

/**
 * Parts of a facility as they were last applied, kept in the record: for each part, they tell a change of the manifest from drift on the
 * host, even if one part has changed and another has drifted.
 */
export function partsOf({ facility, imprint, files }: ResolvedFacility): string[] {
  const own = imprint === undefined ? [] : [definitionPart(imprint)]
  return [...own, enablementPart(facility), ...files.map(filePart)]
}

/** The record's entry of a facility that is as declared. */
export function appliedOf(target: ResolvedFacility, hash: (text: string) => string): Applied {
  const { facility } = target
  const { digest, supervisor, service, files } = facility
  const meets = meetingPointsOf(facility, hash)
  return { digest, supervisor, service, files: files.map(({ path }) => path), meets, parts: partsOf(target) }
}

/** Whether Reeve wrote a definition. Unknown for a record of an earlier version: then it may have. */
export function hadDefinition({ parts }: Pick<Applied, 'parts'>): boolean {
  return parts === undefined || parts.some(part => part.startsWith(definitionPart('')))
}

/** What is known of the last applied state of a facility. */
export interface Former {
  readonly target: ResolvedFacility
  /** Change of the whole facility: `repair` if its manifest is as it was applied. */
  readonly change: Change
  readonly context: PlanContext
}

export function hasDefinitionDrifted(former: Former): boolean {
  const { imprint } = former.target
  // Another version of Reeve may render the same definition differently.
  return (
    former.change === 'repair' ||
    (imprint !== undefined && isInPlace(former) && wasApplied(definitionPart(imprint), former))
  )
}

export function hasFileDrifted(file: ResolvedFile, former: Former): boolean {
  if (wasApplied(filePart(file), former)) return true
  const { claims, snapshot } = former.context
  const claim = claims?.get(file.path)
  const found = snapshot.files.get(file.path)
  // Written by a pass that was cut off afterwards.
  const wasWritten = claim?.isFulfilled === true && claim.contents.includes(file.digest)
  return wasWritten && found !== undefined && !isKnown(claim, found)
}

export function hasEnablementDrifted(former: Former): boolean {
  return isInPlace(former) && wasApplied(enablementPart(former.target.facility), former)
}

/** Whether it was last applied at this location; a facility that has moved was not. */
function isInPlace({ target: { facility }, context }: Former): boolean {
  const before = context.applied.get(facility.name)
  return before !== undefined && locationKey(before) === locationKey(facility)
}

function wasApplied(part: string, { target, change, context }: Former): boolean {
  const before = context.applied.get(target.facility.name)
  return before?.parts?.includes(part) ?? (before !== undefined && change === 'repair')
}

function definitionPart(imprint: string): string {
  return `definition ${imprint}`
}

function enablementPart({ enabled }: ResolvedFacility['facility']): string {
  return `enabled ${enabled}`
}

function filePart({ path, digest, mode, uid, gid }: ResolvedFile): string {
  return `file ${digest} ${mode.toString(8)} ${uid}:${gid} ${path}`
}
