import { closest, distance } from 'fastest-levenshtein'
import { lookUp } from '../../core/dictionary.ts'

/** The known name that `found` likely means, if one is close. */
export function suggest(found: string, known: readonly string[]): string | undefined {
  if (found === '' || known.length === 0) return undefined
  const simplified = simplify(found)
  const same = known.find(candidate => simplify(candidate) === simplified)
  if (same !== undefined) return same
  // Letters in the wrong order are two edits apart, too far for short words.
  const swapped = known.find(candidate => letters(candidate) === letters(found))
  if (swapped !== undefined) return swapped
  const nearest = closest(found, [...known])
  const allowed = Math.max(1, Math.floor(Math.max(found.length, nearest.length) / 3))
  return distance(found, nearest) <= allowed ? nearest : abbreviated(simplified, known)
}

/** Names of fields in other tools, simplified, and our field for each. */
const otherNames: Readonly<Record<string, string>> = {
  args: 'command',
  after: 'dependsOn',
  autorestart: 'restart',
  autostart: 'enabled',
  cmd: 'command',
  cwd: 'workingDirectory',
  data: 'content',
  dest: 'path',
  directory: 'workingDirectory',
  entrypoint: 'command',
  envfile: 'environmentFiles',
  exec: 'command',
  execstart: 'command',
  livenessprobe: 'health',
  logfile: 'output',
  needs: 'dependsOn',
  period: 'interval',
  permissions: 'mode',
  perms: 'mode',
  readinessprobe: 'health',
  requires: 'dependsOn',
  retries: 'failureThreshold',
  src: 'source',
  stdout: 'output',
  target: 'path',
}

/** As `suggest`, for a field name, which may be another tool's. */
export function suggestField(found: string, known: readonly string[]): string | undefined {
  const other = lookUp(otherNames, simplify(found))
  return suggest(found, known) ?? (other !== undefined && known.includes(other) ? other : undefined)
}

/** `env` is the start of `environment`, `commandLine` starts with `command`: the shortest that fits. */
function abbreviated(found: string, known: readonly string[]): string | undefined {
  const isAlike = (candidate: string): boolean =>
    (found.length >= 3 && candidate.startsWith(found)) || (candidate.length >= 4 && found.startsWith(candidate))
  return known.filter(candidate => isAlike(simplify(candidate))).toSorted((a, b) => a.length - b.length)[0]
}

/** `; did you mean "x"?`, or nothing. */
export function suggestionFor(found: string, known: readonly string[]): string {
  const suggestion = suggest(found, known)
  return suggestion === undefined ? '' : `; did you mean "${suggestion}"?`
}

/** `depends_on`, `depends-on` and `dependson` are all meant to be `dependsOn`. */
function simplify(key: string): string {
  return key.toLowerCase().replaceAll(/[-_ ]/g, '')
}

function letters(key: string): string {
  return [...key].sort().join('')
}

/** `a`, `a or b`, `a, b or c`. */
export function listOf(items: readonly string[], joint: 'and' | 'or'): string {
  const last = items.at(-1) ?? ''
  return items.length < 2 ? last : `${items.slice(0, -1).join(', ')} ${joint} ${last}`
}
