import { createDictionary } from '../../src/core/dictionary.ts'
import { recordDirectoryName } from './layout.ts'
import { quoteCommand } from './quoting.ts'

/**
 * What a process has loaded has to be read from the world (E4). Of its definition, a variable in its environment tells.
 * Of its configuration files, and of what it read anew at a reload, a record does, that systemd has written by the
 * service's own user, with no more rights than the service: `RUNTIME/reeve-loaded/UNIT/loaded`. It goes when the service
 * stops.
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

/** `sh -c … reeve DIRECTORY PATH…`. What is written counts when it has been moved into place. */
const script = `cd "$1" || exit
shift
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
  const directory = `${recordDirectoryName}/${unit}`
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

export function writeRecord({ invocation, definition, files }: LoadRecord): string {
  const lines = Object.entries(files).map(([path, digest]) => `${digest} ${path}`)
  return [`${invocation} ${definition}`, ...lines, ''].join('\n')
}

export function parseRecord(text: string | undefined): LoadRecord | undefined {
  const [first = '', ...lines] = (text ?? '').split('\n')
  const [, invocation, definition] = /^([0-9a-f]{32}) ([0-9a-f]{64})$/.exec(first) ?? []
  if (invocation === undefined || definition === undefined) return undefined
  const files = createDictionary<string>()
  for (const line of lines) {
    const [, digest, path] = /^([0-9a-f]{64}|absent|unknown) (\/.*)$/.exec(line) ?? []
    if (digest !== undefined && path !== undefined) files[path] = digest
  }
  return { invocation, definition, files }
}
