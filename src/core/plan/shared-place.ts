import type { Facility } from '../model/facility.ts'
import { rotationOf } from '../model/portable-fields.ts'
import type { ResolvedFacility } from '../model/resolved-facility.ts'
import { findOutputBeside } from '../state/output-places.ts'
import { type Placed, placeOf } from '../state/place.ts'

/**
 * Finds facilities that write the same file, by whatever paths: they would overwrite it in turn, or remove what the other needs.
 * Both are blocked until one of them releases it.
 */

interface ManagedUnits {
  readonly facility: string
  readonly path: string
  /** In words. */
  readonly what: string
  /** Number of rotated files that are kept beside an output. */
  readonly keep?: number
}

/** Blockers by facility. `busy`: declared facilities with steps under way. */
export function findSharedPlaces(
  targets: readonly ResolvedFacility[],
  busy: readonly Facility[],
  placed: Placed,
): ReadonlyMap<string, string> {
  const written = [...targets.flatMap(writtenByTarget), ...busy.flatMap(writtenBy)]
  const problems = new Map<string, string>()
  const byPlace = new Map<string, ManagedUnits>()
  for (const one of written) {
    const place = placeOf(one.path, placed)
    const other = byPlace.get(place)
    if (other) block(one, other, place, problems)
    else byPlace.set(place, one)
  }
  for (const one of written) {
    const place = placeOf(one.path, placed)
    const file = findOutputBeside(place, path => byPlace.get(path)?.keep)
    const output = file === undefined ? undefined : byPlace.get(file)
    if (output) block(one, { ...output, what: `${output.what}, with what is kept beside it,` }, place, problems)
  }
  return problems
}

function writtenByTarget({ facility, definition }: ResolvedFacility): ManagedUnits[] {
  const definitions = (definition?.files ?? []).map(({ path }) => ({
    facility: facility.name,
    path,
    what: 'definition',
  }))
  return [...writtenBy(facility), ...definitions]
}

function writtenBy({ name, files, process }: Facility): ManagedUnits[] {
  const written: ManagedUnits[] = files.map(({ path }) => ({ facility: name, path, what: 'file' }))
  const output = process?.output
  // The device that output may go to can be shared.
  if (output && output.file !== '/dev/null') {
    written.push({ facility: name, path: output.file, what: 'output', keep: rotationOf(output).keep })
  }
  return written
}

function block(one: ManagedUnits, other: ManagedUnits, place: string, problems: Map<string, string>): void {
  for (const [mine, theirs] of [
    [one, other],
    [other, one],
  ] as const) {
    if (!problems.has(mine.facility)) problems.set(mine.facility, describe(mine, theirs, place))
  }
}

function describe(mine: ManagedUnits, theirs: ManagedUnits, place: string): string {
  const whose = mine.facility === theirs.facility ? 'its' : `facility ${theirs.facility}'s`
  const isPlain = mine.path === place && theirs.path === place
  const where = isPlain ? '' : `, as both lead to ${place}`
  return (
    `its ${mine.what} ${mine.path} and ${whose} ${theirs.what} ${theirs.path} are one file${where}: ` +
    'each would undo what the other writes; let one of them have another path'
  )
}
