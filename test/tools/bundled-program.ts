import { mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'rolldown'

export interface BundledProgram extends Disposable {
  readonly path: string
}

const root = join(import.meta.dirname, '../..')

/**
 * Bundles a source file and its imports into a file that plain Node can run quickly: for tests whose subject has to be
 * several processes, or to be killed. Not that of `dist/`, which may be older than the sources.
 */
export async function bundleProgram(source: URL): Promise<BundledProgram> {
  const directory = mkdtempSync(join(tmpdir(), 'reeve-program-'))
  // Its imports are resolved as from the sources.
  for (const name of ['package.json', 'node_modules', 'schemas', 'dist'])
    symlinkSync(join(root, name), join(directory, name))
  const path = join(directory, 'program.mjs')
  await build({
    cwd: root,
    input: fileURLToPath(source),
    platform: 'node',
    transform: { target: 'node20.19' },
    checks: { ineffectiveDynamicImport: false },
    external: id => /^[^./#\0]/.test(id) && !/^(@oxc-project\/runtime\/|yaml$)/.test(id),
    output: { file: path, codeSplitting: false },
  })
  return { path, [Symbol.dispose]: () => rmSync(directory, { recursive: true, force: true }) }
}
