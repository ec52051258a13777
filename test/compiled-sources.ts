import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

export interface CompiledSources extends Disposable {
  /** Where a source file is as JavaScript. */
  path(source: URL): string
}

const root = join(import.meta.dirname, '..')

/**
 * Compiles source files, and what they import, to where plain Node can run them: for tests whose subject has to be
 * several processes, or to be killed. Not `dist/`, which may be older than the sources.
 */
export function compileSources(sources: readonly URL[]): CompiledSources {
  // Under node_modules, so that imports of packages are resolved as they are for the sources.
  const base = join(root, 'node_modules', '.cache', 'reeve-test')
  mkdirSync(base, { recursive: true })
  const directory = mkdtempSync(join(base, 'compiled-'))
  const project = join(directory, 'tsconfig.json')
  const compilerOptions = { rootDir: root, outDir: directory, declaration: true, types: ['node'] }
  const files = sources.map(source => fileURLToPath(source))
  writeFileSync(project, JSON.stringify({ extends: join(root, 'tsconfig.json'), compilerOptions, files, include: [] }))
  writeFileSync(join(directory, 'package.json'), '{"type":"module"}')
  const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
  const result = spawnSync(process.execPath, [compiler, '-p', project], { encoding: 'utf8' })
  if (result.status !== 0) throw new Error(`the sources of a test don't compile:\n${result.stdout}${result.stderr}`)
  return {
    path: source => join(directory, relative(root, fileURLToPath(source)).replace(/\.ts$/, '.js')),
    [Symbol.dispose]: () => rmSync(directory, { recursive: true, force: true }),
  }
}
