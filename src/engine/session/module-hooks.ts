import type { ResolveHook } from 'node:module'
import { findModuleProblem, type ModuleCheckOptions } from './module-check.ts'

/**
 * Hooks of Node's module loader that check each import, static or dynamic. For `module.register`; see provider-loading.ts.
 * Node gives `data` to `initialize` only and takes both hooks from the module's exports, so the module has to hold it.
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
