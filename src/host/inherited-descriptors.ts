import { closeSync, readdirSync, readFileSync } from 'node:fs'
import { tryTo } from '../core/try-to.ts'

/** In /proc/PID/fdinfo, octal: see open(2). */
const closeOnExec = 0o2000000

/**
 * Closes what whoever started this program had open beyond stdin, stdout and stderr: a service, or what is run as its user,
 * could read a file by it that its user may not open. Node closes whatever it opens itself in its children, and the first
 * sixteen; the others are told by lacking that flag. Node has no way to set it.
 */
export function closeInheritedDescriptors(): void {
  for (const name of listDescriptors()) {
    const fd = Number(name)
    if (fd > 2 && isInherited(fd)) tryClose(fd)
  }
}

function listDescriptors(): string[] {
  return tryTo(() => readdirSync('/proc/self/fd')) ?? [] // without /proc nothing works that needs it
}

function isInherited(fd: number): boolean {
  try {
    const [, flags] = /^flags:\s+(\d+)/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1')) ?? []
    return flags !== undefined && (Number.parseInt(flags, 8) & closeOnExec) === 0
  } catch {
    return false // closed by now: it was that of the listing
  }
}

function tryClose(fd: number): void {
  try {
    closeSync(fd)
  } catch {
    // It is gone.
  }
}
