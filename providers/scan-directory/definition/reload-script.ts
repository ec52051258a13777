import { quoteWord } from '../../posix/shell-quoting.ts'
import { renderExecution, renderPreparation, standardPath } from './prepare-script.ts'
import { header, type ScriptInput } from './script-input.ts'
import { shellFunctions, signalNumber } from './shell-functions.ts'

/** Runs the reload command as the service itself is run; MAINPID is the pid of the service. */
export function renderReload({ facility, process, scripts, records }: ScriptInput, command: readonly string[]): string {
  return `${header(facility)}[ "$2" = clean ] || exec env -i ${quoteWord(`PATH=${standardPath}`)} MAINPID="$1" /bin/sh ./reeve/reload "$1" clean
__reeve_records=${quoteWord(records)}
__reeve_fail() {
  printf '%s\\n' "$1" >&2
  exit 111
}
${renderPreparation(process, scripts)}
${renderExecution(process, command, [])}
`
}

/**
 * For supervisors that can only send HUP for a reload. The signal goes to the process of the claim, not to a pid in the
 * status: others may be able to write what the supervisor has written.
 */
export function renderReloadSignal(facility: string, signal: string): string {
  return `${header(facility)}__reeve_records=reeve
${shellFunctions}__reeve_find_boot
read -r __reeve_pid __reeve_then __reeve_rest __reeve_in <reeve/claim && [ "$__reeve_in" = "$__reeve_boot" ] || exit 1
__reeve_start_of "$__reeve_pid" && [ "$__reeve_start" = "$__reeve_then" ] && kill -${signalNumber(signal)} "$__reeve_pid"
`
}
