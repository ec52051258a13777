import { basename, join } from 'node:path'
import type { ReadHost } from '../../../src/core/contracts/host.ts'
import type { Layout } from '../units/layout.ts'
import { serviceOfUnit, unitOf } from '../units/unit-name.ts'

/** Service that the process is a part of, by its cgroup, whatever started it in there. */
export function findServiceOf(pid: number, { isUser }: Layout, host: ReadHost): string | undefined {
  let text: string | undefined
  try {
    text = host.readText(`/proc/${pid}/cgroup`)
  } catch {
    return undefined // another user's, on a host that hides them
  }
  // With both versions of cgroups mounted, only one of them is systemd's.
  const paths = [...(text ?? '').matchAll(/^(?:0:|\d+:name=systemd):(.*)$/gm)].map(([, path = '']) => path)
  const unit = paths.map(path => unitIn(path, isUser)).find(found => found !== undefined)
  return unit === undefined ? undefined : serviceOfUnit(unit)
}

function unitIn(path: string, isUser: boolean): string | undefined {
  const isService = (part: string): boolean => part.endsWith('.service')
  if (!isUser) return unescapeGroup(path.split('/').find(isService))
  // A user manager is a service of the system manager; its services are below.
  const [, below] = /\/user@\d+\.service(\/.*)$/.exec(path) ?? []
  return unescapeGroup(below?.split('/').findLast(isService))
}

/** A name that begins with `_`, or could be a file of the kernel's, gets another `_` before it. */
function unescapeGroup(name: string | undefined): string | undefined {
  return name?.replace(/^_/, '')
}

/** Directories of units and links, except those of unchanged packages. */
const systemDirectories = [
  '/etc/systemd/system',
  '/run/systemd/system',
  '/usr/local/lib/systemd/system',
  '/lib/systemd/system',
]

/** Aliases by the links that lead to its unit. */
export function findAliases(service: string, { unitDirectory, isUser }: Layout, host: ReadHost): string[] {
  const unit = unitOf(service)
  const found = new Set<string>()
  for (const directory of new Set([unitDirectory, ...(isUser ? [] : systemDirectories)])) {
    for (const name of host.readDirectory(directory) ?? []) {
      if (name === unit || !name.endsWith('.service')) continue
      const target = host.readLink(join(directory, name))
      if (target !== undefined && basename(host.realPath(join(directory, name)) ?? target) === unit)
        found.add(serviceOfUnit(name))
    }
  }
  return [...found]
}
