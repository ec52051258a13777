/** Which of many cases a run tries. */
export interface Sample {
  /** Every so many of them. */
  readonly stride: number
  /** The first of them, from 1. */
  readonly first: number
}

/** `REEVE_SAMPLE=all`: each of the cases, and each moment of a crash, those too that leave behind what others do. */
export const isThorough: boolean = process.env.REEVE_SAMPLE === 'all'

/** With another first one in each run, so that many runs have tried them all. The report says which. */
export function drawSample(stride: number): Sample {
  return isThorough ? { stride: 1, first: 1 } : { stride, first: 1 + Math.floor(Math.random() * stride) }
}

/** Those of the list that the sample has. */
export function sampleOf<T>(list: readonly T[], { stride, first }: Sample): T[] {
  return list.filter((_, index) => index % stride === first - 1)
}
