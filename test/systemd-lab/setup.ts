import { makeImage } from './image.ts'
import { findBootProblem } from './machine.ts'

/** Before the tests that run on a real systemd: the image that their machines are booted from. */
export function setup(): void {
  if (findBootProblem() === undefined) makeImage()
}
