import { dirname } from 'node:path'
import type { WriteHost } from '../../core/contracts/host.ts'

/** Writes the host configuration; a file that is there keeps its place, owner and mode. */
export function writeConfiguration(file: string, text: string, host: WriteHost): void {
  const path = host.realPath(file) ?? file
  const facts = host.facts(path)
  host.makeDirectory(dirname(path), { mode: 0o755 })
  host.writeFile(path, text, facts ? { mode: facts.mode & 0o777, uid: facts.uid, gid: facts.gid } : { mode: 0o644 })
}
