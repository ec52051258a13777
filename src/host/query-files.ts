import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { QueryFile } from '../core/contracts/host.ts'
import { createFailure } from './failure.ts'
import { readFileFacts } from './file-reading.ts'
import { readProcessFacts } from './process-facts.ts'

const prefix = 'reeve-query-'

/**
 * Has the files for as long as they are used, in a directory of their own that nobody else can look into. They are all that a look at
 * the host ever writes (E2), and mean nothing to any supervisor.
 */
export async function withQueryFiles<T>(
  files: readonly QueryFile[],
  use: (directory: string) => Promise<T>,
): Promise<T> {
  const directory = openDirectory()
  try {
    writeFiles(files, directory)
    return await use(directory)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

function openDirectory(): string {
  const base = process.geteuid?.() === 0 ? '/run' : tmpdir()
  try {
    clearAway(base)
    return mkdtempSync(join(base, `${prefix}${process.pid}-`))
  } catch (error) {
    throw createFailure(`make a directory in ${base}`, error)
  }
}

/** Leftover of a process that was killed. */
function clearAway(base: string): void {
  for (const name of readdirSync(base)) {
    const [, pid] = /^reeve-query-(\d+)-/.exec(name) ?? []
    if (pid === undefined || readProcessFacts(Number(pid)) !== undefined) continue
    const path = join(base, name)
    const facts = readFileFacts(path)
    if (facts?.kind !== 'directory' || facts.uid !== process.geteuid?.()) continue
    rmSync(path, { recursive: true, force: true })
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
