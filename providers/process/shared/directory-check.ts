import type { ReadHost } from '../../../src/core/contracts/host.ts'
import { describeUnsafePart } from '../../../src/core/paths/path-safety.ts'
import { messageOf } from '../../../src/core/reeve-error.ts'
import type { Layout } from './layout.ts'

/** Kernel limit for the path of a unix socket, in bytes. */
const socketPathLimit = 107

/** Reason why the instance's directory can't be used; undefined if it can be, or doesn't exist yet. */
export function findDirectoryProblem(host: ReadHost, layout: Layout): string | undefined {
  const { directory, socket } = layout
  if (Buffer.byteLength(socket) > socketPathLimit) {
    return `expected a path of at most ${socketPathLimit} bytes for the socket, found ${socket}: choose a shorter directory`
  }
  try {
    const real = host.realPath(directory)
    const unsafe = host.userId() === 0 ? host.findUnsafePart(directory, { isExclusive: real !== undefined }) : undefined
    // A user who can change a component of the path can replace it by a directory of their own, with definitions and pids.
    if (unsafe) return `${directory} cannot be used by root: ${describeUnsafePart(unsafe)}`
    const facts = real === undefined ? undefined : host.facts(real)
    if (!facts) return undefined
    if (facts.kind !== 'directory') return `expected a directory, found something else: ${directory}; move it away`
    if (facts.uid !== host.userId()) {
      return `${directory} belongs to user ${facts.uid}, and this is user ${host.userId()}; act as that user, or choose another directory`
    }
    if ((facts.mode & 0o022) !== 0) return `others can write to ${directory}; take that right away (chmod 700)`
    host.readDirectory(directory)
    return findLooseDirectory(host, layout)
  } catch (error) {
    return messageOf(error)
  }
}

/** Directories whose contents are trusted, and run. */
function findLooseDirectory(host: ReadHost, { definitions, enabled, state, runs, lock }: Layout): string | undefined {
  for (const path of [definitions, enabled, state, runs, lock]) {
    const facts = host.facts(path)
    if (!facts) continue
    if (facts.kind !== 'directory') return `expected a directory, found something else: ${path}; move it away`
    if (facts.uid !== host.userId()) return `${path} belongs to user ${facts.uid}: what is in there can't be believed`
    if ((facts.mode & 0o022) !== 0) return `others can write to ${path}; take that right away (chmod go-w)`
  }
  return undefined
}
