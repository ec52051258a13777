import { hash } from 'node:crypto'
import type { ReadHost } from '../../../src/core/contracts/host.ts'
import { createDictionary } from '../../../src/core/dictionary.ts'
import type { Process } from '../../../src/core/model/facility.ts'
import { messageOf, ReeveError } from '../../../src/core/reeve-error.ts'
import type { Loaded } from '../../../src/core/state/observed.ts'
import type { ExecWrapper } from '../../posix/exec-wrapper.ts'
import { digestProcess, type ServiceDefinition } from '../shared/definition.ts'
import type { Tools } from '../shared/tools.ts'
import { buildEnvironment } from './environment.ts'
import type { Identity } from './shim-script.ts'

/** Everything needed to start a service, read anew for each start. */
export interface Launch {
  readonly identity: Identity | undefined
  readonly environment: Readonly<Record<string, string>>
  /** Entered before the change of rights; `/` if the service's user enters its own. */
  readonly workingDirectory: string
  /** Actions with the rights of the service's user before it is executed. */
  readonly wrapper: Omit<ExecWrapper, 'output' | 'problems'>
}

/** Throws ReeveError that names what is missing. `node`: path of the program that runs Reeve. */
export function prepareLaunch(process: Process, host: ReadHost, tools: Tools, node: string): Launch {
  if (tools.setsid === undefined) {
    throw new ReeveError('unavailable', 'there is no setsid on this host; install the package util-linux')
  }
  const identity = findIdentity(process, host)
  if (identity && tools.setpriv === undefined) {
    throw new ReeveError('unavailable', 'there is no setpriv, which changes the user; install the package util-linux')
  }
  if (Object.keys(process.limits).length > 0 && tools.prlimit === undefined) {
    throw new ReeveError('unavailable', 'there is no prlimit, which sets limits; install the package util-linux')
  }
  const user = otherUserOf(identity)
  const { variables, sources } = buildEnvironment(process, host, node, user !== undefined)
  const { workingDirectory = '/' } = process
  // Root can enter directories that are closed to the service's user.
  const isEnteredAsUser = user !== undefined && workingDirectory !== '/'
  return {
    identity,
    environment: variables,
    workingDirectory: isEnteredAsUser ? '/' : workingDirectory,
    wrapper: { variables: sources, ...(isEnteredAsUser && { workingDirectory }) },
  }
}

/** Id of the user, if its rights differ from the supervisor's. */
export function otherUserOf(identity: Identity | undefined): number | undefined {
  return identity?.uid === 0 ? undefined : identity?.uid
}

/** Undefined: as the supervisor itself. Throws ReeveError. */
export function findIdentity(process: Process, host: ReadHost): Identity | undefined {
  if (process.user === undefined && process.group === undefined) return undefined
  const user = process.user === undefined ? undefined : host.findUser(process.user)
  if (process.user !== undefined && !user)
    throw new ReeveError('failed', `there is no user ${process.user} on this host`)
  const group = process.group === undefined ? user?.gid : host.findGroup(process.group)
  if (group === undefined) throw new ReeveError('failed', `there is no group ${process.group} on this host`)
  if (host.userId() === 0) return { ...(user && { uid: user.uid }), gid: group, groups: user !== undefined }
  if ((user?.uid ?? host.userId()) === host.userId() && group === host.groupId()) return undefined
  const wanted = [process.user, process.group].filter(name => name !== undefined).join(':')
  throw new ReeveError('failed', `can't run it as ${wanted}: the supervisor doesn't run as root`)
}

/**
 * Definition and files that a service reads if it starts now; see `Observed.loaded`. Taken before the start, so that it errs
 * on the old side.
 */
export function readLoaded(definition: ServiceDefinition & { readonly kind: 'valid' }, host: ReadHost): Loaded {
  const files = createDictionary<string>()
  for (const path of definition.ownership?.files ?? []) files[path] = digestFile(path, host)
  return { definition: digestProcess(definition.process), files }
}

function digestFile(path: string, host: ReadHost): string {
  try {
    const content = host.readFile(path)
    return content === undefined ? 'absent' : hash('sha256', content)
  } catch (error) {
    return `unreadable: ${messageOf(error)}`
  }
}
