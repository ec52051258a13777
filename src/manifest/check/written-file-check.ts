import type { Facility } from '../../core/model/facility.ts'
import { rotationOf } from '../../core/model/portable-fields.ts'
import { findOutputBeside } from '../../core/state/output-places.ts'
import type { FieldPath } from '../diagnostics/problem.ts'
import type { FacilityDraft } from '../parse/facility-draft.ts'
import { type Claim, type Claims, createClaims, type Place, type ReportProblem } from './claim.ts'

/** A draft, and the facility that it was resolved to. */
export interface FacilityPlace extends Place<FacilityDraft> {
  readonly facility: Facility
}

/** A file that a facility writes, by the path that it has for it. */
interface FileClaim extends Claim {
  readonly target: string
  readonly facility: Facility
}

/** No two facilities may write one file. Files are one by where their paths lead, which `placeOf` tells. */
export function checkWrittenFiles(
  places: readonly FacilityPlace[],
  placeOf: (path: string) => string,
  report: ReportProblem,
): void {
  const claims = createClaims<FileClaim>('duplicate-path', report)
  for (const place of places) {
    const { facility } = place
    for (const { target, path } of writtenPaths(facility)) {
      const at = placeOf(target)
      claims.add(at, { path, target, ...place }, first =>
        first.target === target
          ? `path "${target}"`
          : `file ${at}, to which "${target}" of facility ${facility.name} and "${first.target}" of facility ${first.facility.name} lead,`,
      )
    }
  }
  checkBesideOutputs(places, claims, placeOf)
}

/** An output is moved over whatever is at `FILE.1`, `FILE.2` … as it is rotated, or kept in `FILE.d`. */
function checkBesideOutputs(
  places: readonly FacilityPlace[],
  claims: Claims<FileClaim>,
  placeOf: (path: string) => string,
): void {
  const kept = new Map<string, number>()
  for (const { facility } of places) {
    const output = facility.process?.output
    if (output === undefined || output.file === '/dev/null') continue
    const at = placeOf(output.file)
    kept.set(at, Math.max(rotationOf(output).keep, kept.get(at) ?? 0))
  }
  for (const place of places) {
    for (const { target, path } of writtenPaths(place.facility)) {
      const output = findOutputBeside(placeOf(target), file => kept.get(file))
      if (output !== undefined) claims.oppose(output, { ...place, path }, `path "${target}"`)
    }
  }
}

interface WrittenPath {
  readonly target: string
  readonly path: FieldPath
}

/** What a facility writes: its files, and its output, which is rotated besides. */
export function writtenPaths(facility: Facility): WrittenPath[] {
  const written: WrittenPath[] = facility.files.map((file, index) => ({
    target: file.path,
    path: ['spec', 'files', index, 'path'],
  }))
  const output = facility.process?.output
  // /dev/null may be shared.
  if (output !== undefined && output.file !== '/dev/null')
    written.push({ target: output.file, path: ['spec', 'process', 'output', 'file'] })
  return written
}
