import { dirname } from 'node:path'
import type { ReadHost } from '../../../src/core/contracts/host.ts'
import type { Process } from '../../../src/core/model/facility.ts'
import { type Rotation, rotationOf } from '../../../src/core/model/portable-fields.ts'
import { ReeveError } from '../../../src/core/reeve-error.ts'
import { chooseActor, describeKind, describeNobody, isLoggerLink, nullDevice } from '../../../src/host/service-paths.ts'
import { type Layout, ownLogPath } from '../shared/layout.ts'
import { otherUserOf } from './launch.ts'
import type { Context } from './service.ts'
import type { Identity } from './shim-script.ts'

/** Destination and size limit of a service's output. */
export interface Output extends Rotation {
  readonly file: string
}

export function outputOf(layout: Layout, service: string, process: Process): Output {
  const output = process.output ?? { file: ownLogPath(layout, service) }
  return { file: output.file, ...rotationOf(output) }
}

/** Who opens the output, and thereby where. `nobody`: it is discarded. */
export type OutputOpening = { readonly by: 'supervisor' | 'user'; readonly file: string } | { readonly by: 'nobody' }

/**
 * Creates the file for a service's output if it is missing and only root can write to its directory: mode 0640, owned by the
 * service's user, so that the service can open it again (/dev/stderr). In other directories the service's user creates it,
 * later (S8). Throws ReeveError.
 */
export function prepareOutput(
  service: string,
  process: Process,
  identity: Identity | undefined,
  { host, layout }: Pick<Context, 'host' | 'layout'>,
): OutputOpening {
  const { file } = outputOf(layout, service, process)
  if (file === nullDevice) return { by: 'nobody' }
  const actor = chooseActor(file, otherUserOf(identity), host)
  if (actor.as === 'nobody') throw new ReeveError('insecure', describeNobody(file, actor.unsafe))
  if (actor.as === 'user') return { by: 'user', file }
  // Earlier output stays in FILE.d.
  if (isLoggerLink(file, host)) host.removeFile(file)
  const facts = host.facts(file)
  const problem = describeKind(file, facts)
  if (problem !== undefined) throw new ReeveError('failed', problem)
  if (facts) return { by: 'supervisor', file }
  if (process.output && !host.facts(host.realPath(dirname(file)) ?? dirname(file))) {
    throw new ReeveError('failed', `there is no directory ${dirname(file)} for the output; create it`)
  }
  const { uid, gid } = identity ?? {}
  if (uid !== undefined) {
    host.writeFile(file, '', { mode: 0o640, uid, ...(gid !== undefined && { gid }) })
  }
  return { by: 'supervisor', file }
}

export function isTooLarge(host: ReadHost, { file, maxSize }: Output): boolean {
  const facts = host.facts(file)
  return facts?.kind === 'file' && facts.size > maxSize
}
