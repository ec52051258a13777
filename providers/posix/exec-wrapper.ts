import { quoteWord } from './shell-quoting.ts'

/** Where variables of a service come from, each winning over those before. */
export type VariableSource =
  /** A variable of the wrapper's own environment, of the name `alias`, holds `NAME=value`. */
  | { readonly kind: 'variable'; readonly alias: string }
  /** The same, with what is in the environment file `path`, which root has read. */
  | { readonly kind: 'content'; readonly alias: string; readonly path: string }
  /** An environment file that the service's user reads, unless the variable `alias` is set: then root has read it, as `content`. */
  | { readonly kind: 'file'; readonly path: string; readonly alias?: string }
  /** A file that the service's user reads, with the value of the variable `name`; `alias` as above, as `variable`. */
  | { readonly kind: 'secret'; readonly name: string; readonly path: string; readonly alias?: string }

/** What is done as the service's user, as the last thing before the service is executed. */
export interface ExecWrapper {
  readonly workingDirectory?: string
  /** A file that stdout and stderr are appended to. */
  readonly output?: string
  readonly variables: readonly VariableSource[]
  /** A descriptor that is open for a problem to be written to, besides stderr. It is closed before the service is executed. */
  readonly problems?: number
}

/** The exit code where the service can't be executed. */
export const wrapperFailure = 111

/**
 * The words before a service's own command line. They run a shell with the rights of the service's user, which reads what that
 * user may read, enters its directory, opens its output and executes the service (S8). Values come in variables, and stand on
 * no command line (S9). Empty if there is nothing to do.
 */
export function wrapExecution(wrapper: ExecWrapper): readonly string[] {
  const { workingDirectory, output, variables } = wrapper
  if (workingDirectory === undefined && output === undefined && variables.length === 0) return []
  return ['/bin/sh', '-c', renderWrapper(wrapper), 'sh']
}

/** True if the command line is one of `wrapExecution`, which has not come to the service yet. */
export function isWrapper([shell, option, text = '']: readonly string[]): boolean {
  return shell === '/bin/sh' && option === '-c' && text.startsWith(failure)
}

const failure = `__reeve_fail() {
  printf '%s\\n' "$1" >&2`

function renderWrapper({ workingDirectory, output, variables, problems }: ExecWrapper): string {
  const report = problems === undefined ? '' : `\n  printf '%s\\n' "$1" >&${problems}`
  const parts = [
    `${failure}${report}
  exit ${wrapperFailure}
}`,
  ]
  if (output !== undefined) parts.push(renderOutput(output))
  if (variables.length > 0) parts.push(variableFunctions, ...variables.map(renderSource))
  if (workingDirectory !== undefined) {
    const directory = quoteWord(workingDirectory)
    parts.push(
      `cd -P -- ${directory} || __reeve_fail "cannot enter the working directory "${directory}" as user $(id -u)"`,
    )
  }
  if (problems !== undefined) parts.push(`exec ${problems}>&-`)
  // Last of all: some steer the shell.
  parts.push(variables.length > 0 ? exportAll : '', 'exec "$@"')
  return parts.filter(part => part !== '').join('\n')
}

/** Not what would hold up the start for ever, or go elsewhere without a word. */
function renderOutput(path: string): string {
  const file = quoteWord(path)
  return `[ -f ${file} ] || [ ! -e ${file} ] || __reeve_fail "cannot append output to "${file}": it is not a regular file"
umask 0027
{ : >>${file}; } 2>/dev/null || __reeve_fail "cannot append output to "${file}" as user $(id -u)"
exec >>${file} 2>&1`
}

function renderSource(source: VariableSource): string {
  switch (source.kind) {
    case 'variable':
      return `__reeve_keep "$${source.alias}"\nunset ${source.alias}`
    case 'content':
      return `__reeve_parse ${quoteWord(source.path)} "$${source.alias}"\nunset ${source.alias}`
    case 'file': {
      const reading = `__reeve_read ${quoteWord(source.path)}
__reeve_parse ${quoteWord(source.path)} "$__reeve_text"`
      return source.alias === undefined
        ? reading
        : orGiven(source.alias, renderSource({ kind: 'content', alias: source.alias, path: source.path }), reading)
    }
    case 'secret': {
      const reading = `__reeve_read ${quoteWord(source.path)}
__reeve_text=\${__reeve_text%"$__reeve_newline"}
__reeve_text=\${__reeve_text%"$__reeve_return"}
__reeve_keep ${source.name}="$__reeve_text"`
      return source.alias === undefined
        ? reading
        : orGiven(source.alias, renderSource({ kind: 'variable', alias: source.alias }), reading)
    }
  }
}

function orGiven(alias: string, given: string, otherwise: string): string {
  return `if [ -n "\${${alias}+given}" ]; then
${given}
else
${otherwise}
fi`
}

/**
 * Nothing in an environment file is expanded; one pair of quotes around a value is taken off. Variables are kept under names of
 * our own till the end, and are not exported before.
 */
const variableFunctions = `__reeve_newline='
' __reeve_return=$(printf '\\r') __reeve_count=0
__reeve_keep() {
  __reeve_count=$((__reeve_count + 1))
  eval "__reeve_kept_$__reeve_count=\\$1"
}
__reeve_read() {
  # The x keeps line ends at the end.
  __reeve_text=$(cat -- "$1" 2>/dev/null && printf x) || __reeve_fail "cannot read $1 as user $(id -u)"
  __reeve_text=\${__reeve_text%x}
}
__reeve_parse() {
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
      __reeve_fail "expected KEY=value in line $__reeve_line_number of $1" ;;
    esac
    case $__reeve_value in \\"*\\" | \\'*\\')
      __reeve_value=\${__reeve_value#?}
      __reeve_value=\${__reeve_value%?} ;;
    esac
    __reeve_keep "$__reeve_name=$__reeve_value"
  done <<__reeve_end
$2
__reeve_end
}`

/** A name that this shell keeps for itself is an error: it would be dropped without a word. */
const exportAll = `__reeve_number=0
while [ "$__reeve_number" -lt "$__reeve_count" ]; do
  __reeve_number=$((__reeve_number + 1))
  eval "__reeve_line=\\$__reeve_kept_$__reeve_number"
  unset "__reeve_kept_$__reeve_number"
  case $__reeve_line in __reeve*) __reeve_fail "the variable \${__reeve_line%%=*} is Reeve's own" ;; esac
  (export "$__reeve_line") 2>/dev/null || __reeve_fail "the shell of this host cannot set the variable \${__reeve_line%%=*}"
  export "$__reeve_line"
done
unset OLDPWD __reeve_newline __reeve_return __reeve_count __reeve_text __reeve_line __reeve_line_number __reeve_name __reeve_value __reeve_number`
