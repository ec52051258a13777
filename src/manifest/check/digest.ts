import { hash } from 'node:crypto'

/** Hexadecimal SHA-256 of the value's canonical JSON: the order of keys doesn't count, bytes count by their own hash. */
export function digestOf(value: unknown): string {
  return hash('sha256', canonicalJson(value))
}

function canonicalJson(value: unknown): string {
  if (value instanceof Uint8Array) return `"sha256:${hash('sha256', value)}"`
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null'
  let fields = ''
  for (const [key, field] of Object.entries(value).sort(byKey)) {
    if (field === undefined) continue
    fields += `${fields === '' ? '' : ','}${JSON.stringify(key)}:${canonicalJson(field)}`
  }
  return `{${fields}}`
}

function byKey([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : 1
}
