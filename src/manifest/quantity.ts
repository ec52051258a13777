import { constants } from 'node:os'

/** Milliseconds of `500ms`, `10s`, `5m` or `1h`, as the schemas have checked it. */
export function parseDuration(text: string): number {
  const [, amount, unit] = /^([0-9]+)(ms|s|m|h)$/.exec(text) ?? []
  return Number(amount) * (millisecondsPer[unit ?? ''] ?? Number.NaN)
}

const millisecondsPer: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }

/** What timers can count: 2^31 - 1 milliseconds, rounded down to days. */
export const longestDuration: number = 24 * 24 * 3_600_000

/** Bytes of `512B`, `1KiB`, `10MiB` or `1GiB`, as the schemas have checked it. */
export function parseSize(text: string): number {
  const [, amount, unit] = /^([0-9]+)(B|KiB|MiB|GiB)$/.exec(text) ?? []
  return Number(amount) * (bytesPer[unit ?? ''] ?? Number.NaN)
}

const bytesPer: Readonly<Record<string, number>> = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 }

/** `"0644"` → 420, as the schemas have checked it. */
export function parseOctal(text: string): number {
  return Number.parseInt(text, 8)
}

/** `hup` and `SIGHUP` → `HUP`; undefined if this system has no such signal. */
export function parseSignal(text: string): string | undefined {
  const name = text.toUpperCase().replace(/^SIG/, '')
  return signalNames().includes(name) ? name : undefined
}

/** Without SIG. */
export function signalNames(): string[] {
  return Object.keys(constants.signals).map(name => name.slice('SIG'.length))
}
