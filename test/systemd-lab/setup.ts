import type { TestSpecification } from 'vitest/node'
import { type MachineKind, makeImage } from './image.ts'
import { findBootProblem } from './machine.ts'

/** So many files of other projects take longer than the image. */
const many = 50

/** Vitest setup before the tests on a real init: the images that their machines are booted from. */
export async function setup(_project?: unknown, kinds: readonly MachineKind[] = ['systemd']): Promise<void> {
  if (findBootProblem() === undefined) await Promise.all(kinds.map(makeImage))
}

/**
 * The same for a run of these files. If many other files run first, the image is created meanwhile: the first machine waits
 * for the rest, which must be short, as the runner waits a minute and a half for a worker.
 */
export async function setUpBeside(files: readonly TestSpecification[]): Promise<void> {
  const isNeeded = (kind: MachineKind): boolean => files.some(({ project }) => project.name === kind)
  const kinds = (['systemd', 'openrc'] as const).filter(isNeeded)
  if (kinds.length === 0) return
  const others = files.filter(({ project }) => !kinds.some(kind => kind === project.name)).length
  const ready = setup(undefined, kinds)
  if (others < many) await ready
  else ready.catch(() => {}) // reported by the first machine to boot
}
