import Module, { createRequire, register } from 'node:module'
import { pathToFileURL } from 'node:url'
import { ReeveError } from '../../core/reeve-error.ts'
import { findModuleProblem, type ModuleCheckOptions } from './module-check.ts'

/** Node's resolver of CommonJS modules: undocumented, but stable, as many tools replace it. */
interface CommonLoader {
  _resolveFilename(this: unknown, ...args: unknown[]): unknown
}

const mark = Symbol.for('reeve.moduleGuard')

/**
 * From here on, all modules that this process loads, besides its own, have to be safe from other users (S1): by static and dynamic
 * `import` and by `require`. To check the module that the host configuration names isn't enough, as it can import others.
 * Cannot be undone; further calls do nothing.
 */
export function guardModules(options: ModuleCheckOptions): void {
  if (Reflect.has(Module, mark)) return
  Reflect.set(Module, mark, true)
  const hooks = createRequire(import.meta.url).resolve('#module-hooks')
  register(pathToFileURL(hooks), { data: options })
  const loader: unknown = Module
  if (!isLoader(loader)) throw new ReeveError('internal', 'expected Module._resolveFilename of Node, found none')
  const find = loader._resolveFilename
  loader._resolveFilename = function (...args) {
    const found = find.apply(this, args)
    const problem = typeof found === 'string' ? findModuleProblem(found, options) : undefined
    if (problem !== undefined) throw new ReeveError('insecure', problem)
    return found
  }
}

function isLoader(value: unknown): value is CommonLoader {
  return typeof value === 'function' && typeof Reflect.get(value, '_resolveFilename') === 'function'
}
