import { readFileSync, realpathSync } from 'node:fs'
import { dirname } from 'node:path'
import { tryTo } from '../core/try-to.ts'

export interface Mount {
  readonly point: string
  readonly isReadOnly: boolean
}

/** See `ReadHost.mountPoints`. Empty where /proc doesn't tell. */
export function readMountPoints(): ReadonlySet<string> {
  return new Set(readMounts().map(({ point }) => point))
}

function readMounts(): Mount[] {
  return tryTo(() => parseMounts(readFileSync('/proc/self/mountinfo', 'utf8'))) ?? []
}

/**
 * `ID PARENT MAJOR:MINOR ROOT MOUNT-POINT OPTIONS … - TYPE SOURCE OPTIONS`: proc_pid_mountinfo(5). Blanks and backslashes stand as
 * octal numbers.
 */
export function parseMounts(text: string): Mount[] {
  return text.split('\n').flatMap(line => {
    const [own = '', ofDevice = ''] = line.split(' - ')
    const [, , , , point, options] = own.split(' ')
    const isReadOnly = [options, ofDevice.split(' ')[2]].some(list => list?.split(',').includes('ro'))
    return point === undefined ? [] : [{ point: decodeEscapes(point), isReadOnly }]
  })
}

/** Mount of a path, existing or not; undefined if unknown. Of two mounts on one point, the last one counts. */
export function findMount(path: string | undefined): Mount | undefined {
  const real = path === undefined ? undefined : resolveExisting(path)
  if (real === undefined) return undefined
  const around = readMounts().filter(({ point }) => `${real}/`.startsWith(point === '/' ? point : `${point}/`))
  const longest = Math.max(...around.map(({ point }) => point.length))
  return around.findLast(({ point }) => point.length === longest)
}

/** Of the path, or of the nearest directory above it that is there. */
export function resolveExisting(path: string): string | undefined {
  try {
    return realpathSync(path)
  } catch {
    return path === dirname(path) ? undefined : resolveExisting(dirname(path))
  }
}

/** By bytes: a name may hold any. */
function decodeEscapes(text: string): string {
  if (!text.includes('\\')) return text
  const bytes = Buffer.from(text).toString('latin1')
  const plain = bytes.replace(/\\([0-7]{3})/g, (_escape, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  )
  return Buffer.from(plain, 'latin1').toString()
}
