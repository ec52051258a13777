import { createDictionary } from '../../core/dictionary.ts'
import type { FieldPath, FieldProblem } from '../diagnostics/problem.ts'
import { checkSchema } from './schema-check.ts'
import type { SchemaName } from './schema-node.ts'

/** Most schema errors for which the rest of a document is checked. */
const mostProblems = 20
/** Removing a part can make its parent incomplete, once per level. */
const mostRounds = 5

/**
 * What a document says where nothing is wrong with it, so that the rest of it is checked in the same run. Undefined: nothing
 * can be told without what is wrong. `problems` are those that the schema has found.
 */
export function withoutFaults<T>(
  name: SchemaName,
  isValid: (value: unknown) => value is T,
  value: unknown,
  problems: readonly FieldProblem[],
): T | undefined {
  let rest = value
  let found = problems
  for (let round = 0; round < mostRounds && found.length <= mostProblems; round++) {
    for (const problem of found) {
      const path = faultyPart(problem)
      // A document without name or kind can't be checked.
      if (path.length < 2 || path[0] !== 'spec') return undefined
      rest = without(rest, path)
    }
    const next: FieldProblem[] = []
    if (checkSchema(name, isValid, rest, next)) return rest
    found = next
  }
  return undefined
}

/** A faulty list is left out whole, as removing one item would move the others. */
function faultyPart({ path }: FieldProblem): FieldPath {
  return path.slice(0, path.findLastIndex(part => typeof part === 'string') + 1)
}

function without(value: unknown, [part, ...rest]: FieldPath): unknown {
  if (Array.isArray(value)) return value.map((item, index) => (index === part ? without(item, rest) : item))
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).filter(([key]) => key !== part || rest.length > 0)
  return createDictionary(entries.map(([key, item]) => [key, key === part ? without(item, rest) : item]))
}
