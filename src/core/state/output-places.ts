import type { Process } from '../model/facility.ts'
import { rotationOf } from '../model/portable-fields.ts'

/** Places that rotation writes beside an output: `FILE.1`, `FILE.2` …, or the directory `FILE.d`. */
export type BesideOutput = 'rotated' | 'directory'

export function placesBeside(output: NonNullable<Process['output']>, beside: BesideOutput): string[] {
  const { file } = output
  const { keep } = rotationOf(output)
  if (file === '/dev/null') return []
  if (beside === 'directory') return [`${file}.d`]
  return keep === 0 ? [] : [...Array.from({ length: keep }, (_, index) => `${file}.${index + 1}`), `${file}.rotating`]
}

/**
 * The file of the output that is moved over this place as it is rotated, or whose directory it lies in; undefined if there is none. It is
 * so under every supervisor, as a facility can move to another. `keepOf`: how many rotated files of an output are kept, by its file.
 */
export function findOutputBeside(place: string, keepOf: (file: string) => number | undefined): string | undefined {
  const [, rotated = '', number = '0'] = /^(.*)\.(?:rotating|([1-9][0-9]*))$/s.exec(place) ?? []
  if (Number(number) <= (keepOf(rotated) ?? -1)) return rotated
  const above = [...place.matchAll(/\.d(?=\/|$)/g)].map(({ index }) => place.slice(0, index))
  return above.find(file => keepOf(file) !== undefined)
}
