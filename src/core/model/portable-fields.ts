import type { PortableField, Process } from './facility.ts'

/** What `spec.process` says where the manifest says nothing, in milliseconds. */
const DEFAULT_RESTART_DELAY = 1_000
const DEFAULT_STOP_TIMEOUT = 10_000

/** The fields of `spec.process` that the facility makes use of; a default that changes nothing isn't a use. */
export function usedFields(process: Process): PortableField[] {
  const used: PortableField[] = ['command']
  if (process.workingDirectory !== undefined) used.push('workingDirectory')
  if (process.user !== undefined) used.push('user')
  if (process.group !== undefined) used.push('group')
  if (process.umask !== undefined) used.push('umask')
  const values = Object.values(process.environment)
  if (values.some(value => typeof value === 'string')) used.push('environment')
  if (values.some(value => typeof value !== 'string')) used.push('environment.fromFile')
  if (process.environmentFiles.length > 0) used.push('environmentFiles')
  if (Object.keys(process.limits).length > 0) used.push('limits')
  if (process.restart.policy !== 'always') used.push('restart.policy')
  if (process.restart.delay !== DEFAULT_RESTART_DELAY) used.push('restart.delay')
  if (process.stop.signal !== 'TERM') used.push('stop.signal')
  if (process.stop.timeout !== DEFAULT_STOP_TIMEOUT) used.push('stop.timeout')
  if (process.reload) used.push('signal' in process.reload ? 'reload.signal' : 'reload.command')
  if (process.output) used.push('output.file')
  if (process.output?.maxSize !== undefined) used.push('output.maxSize')
  if (process.output?.keep !== undefined) used.push('output.keep')
  if (process.toStdout) used.push('output.stdout')
  return used
}

export interface Rotation {
  /** Bytes. */
  readonly maxSize: number
  /** How many rotated files are kept. */
  readonly keep: number
}

/** How an output file is rotated, under a supervisor that rotates, where the manifest doesn't say. */
export const defaultRotation: Rotation = { maxSize: 10 * 1_024 * 1_024, keep: 5 }

/** How an output file is rotated under a supervisor that rotates. */
export function rotationOf({ maxSize, keep }: NonNullable<Process['output']>): Rotation {
  return { maxSize: maxSize ?? defaultRotation.maxSize, keep: keep ?? defaultRotation.keep }
}
