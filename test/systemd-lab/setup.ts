import type { TestSpecification } from 'vitest/node'
import { makeImage } from './image.ts'
import { findBootProblem } from './machine.ts'

/** So many files of other projects take longer than the image. */
const many = 50

/** For vitest: before the tests that run on a real systemd, the image that their machines are booted from. */
export async function setup(): Promise<void> {
  if (findBootProblem() === undefined) await makeImage()
}

/**
 * The same for a run of these files. While many others run first, the image is made beside them: who boots the first
 * machine waits for what is left, which must not take long, as the runner waits a minute and a half for a worker.
 */
export async function setUpBeside(files: readonly TestSpecification[]): Promise<void> {
  const others = files.filter(({ project }) => project.name !== 'systemd').length
  if (others === files.length) return
  const ready = setup()
  if (others < many) await ready
  else ready.catch(() => {}) // told to who boots the first machine
}
