import type { ResolveHook } from 'node:module'
import { findModuleProblem, type ModuleCheckOptions } from './module-check.ts'

/**
 * Hooks of Node's module loader, which runs them in a thread of their own: every import is checked as it is made, static or
 * dynamic, now or later. For `module.register`; see provider-loading.ts.
 */
let options: ModuleCheckOptions | undefined

export function initialize(given: ModuleCheckOptions): void {
  options = given
}

export const resolve: ResolveHook = async (specifier, context, nextResolve) => {
  const resolved = await nextResolve(specifier, context)
  const problem = options && findModuleProblem(resolved.url, options)
  if (problem !== undefined) throw new Error(problem)
  return resolved
}
