import { basename } from 'node:path'
import type { ReadHost } from '../../src/core/contracts/host.ts'

const directories = [
  '/usr/bin',
  '/bin',
  '/usr/sbin',
  '/sbin',
  '/usr/local/bin',
  '/run/current-system/sw/bin',
  '/command',
]

/** Path of a program, or undefined if the host lacks it. */
export function findTool(host: ReadHost, name: string): string | undefined {
  for (const directory of directories) {
    const path = `${directory}/${name}`
    const real = host.realPath(path)
    // Busybox has smaller ones of the same name that can't change users or limits.
    const isSmall = real !== undefined && basename(real) === 'busybox' && (name === 'setpriv' || name === 'prlimit')
    if (real !== undefined && !isSmall) return path
  }
  return undefined
}
