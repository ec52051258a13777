import type { ReadHost } from '../../core/contracts/host.ts'

/** Largest part of a file that is remembered, in bytes: the head of a program. */
const largestPart = 4_096

/**
 * Host for one refresh, which looks at each path once: services have directories and programs in common. Answers may be as old as the refresh:
 * steps check again.
 */
export function rememberPaths(host: ReadHost): ReadHost {
  const readPart = remember(host.readPart, (path, offset, length) => `${offset} ${length} ${path}`)
  return {
    ...host,
    findUnsafePart: remember(host.findUnsafePart, (path, options) => `${options?.isExclusive === true} ${path}`),
    facts: remember(host.facts, path => path),
    realPath: remember(host.realPath, path => path),
    readPart: (path, offset, length) => (length > largestPart ? host.readPart : readPart)(path, offset, length),
  }
}

/** What throws is asked again. */
function remember<A extends readonly unknown[], R>(
  look: (...args: A) => R,
  keyOf: (...args: A) => string,
): (...args: A) => R {
  const known = new Map<string, { readonly answer: R }>()
  return (...args) => {
    const key = keyOf(...args)
    const found = known.get(key) ?? { answer: look(...args) }
    known.set(key, found)
    return found.answer
  }
}
