import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { createFailure } from './failure.ts'
import { readFileFacts } from './file-reading.ts'
import { readProcessFacts } from './process-facts.ts'

/** Makes a temporary directory in `base` that nobody else can look into. Those of processes that were killed are removed. */
export function makeOwnDirectory(purpose: 'query' | 'revision', base: string): string {
  const prefix = `reeve-${purpose}-`
  try {
    clearAway(base, prefix)
    return mkdtempSync(join(base, `${prefix}${process.pid}-`))
  } catch (error) {
    throw createFailure(`make a directory in ${base}`, error)
  }
}

function clearAway(base: string, prefix: string): void {
  for (const name of readdirSync(base)) {
    const [, pid] = (name.startsWith(prefix) && /^(\d+)-/.exec(name.slice(prefix.length))) || []
    if (pid === undefined || readProcessFacts(Number(pid)) !== undefined) continue
    const path = join(base, name)
    const facts = readFileFacts(path)
    if (facts?.kind !== 'directory' || facts.uid !== process.geteuid?.()) continue
    rmSync(path, { recursive: true, force: true })
  }
}
