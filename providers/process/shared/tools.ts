import type { ReadHost } from '../../../src/core/contracts/host.ts'
import type { PortableField } from '../../../src/core/model/facility.ts'
import { findTool } from '../../posix/tools.ts'

/** Paths of the programs that prepare a service; absent if the host lacks them. */
export interface Tools {
  readonly setsid?: string
  readonly prlimit?: string
  readonly setpriv?: string
}

/** Programs of util-linux with which a service is started, if the host has them. */
export function findTools(host: ReadHost): Tools {
  const setsid = findTool(host, 'setsid')
  const prlimit = findTool(host, 'prlimit')
  const setpriv = findTool(host, 'setpriv')
  return { ...(setsid && { setsid }), ...(prlimit && { prlimit }), ...(setpriv && { setpriv }) }
}

/** Fields of a service's declaration that an instance can't honour on this host, and why. */
export function findLacks(host: ReadHost, tools: Tools): Partial<Record<PortableField, string>> {
  const lacks: Partial<Record<PortableField, string>> = {}
  const install = 'install the package util-linux (on Alpine: util-linux-misc)'
  if (tools.prlimit === undefined) lacks.limits = `there is no prlimit; ${install}`
  if (tools.setpriv === undefined) {
    lacks.user = lacks.group = `there is no setpriv; ${install}`
  }
  if (host.userId() !== 0) {
    lacks.user = lacks.group = 'the supervisor does not run as root, and so can change neither user nor group'
  }
  return lacks
}
