import Module, { createRequire, register } from 'node:module'
import { pathToFileURL } from 'node:url'
import { ReeveError } from '../../core/reeve-error.ts'
import { findModuleProblem, type ModuleCheckOptions } from './module-check.ts'

/** How CommonJS finds a module: Node's own, which it doesn't document and keeps, as many tools replace it. */
interface CommonLoader {
  _resolveFilename(this: unknown, ...args: unknown[]): unknown
}

const mark = Symbol.for('reeve.moduleGuard')

/**
 * From here on, whatever this process loads besides its own modules has to be safe from others (S1): by `import`, static and
 * dynamic, and by `require`, at whatever time. A module that is checked can import another, so a look at the one that the host
 * configuration names isn't enough. It can't be taken back, and once is enough.
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
