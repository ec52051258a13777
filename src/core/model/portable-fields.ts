import { optionalDefaults, portableFields, processShape } from '#schemas/compiled/process.js'
import { parseSize } from '../text/quantity.ts'
import type { PortableField, Process } from './facility.ts'
import { createForm } from './form.ts'

const processForm = createForm(processShape)

/** Fields of `spec.process` that the facility uses; a field at its default isn't used. */
export function usedFields(process: Process): PortableField[] {
  const used = processForm.listUses(process)
  return portableFields.filter(field => used.has(field))
}

export interface Rotation {
  /** Bytes. */
  readonly maxSize: number
  /** How many rotated files are kept. */
  readonly keep: number
}

/** Rotation of an output file under a supervisor that rotates, defaults filled in. */
export function rotationOf({ maxSize, keep }: NonNullable<Process['output']>): Rotation {
  return {
    maxSize: maxSize ?? parseSize(optionalDefaults['output.maxSize']),
    keep: keep ?? optionalDefaults['output.keep'],
  }
}
