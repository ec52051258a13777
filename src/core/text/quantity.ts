/** Durations and sizes as people write them: a number and a unit. */

const millisecondsPer = { h: 3_600_000, m: 60_000, s: 1_000, ms: 1 }
const bytesPer = { GiB: 1_024 ** 3, MiB: 1_024 ** 2, KiB: 1_024, B: 1 }

/** Milliseconds of `500ms`, `10s`, `5m`, `1h` or `30d`. NaN: it is no duration. */
export function parseDuration(text: string): number {
  return parseQuantity(text, { ...millisecondsPer, d: 86_400_000 })
}

/** Bytes of `512B`, `1KiB`, `10MiB` or `1GiB`. NaN: it is no size. */
export function parseSize(text: string): number {
  return parseQuantity(text, bytesPer)
}

/** `90000` → `90s`: in the largest unit that leaves a whole number. */
export function formatDuration(milliseconds: number): string {
  return formatQuantity(milliseconds, millisecondsPer)
}

/** `10485760` → `10MiB`. */
export function formatSize(bytes: number): string {
  return formatQuantity(bytes, bytesPer)
}

/** By name, the largest unit first. */
type Units = Readonly<Record<string, number>>

function parseQuantity(text: string, units: Units): number {
  const [, amount, name] = /^([0-9]+)([A-Za-z]+)$/.exec(text) ?? []
  const [, factor = Number.NaN] = Object.entries(units).find(([unit]) => unit === name) ?? []
  return Number(amount) * factor
}

function formatQuantity(amount: number, units: Units): string {
  const [unit, factor] = Object.entries(units).find(([, each]) => amount >= each && amount % each === 0) ?? []
  return unit === undefined || factor === undefined ? `0${Object.keys(units).at(-1)}` : `${amount / factor}${unit}`
}
