/** Which of the moments a run tries. */
export interface Sample {
  /** Every so many of them. */
  readonly stride: number
  /** The first of them, from 1. */
  readonly first: number
}

/** `REEVE_CRASH=all`: each of the moments, those too that leave behind what others do. */
export const isThorough: boolean = process.env.REEVE_CRASH === 'all'

/** With another first one in each run, so that many runs have tried them all. The report says which. */
export function drawSample(stride: number): Sample {
  return isThorough ? { stride: 1, first: 1 } : { stride, first: 1 + Math.floor(Math.random() * stride) }
}
