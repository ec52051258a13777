import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { QueryFile } from '../core/contracts/host.ts'
import { createFailure } from './failure.ts'
import { makeOwnDirectory } from './own-directory.ts'

/**
 * Has the files for as long as they are used, in a directory of their own that nobody else can look into. They mean nothing to any supervisor (E2).
 */
export async function withQueryFiles<T>(
  files: readonly QueryFile[],
  use: (directory: string) => Promise<T>,
): Promise<T> {
  const directory = makeOwnDirectory('query', process.geteuid?.() === 0 ? '/run' : tmpdir())
  try {
    writeFiles(files, directory)
    return await use(directory)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

function writeFiles(files: readonly QueryFile[], directory: string): void {
  for (const { name, content } of files) {
    const path = join(directory, name)
    try {
      mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
      writeFileSync(path, content, { mode: 0o600, flag: 'wx' })
    } catch (error) {
      throw createFailure(`write ${path}`, error)
    }
  }
}
