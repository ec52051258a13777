import type { Facility } from '../../../src/core/model/facility.ts'
import { type StartNeeds, startNeedsOf } from '../../../src/core/model/start-needs.ts'
import { isObject } from '../../../src/core/outside-value.ts'
import { readNativeText } from './native-text.ts'

/** Native text is run in place of the command, in the same environment. */
export function findStartNeeds({ process, config }: Facility): StartNeeds | undefined {
  const { run } = isObject(config) ? readNativeText(config) : {}
  const needs = process ? startNeedsOf(process) : { secrets: [], environmentFiles: [] }
  if (run === undefined) return needs
  const { program: _, ...surroundings } = needs
  return { ...surroundings, firstLine: run.split('\n')[0] ?? '' }
}
