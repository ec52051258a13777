import { optionalDefaults, portableFields, processShape } from '#schemas/compiled/process.js'
import { parseSize } from '../text/quantity.ts'
import type { PortableField, Process } from './facility.ts'
import { listUses } from './form.ts'

/** The fields of `spec.process` that the facility makes use of; a default that changes nothing isn't a use. */
export function usedFields(process: Process): PortableField[] {
  const used = listUses(processShape, process)
  return portableFields.filter(field => used.has(field))
}

export interface Rotation {
  /** Bytes. */
  readonly maxSize: number
  /** How many rotated files are kept. */
  readonly keep: number
}

/** How an output file is rotated under a supervisor that rotates. */
export function rotationOf({ maxSize, keep }: NonNullable<Process['output']>): Rotation {
  return {
    maxSize: maxSize ?? parseSize(optionalDefaults['output.maxSize']),
    keep: keep ?? optionalDefaults['output.keep'],
  }
}
