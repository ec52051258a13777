import type { TestSpecification } from 'vitest/node'
import { makeImage } from './image.ts'
import { findBootProblem } from './machine.ts'

/** So many files of other projects take longer than the image. */
const many = 50

/** Vitest setup before the tests on a real systemd: the image that their machines are booted from. */
export async function setup(): Promise<void> {
  if (findBootProblem() === undefined) await makeImage()
}

/**
 * The same for a run of these files. If many other files run first, the image is created meanwhile: the first machine waits
 * for the rest, which must be short, as the runner waits a minute and a half for a worker.
 */
export async function setUpBeside(files: readonly TestSpecification[]): Promise<void> {
  const others = files.filter(({ project }) => project.name !== 'systemd').length
  if (others === files.length) return
  const ready = setup()
  if (others < many) await ready
  else ready.catch(() => {}) // reported by the first machine to boot
}
