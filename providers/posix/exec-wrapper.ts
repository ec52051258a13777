import { basename } from 'node:path'
import { environmentFileLimit } from '../../src/core/model/environment-file.ts'
import { quoteWord } from './shell-quoting.ts'
import { textCheckFunctions } from './text-check.ts'

/**
 * Sources of a service's variables, in increasing priority. `credential`: the supervisor has read the file as root and
 * provides it to the service under that name in `$CREDENTIALS_DIRECTORY`.
 */
export type VariableSource =
  /** A variable of the wrapper's own environment, named `alias`, that contains `NAME=value`. */
  | { readonly kind: 'variable'; readonly alias: string }
  /** The same, with the content of the environment file `path`, which root has read. */
  | { readonly kind: 'content'; readonly alias: string; readonly path: string }
  /**
   * An environment file that the service's user reads, unless the variable `alias` is set: then root has read it, as
   * `content`.
   */
  | { readonly kind: 'file'; readonly path: string; readonly credential?: string; readonly alias?: string }
  /** A file with the value of the variable `name`, read by the service's user; `alias` as above, as `variable`. */
  | {
      readonly kind: 'secret'
      readonly name: string
      readonly path: string
      readonly credential?: string
      readonly alias?: string
    }

/** Actions taken as the service's user, right before the service is executed. */
export interface ExecWrapper {
  readonly workingDirectory?: string
  /** File that stdout and stderr are appended to. */
  readonly output?: string
  readonly variables: readonly VariableSource[]
  /** Open descriptor that problems are written to, besides stderr. It is closed before the service is executed. */
  readonly problems?: number
}

/** Exit code if the service can't be executed. */
export const wrapperFailure = 111

/** Largest size of a secret, in bytes. */
export const variableFileLimit: number = 1024 * 1024

/**
 * Words before a service's own command line. They run a shell with the rights of the service's user, which reads what that
 * user may read, enters its directory, opens its output and executes the service (S8). Values are passed in variables, never
 * on a command line (S9). Empty if there is nothing to do.
 */
export function wrapExecution(wrapper: ExecWrapper): readonly string[] {
  const { workingDirectory, output, variables } = wrapper
  if (workingDirectory === undefined && output === undefined && variables.length === 0) return []
  return ['/bin/sh', '-c', renderWrapper(wrapper), 'sh']
}

const wrapperStart = '__reeve_path=$PATH'

/** True if a command line is that of the shell, which has yet to execute the service. */
export function isWrapped([shell, option, script]: readonly string[]): boolean {
  return shell === '/bin/sh' && option === '-c' && script?.startsWith(wrapperStart) === true
}

function renderWrapper({ workingDirectory, output, variables, problems }: ExecWrapper): string {
  const report = problems === undefined ? '' : `\n  printf '%s\\n' "$1" >&${problems}`
  const parts = [
    // The service's own PATH may lack the tools used here.
    `${wrapperStart}
PATH=/usr/local/bin:/usr/bin:/bin:/run/current-system/sw/bin
__reeve_fail() {
  printf '%s\\n' "$1" >&2${report}
  exit ${wrapperFailure}
}`,
  ]
  if (variables.length > 0) parts.push(variableFunctions, ...variables.map(renderSource))
  if (workingDirectory !== undefined) {
    const directory = quoteWord(workingDirectory)
    parts.push(
      `cd -P -- ${directory} || __reeve_fail "cannot enter the working directory "${directory}" as user $(id -u)"`,
    )
  }
  // Not before: earlier problems go to the supervisor's own messages.
  if (output !== undefined) parts.push(renderOutput(output))
  // A shell exports its previous directory only if told to.
  parts.push('unset OLDPWD', 'PATH=$__reeve_path', 'unset __reeve_path')
  // Last of all: some variables steer the shell.
  if (variables.length > 0) parts.push(exportAll)
  parts.push(`exec "$@"${problems === undefined ? '' : ` ${problems}>&-`}`)
  return parts.join('\n')
}

/**
 * Output must not block the start for ever, nor go elsewhere silently; but the link left by a logger of a scan directory is
 * removed. The service has its own umask.
 */
function renderOutput(path: string): string {
  const file = quoteWord(path)
  const logs = quoteWord(`${basename(path)}.d/current`)
  return `[ ! -L ${file} ] || [ "$(readlink -- ${file})" != ${logs} ] || rm -f -- ${file}
[ ! -L ${file} ] && { [ -f ${file} ] || [ ! -e ${file} ]; } ||
  __reeve_fail "cannot append output to "${file}": it is not a regular file"
__reeve_said=$( (LC_ALL=C && umask 0027 && : >>${file}) 2>&1) ||
  __reeve_fail "cannot append output to "${file}" as user $(id -u): \${__reeve_said##*: }"
unset __reeve_said
exec >>${file} 2>&1`
}

function renderSource(source: VariableSource): string {
  switch (source.kind) {
    case 'variable':
      return `__reeve_keep "$${source.alias}"\nunset ${source.alias}`
    case 'content':
      return `__reeve_parse ${quoteWord(source.path)} "$${source.alias}"\nunset ${source.alias}`
    case 'file': {
      const reading = `__reeve_read ${whereToRead(source)} ${quoteWord(source.path)} ${environmentFileLimit}
__reeve_parse ${quoteWord(source.path)} "$__reeve_text"`
      return source.alias === undefined
        ? reading
        : orGiven(source.alias, renderSource({ kind: 'content', alias: source.alias, path: source.path }), reading)
    }
    case 'secret': {
      const reading = `__reeve_read ${whereToRead(source)} ${quoteWord(source.path)} ${variableFileLimit}
__reeve_text=\${__reeve_text#"$__reeve_mark"}
case $__reeve_text in
  *"$__reeve_return$__reeve_newline") __reeve_text=\${__reeve_text%??} ;;
  *"$__reeve_newline") __reeve_text=\${__reeve_text%?} ;;
esac
__reeve_keep ${source.name}="$__reeve_text"`
      return source.alias === undefined
        ? reading
        : orGiven(source.alias, renderSource({ kind: 'variable', alias: source.alias }), reading)
    }
  }
}

