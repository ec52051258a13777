/** Durations and sizes as people write them: a number and a unit. */

/** By name, the largest unit first. */
type Units = ReadonlyMap<string, number>

const millisecondsPer: Units = new Map(Object.entries({ h: 3_600_000, m: 60_000, s: 1_000, ms: 1 }))
const bytesPer: Units = new Map(Object.entries({ GiB: 1_024 ** 3, MiB: 1_024 ** 2, KiB: 1_024, B: 1 }))
/** Days are read, and never written. */
const millisecondsPerWithDays: Units = new Map([['d', 86_400_000], ...millisecondsPer])

/** Milliseconds of `500ms`, `10s`, `5m`, `1h` or `30d`. NaN: it is no duration. */
export function parseDuration(text: string): number {
  return parseQuantity(text, millisecondsPerWithDays)
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

function parseQuantity(text: string, units: Units): number {
  const [, amount, name = ''] = /^([0-9]+)([A-Za-z]+)$/.exec(text) ?? []
  return Number(amount) * (units.get(name) ?? Number.NaN)
}

function formatQuantity(amount: number, units: Units): string {
  for (const [unit, factor] of units) if (amount >= factor && amount % factor === 0) return `${amount / factor}${unit}`
  return `0${[...units.keys()].at(-1)}`
}
