import { join } from 'node:path'
import { createDictionary } from '../../src/core/dictionary.ts'
import type { ReadHost, WriteHost } from '../../src/core/provider.ts'
import { type Layout, recordDirectoryName } from './layout.ts'
import { quoteCommand } from './quoting.ts'

/**
 * What a process has loaded has to be read from the world (E4). Of its definition, a variable in its environment tells.
 * Of its configuration files, and of what it read anew at a reload, a record does, that systemd has written by the
 * service's own user, with no more rights than the service: `RUNTIME/reeve-loaded/UNIT/loaded`. It goes when the service
 * stops. That user can write anything there: it counts for nothing but whether that service has to be restarted. What Reeve
 * itself notes of a reload is where only root can write: `RUNTIME/reeve-reloaded/UNIT`.
 *
 *   INVOCATION-ID DEFINITION-DIGEST
 *   SHA-256 PATH          (`unknown` instead, if the service's user can't read the file)
 */
export interface LoadRecord {
  readonly invocation: string
  readonly definition: string
  readonly files: Readonly<Record<string, string>>
}

/** The variable with `Definition.digest` of the definition that the process was started with. */
export const definitionVariable = 'REEVE_DEFINITION'

export const unknownDigest = 'unknown'

/**
 * `sh -c … reeve DIRECTORY PATH…`. What is written counts when it has been moved into place. By a digest, what is in a short file
 * can be guessed, so nobody else reads it.
 */
const script = `cd "$1" || exit
shift
umask 077
rm -f loading
{
printf '%s %s\\n' "$INVOCATION_ID" "$${definitionVariable}"
for file; do
sum=$(sha256sum <"$file" 2>/dev/null) || sum=${unknownDigest}
printf '%s %s\\n' "\${sum%% *}" "$file"
done
} >loading`

const publish = `cd "$1" && exec mv -f loading loaded`

/** The keys of `[Service]` that have records written, around the `ExecReload` that there is. */
export function recordKeys(
  unit: string,
  files: readonly string[],
  reload: readonly string[],
): Readonly<Record<string, readonly string[]>> {
  if (files.length === 0 && reload.length === 0) return {}
  // In other names, systemd would take a colon for the end of the path, and a backslash for an escape.
  const directory = `${recordDirectoryName}/${/^[\w.@-]+$/.test(unit) ? unit : '%n'}`
  // The directory has to be known to systemd by a specifier, in words that have all others escaped.
  const place = (command: readonly string[]): string =>
    quoteCommand(command).replace('"DIRECTORY"', `"%t/${directory}"`)
  const write = place(['/bin/sh', '-c', script, 'reeve', 'DIRECTORY', ...files])
  const move = place(['/bin/sh', '-c', publish, 'reeve', 'DIRECTORY'])
  return {
    RuntimeDirectory: [directory],
    ...(files.length > 0 && { ExecStartPre: [write, move] }),
    // The empty one takes back those that stand further up in the unit.
    ...(reload.length > 0 && { ExecReload: ['', write, ...reload, move] }),
  }
}

/** No record of systemd's is larger than that of so many paths. */
const limit = 1024 * 1024

/** The record of a unit that counts for this start; undefined if there is none that can be read. */
export function readRecord(unit: string, invocation: string, layout: Layout, host: ReadHost): LoadRecord | undefined {
  const records = recordPaths(unit, layout).map(path => readRecordFile(path, host))
  return records.find(record => record?.invocation === invocation)
}

/** True if there is one of any start. */
export function hasRecord(unit: string, layout: Layout, host: ReadHost): boolean {
  return recordPaths(unit, layout).some(path => readRecordFile(path, host) !== undefined)
}

/** The one that a reload has left counts first: it is the later one. */
function recordPaths(unit: string, { recordDirectory, reloadDirectory }: Layout): string[] {
  return [join(reloadDirectory, unit), join(recordDirectory, unit, 'loaded')]
}

function readRecordFile(path: string, host: ReadHost): LoadRecord | undefined {
  try {
    // Most have none, and to find that out by failing takes ten times as long.
    return host.facts(path)?.kind === 'file' ? parseRecord(host.readText(path, limit)) : undefined
  } catch {
    return undefined // the service's user has put something else there
  }
}

/** Of what somebody else's unit has read anew at a reload, which that unit doesn't write down. */
export function noteReload(unit: string, record: LoadRecord, { reloadDirectory }: Layout, host: WriteHost): void {
  host.makeDirectory(reloadDirectory, { mode: 0o700 })
  host.writeFile(join(reloadDirectory, unit), writeRecord(record), { mode: 0o600 })
}

export function forgetReload(unit: string, { reloadDirectory }: Layout, host: WriteHost): void {
  const path = join(reloadDirectory, unit)
  if (host.facts(path)) host.removeFile(path)
}

export function writeRecord({ invocation, definition, files }: LoadRecord): string {
  const lines = Object.entries(files).map(([path, digest]) => `${digest} ${path}`)
  return [`${invocation} ${definition}`, ...lines, ''].join('\n')
}

export function parseRecord(text: string | undefined): LoadRecord | undefined {
  const [first = '', ...lines] = (text ?? '').split('\n')
  const [, invocation, definition] = /^([0-9a-f]{32}) ([0-9a-f]{64})$/.exec(first) ?? []
  if (invocation === undefined || definition === undefined) return undefined
  const files = new Map<string, string>()
  for (const line of lines) {
    const [, digest, path] = /^([0-9a-f]{64}|absent|unknown) (\/.*)$/.exec(line) ?? []
    if (digest !== undefined && path !== undefined) files.set(path, digest)
  }
  return { invocation, definition, files: createDictionary(files) }
}
