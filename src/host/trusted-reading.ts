import type { FileFacts, ReadHost } from '../core/contracts/host.ts'
import { ReeveError } from '../core/reeve-error.ts'

/**
 * A file that Reeve has written for itself, and believes: only its user and root may have written it. Undefined if there is none.
 * Throws ReeveError `insecure` for one that somebody else owns or can write, or that is no file. Whether others can put
 * another in its place is a matter of its directory, which `openSession` looks at.
 */
export function readTrusted(path: string, host: ReadHost, limit?: number): string | undefined {
  const facts = host.facts(path)
  if (facts === undefined) return undefined
  const problem = findDistrust(path, facts, host.userId())
  if (problem !== undefined) throw new ReeveError('insecure', problem)
  return host.readText(path, limit)
}

/** Why a file isn't trusted, and the remedy; undefined if it is. */
export function findDistrust(
  path: string,
  { kind, uid, mode }: Pick<FileFacts, 'kind' | 'uid' | 'mode'>,
  userId: number,
): string | undefined {
  const found = `(owner ${uid}, mode ${mode.toString(8).padStart(4, '0')})`
  const remedy = 'remove it, or see what is in it and give it to the user who runs Reeve, with mode 0600'
  if (kind !== 'file') return `cannot believe ${path}: expected a file, found something else ${found}; remove it`
  if (uid !== 0 && uid !== userId) return `cannot believe ${path}: user ${uid} could have forged it ${found}; ${remedy}`
  if ((mode & 0o022) !== 0) return `cannot believe ${path}: others can write it ${found}; ${remedy}`
  return undefined
}
