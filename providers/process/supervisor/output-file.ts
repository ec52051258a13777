import { dirname } from 'node:path'
import type { Process } from '../../../src/core/facility.ts'
import type { ReadHost } from '../../../src/core/provider.ts'
import { ReeveError } from '../../../src/core/reeve-error.ts'
import { type Layout, ownLogPath } from '../layout.ts'
import type { Context } from './service.ts'
import type { Identity } from './shim-script.ts'

/** Where a service's output goes, and how far it may grow. */
export interface Output {
  readonly file: string
  /** Bytes. */
  readonly maxSize: number
  /** How many rotated files are kept. */
  readonly keep: number
}

export function outputOf(layout: Layout, service: string, process: Process): Output {
  return process.output ?? { file: ownLogPath(layout, service), maxSize: 10 * 1024 * 1024, keep: 5 }
}

/**
 * Makes the file that a service's output is appended to, if it isn't there: 0640, and the service's user's, so that the
 * service can open it again (/dev/stderr), and it can be rotated with that user's rights. Throws ReeveError. Gives its path.
 */
export function prepareOutput(
  service: string,
  process: Process,
  identity: Identity | undefined,
  { host, layout }: Pick<Context, 'host' | 'layout'>,
): string {
  const { file } = outputOf(layout, service, process)
  const facts = host.facts(file)
  if (facts && facts.kind !== 'file') {
    throw new ReeveError('failed', `expected ${file} to be a regular file to append output to, found a ${facts.kind}`)
  }
  if (facts) return file
  if (process.output && !host.facts(dirname(file))) {
    throw new ReeveError('failed', `there is no directory ${dirname(file)} for the output; create it`)
  }
  const { uid, gid } = identity ?? {}
  if (uid !== undefined) {
    host.writeFile(file, '', { mode: 0o640, uid, ...(gid !== undefined && { gid }) })
  }
  return file
}

export function isTooLarge(host: ReadHost, { file, maxSize }: Output): boolean {
  const facts = host.facts(file)
  return facts?.kind === 'file' && facts.size > maxSize
}