function whereToRead({ path, credential }: { readonly path: string; readonly credential?: string }): string {
  return credential === undefined ? quoteWord(path) : `"$CREDENTIALS_DIRECTORY"/${quoteWord(credential)}`
}

function orGiven(alias: string, given: string, otherwise: string): string {
  return `if [ -n "\${${alias}+given}" ]; then
${given}
else
${otherwise}
fi`
}

/**
 * Environment files: nothing is expanded; one pair of quotes around a value is removed. Variables are kept under aliases
 * until the end, and are not exported before.
 */
const variableFunctions = `__reeve_newline='
' __reeve_return=$(printf '\\r') __reeve_mark=$(printf '\\357\\273\\277') __reeve_count=0
__reeve_keep() {
  case $1 in __reeve*) __reeve_fail "the variable \${1%%=*} cannot be set: names that begin with __reeve are reserved" ;; esac
  __reeve_count=$((__reeve_count + 1))
  eval "__reeve_kept_$__reeve_count=\\$1"
}
__reeve_head() {
  head -c $(($2 + 1)) -- "$1" 2>/dev/null
}
__reeve_read() {
  [ -f "$1" ] && [ -r "$1" ] || __reeve_fail "cannot read $2 as user $(id -u); create it, or let that user read it"
  __reeve_size=$(__reeve_head "$1" "$3" | wc -c)
  [ "$__reeve_size" -le "$3" ] || __reeve_fail "cannot read $2: it is larger than $3 bytes"
  __reeve_line_number=$(__reeve_head "$1" "$3" | __reeve_find_nul)
  [ -z "$__reeve_line_number" ] || __reeve_fail "expected text in line $__reeve_line_number of $2, found a NUL byte"
  # The x keeps line ends at the end.
  __reeve_text=$(__reeve_head "$1" "$3" && printf x) || __reeve_fail "cannot read $2 as user $(id -u)"
  __reeve_text=\${__reeve_text%x}
}
__reeve_parse() {
  __reeve_text=\${2#"$__reeve_mark"}
  __reeve_line_number=$(printf %s "$__reeve_text" | __reeve_find_other_bytes)
  [ -z "$__reeve_line_number" ] || __reeve_fail "expected UTF-8 text in line $__reeve_line_number of $1, found other bytes"
  __reeve_line_number=0
  while IFS= read -r __reeve_line || [ -n "$__reeve_line" ]; do
    __reeve_line_number=$((__reeve_line_number + 1))
    __reeve_line=\${__reeve_line%"$__reeve_return"}
    __reeve_line=\${__reeve_line#"\${__reeve_line%%[! 	]*}"}
    __reeve_line=\${__reeve_line%"\${__reeve_line##*[! 	]}"}
    case $__reeve_line in '' | '#'* | ';'*) continue ;; esac
    __reeve_name=\${__reeve_line%%=*}
    __reeve_value=\${__reeve_line#*=}
    case $__reeve_line in *=*) ;; *) __reeve_name= ;; esac
    case $__reeve_name in '' | [0-9]* | *[!A-Za-z0-9_]*)
      __reeve_fail "expected KEY=value in line $__reeve_line_number of $1, KEY of letters, digits and _" ;;
    __reeve*)
      __reeve_fail "the name in line $__reeve_line_number of $1 is reserved: those that begin with __reeve are" ;;
    esac
    case $__reeve_value in \\"*\\" | \\'*\\')
      __reeve_value=\${__reeve_value#?}
      __reeve_value=\${__reeve_value%?} ;;
    esac
    __reeve_keep "$__reeve_name=$__reeve_value"
  done <<__reeve_end
$__reeve_text
__reeve_end
}
${textCheckFunctions}`

/**
 * A name that this shell reserves is an error: it would be dropped or changed silently. Most reserved names lose their
 * special meaning when unset. bash changes some at the last moment, and exports none of its arrays.
 */
const exportAll = `__reeve_number=0 __reeve_bash=\${BASH_VERSION:+bash:}
while [ "$__reeve_number" -lt "$__reeve_count" ]; do
  __reeve_number=$((__reeve_number + 1))
  eval "__reeve_line=\\$__reeve_kept_$__reeve_number"
  unset "__reeve_kept_$__reeve_number"
  __reeve_name=\${__reeve_line%%=*}
  __reeve_value=\${__reeve_line#*=}
  case $__reeve_bash$__reeve_name in
    bash:_ | bash:SHLVL | bash:BASH_ARG[CV] | bash:BASH_ALIASES | bash:BASH_CMDS) false ;;
    bash:BASH_LINENO | bash:BASH_REMATCH | bash:BASH_SOURCE) false ;;
  esac && (
    unset "$__reeve_name"
    export "$__reeve_line"
    eval "[ \\"\\$$__reeve_name\\" = \\"\\$__reeve_value\\" ]"
  ) 2>/dev/null || __reeve_fail "the shell of this host cannot set the variable $__reeve_name"
  unset "$__reeve_name"
  export "$__reeve_line"
done
unset __reeve_newline __reeve_return __reeve_mark __reeve_count __reeve_text __reeve_line __reeve_line_number __reeve_name __reeve_value __reeve_number __reeve_size __reeve_bash`
