import fc from 'fast-check'

/** Sample of many cases that a run tries. */
export interface Sample {
  /** Interval between tried cases. */
  readonly stride: number
  /** The first of them, from 1. */
  readonly first: number
}

/** `REEVE_SAMPLE=all`: every case, and every moment of a crash, including those that leave equal states. */
export const isThorough: boolean = process.env.REEVE_SAMPLE === 'all'

/** With a different first one in each run, so that many runs try them all. The report names it. */
export function drawSample(stride: number): Sample {
  return isThorough ? { stride: 1, first: 1 } : { stride, first: 1 + Math.floor(Math.random() * stride) }
}

/** Items of the list that are in the sample. */
export function sampleOf<T>(list: readonly T[], { stride, first }: Sample): T[] {
  return list.filter((_, index) => index % stride === first - 1)
}

/** A property is tried from another seed in each run, so often; with `REEVE_SAMPLE=all` so much more often. Failures tell the seed. */
export function drawRuns(usual: number, thorough: number): { readonly seed: number; readonly numRuns: number } {
  const seed = Number(process.env.REEVE_SEED ?? Math.floor(Math.random() * 2 ** 31))
  return { seed, numRuns: isThorough ? thorough : usual }
}

/** Has a property skip the runs that the sample leaves out, till one has failed: what that is shrunk to is always tried. */
export function sampled<Values extends readonly unknown[]>(
  { stride, first }: Sample,
  attempt: (...values: Values) => void,
): (...values: Values) => void {
  let index = -1
  let hasFailed = false
  return (...values) => {
    index += 1
    fc.pre(hasFailed || index % stride === first - 1)
    try {
      attempt(...values)
    } catch (error) {
      hasFailed = true
      throw error
    }
  }
}
