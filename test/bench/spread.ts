/** Statistics of samples. Percentiles are samples themselves (nearest rank), so with few of them p99 is the worst. */
export interface Spread {
  readonly count: number
  readonly best: number
  readonly p50: number
  readonly p99: number
}

export function spreadOf(samples: readonly number[]): Spread {
  if (samples.length === 0) throw new Error('expected samples, found none')
  const sorted = [...samples].sort((a, b) => a - b)
  const rank = (share: number): number => sorted[Math.ceil(share * sorted.length) - 1] ?? Number.NaN
  return { count: samples.length, best: sorted[0] ?? Number.NaN, p50: rank(0.5), p99: rank(0.99) }
}

export interface Subject {
  readonly name: string
  /** Returns one sample. */
  measure(): Promise<number>
}

/**
 * Measures each in turn, so many times, after a first time that isn't counted: other load on the machine affects all of them
 * alike.
 */
export async function alternate(rounds: number, subjects: readonly Subject[]): Promise<Map<string, Spread>> {
  const samples = new Map<string, number[]>(subjects.map(({ name }) => [name, []]))
  for (let round = 0; round <= rounds; round += 1) {
    for (const { name, measure } of subjects) {
      const sample = await measure()
      if (round > 0) samples.get(name)?.push(sample)
    }
  }
  return new Map([...samples].map(([name, found]) => [name, spreadOf(found)]))
}

/** Milliseconds for people, with three significant digits. */
export function formatTime(milliseconds: number): string {
  if (milliseconds >= 1_000) return `${(milliseconds / 1_000).toFixed(2)} s`
  return `${milliseconds.toFixed(milliseconds < 10 ? 1 : 0)} ms`
}

/** Bytes for people, in megabytes (1,000,000). */
export function formatMemory(bytes: number): string {
  return `${(bytes / 1_000_000).toFixed(1)} MB`
}
