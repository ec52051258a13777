import { readFileSync } from 'node:fs'

/** See `ReadHost.mountPoints`. Empty where /proc doesn't tell. */
export function readMountPoints(): ReadonlySet<string> {
  let text: string
  try {
    text = readFileSync('/proc/self/mountinfo', 'utf8')
  } catch {
    return new Set()
  }
  return parseMountPoints(text)
}

/** `ID PARENT MAJOR:MINOR ROOT MOUNT-POINT …`: proc_pid_mountinfo(5). Blanks and backslashes stand as octal numbers. */
export function parseMountPoints(text: string): Set<string> {
  const points = new Set<string>()
  for (const line of text.split('\n')) {
    const point = line.split(' ')[4]
    if (point !== undefined) points.add(decodeEscapes(point))
  }
  return points
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
