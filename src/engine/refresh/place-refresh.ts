import type { ReadHost } from '../../core/contracts/host.ts'
import type { ResolvedFacility } from '../../core/model/resolved-facility.ts'
import { meetingPointsOf, pathOf } from '../../core/plan/meeting-point.ts'
import { asDirectory, type Places } from '../../core/state/place.ts'
import { createPlaceFinder } from '../../host/path-place.ts'
import { sha256 } from '../../host/sha256.ts'
import type { KnownServices } from './file-refresh.ts'

/** Finds the places of all paths that planning compares: declared ones, and those that markers and processes name. */
export function findPlaces(
  targets: readonly ResolvedFacility[],
  { services, owned }: KnownServices,
  host: Pick<ReadHost, 'facts' | 'readLink' | 'userId'>,
): Places {
  const finder = createPlaceFinder(host)
  const places = new Map<string, string>()
  const note = (path: string, place: string): void => {
    if (place !== path) places.set(path, place)
  }
  const noteFile = (path: string): void => note(path, finder.entry(path))
  const notePoint = (point: string): void => {
    const path = pathOf(point)
    if (path === undefined) return
    if (point.startsWith('dir:')) note(asDirectory(path), asDirectory(finder.directory(path)))
    else noteFile(path)
  }
  for (const { facility, definition } of targets) {
    for (const point of meetingPointsOf(facility, sha256)) notePoint(point)
    for (const { path } of definition?.files ?? []) noteFile(path)
  }
  for (const { ownership } of owned) {
    for (const path of ownership.files) noteFile(path)
    for (const point of ownership.meets ?? []) notePoint(point)
  }
  for (const { loaded } of services.values()) for (const path of Object.keys(loaded?.files ?? {})) noteFile(path)
  return places
}
