import type { Process } from '../../src/core/facility.ts'
import { isPlainVariable, steeringPatterns } from '../posix/environment-names.ts'
import { quoteWord, quoteWords } from '../posix/shell-quoting.ts'
import type { FamilyScripts } from './family.ts'

export const standardPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/**
 * Shell text that makes everything as a service is to find it: umask, environment, directory. It leaves in "$@" the
 * variables that may only reach the service itself (posix/environment-names.ts), and in `__reeve_user` the words that change
 * the user. Secrets and environment files are read when it runs, and stand on no command line.
 */
export function renderPreparation(process: Process, scripts: FamilyScripts): string {
  const umask = (process.umask ?? 0o022).toString(8).padStart(4, '0')
  const parts = ['set --', `umask ${umask}`, renderUserVariables(process)]
  if (process.environmentFiles.length > 0) parts.push(renderEnvironmentFiles(process.environmentFiles))
  const secrets: string[] = []
  for (const [name, value] of Object.entries(process.environment).sort(compareNames)) {
    if (typeof value !== 'string') secrets.push(`__reeve_read_secret ${name} ${quoteWord(value.fromFile)}`)
    else if (isPlain(name)) parts.push(`export ${quoteWord(`${name}=${value}`)}`)
    else parts.push(`set -- "$@" ${quoteWord(`${name}=${value}`)}`)
  }
  if (secrets.length > 0) parts.unshift(secretReader)
  parts.push(...secrets)
  if (process.user !== undefined || process.group !== undefined) {
    parts.push(renderGroupNumber(process), scripts.selectUser(process))
  }
  const directory = quoteWord(process.workingDirectory ?? '/')
  parts.push(`cd -P -- ${directory} || __reeve_fail "there is no working directory "${directory}`)
  return parts.filter(part => part !== '').join('\n')
}

/** The line that becomes the command, each part executing the next: limits, the user, variables, the command itself. */
export function renderExecution(process: Process, command: readonly string[], session: readonly string[]): string {
  const limits = Object.entries(process.limits).sort(compareNames)
  const prlimit = ['prlimit', ...limits.map(([name, limit]) => `--${name}=${limit}:${limit}`), '--']
  return [
    'exec',
    ...(limits.length > 0 ? [quoteWords(prlimit)] : []),
    ...session,
    ...(process.user === undefined && process.group === undefined ? [] : ['$__reeve_user']),
    // Even an empty list of words, where there is no such variable.
    ...(hasLateVariables(process) ? [`\${1+env -- "$@"}`] : []),
    quoteWords(command),
  ].join(' ')
}

/** PATH is the script's own till the end: it finds its tools by it. */
function isPlain(name: string): boolean {
  return name !== 'PATH' && isPlainVariable(name)
}

function hasLateVariables(process: Process): boolean {
  return process.environmentFiles.length > 0 || lateVariables(process).length > 0
}

function lateVariables(process: Process): string[] {
  return Object.keys(process.environment).filter(name => !isPlain(name))
}

/** What of the environment can't be had; undefined if all can. */
export function findEnvironmentProblem(process: Process): { field: string; message: string } | undefined {
  for (const name of lateVariables(process)) {
    const field = `process.environment.${name}`
    if (typeof process.environment[name] !== 'string') {
      return {
        field,
        message: 'this variable steers the shell or the loader and so can not be kept secret: give it as text',
      }
    }
    if (process.command[0]?.includes('='))
      return { field, message: 'it can not be set for a program with = in its name' }
  }
  return undefined
}

function renderUserVariables({ user }: Process): string {
  if (user === undefined) return ''
  const name = quoteWord(user)
  return `__reeve_line=$(getent passwd ${name}) || __reeve_fail "there is no user "${name}" on this host"
IFS=: read -r __reeve_rest __reeve_rest __reeve_uid __reeve_gid __reeve_rest HOME SHELL <<__reeve
$__reeve_line
__reeve
export HOME SHELL USER=${name} LOGNAME=${name}`
}

/** Leaves what `renderUserVariables` has not found. */
function renderGroupNumber({ user, group }: Process): string {
  if (group === undefined) return ''
  const name = quoteWord(group)
  return `${user === undefined ? '__reeve_uid=$(id -u)\n' : ''}__reeve_gid=$(getent group ${name} | cut -d: -f3)
[ -n "$__reeve_gid" ] || __reeve_fail "there is no group "${name}" on this host"`
}

const secretReader = `__reeve_read_secret() {
  # The x keeps line ends at the end, of which only one isn't meant.
  __reeve_value=$(cat -- "$2" && printf x) || __reeve_fail "variable $1 can not be read from $2"
  __reeve_value=\${__reeve_value%x}
  case $__reeve_value in *"$__reeve_newline")
    __reeve_value=\${__reeve_value%"$__reeve_newline"}
    __reeve_value=\${__reeve_value%"$__reeve_return"}
  esac
  export "$1=$__reeve_value"
}
__reeve_newline='
'
__reeve_return=$(printf '\\r')`

/** As the built-in supervisor reads them: nothing is expanded, and one pair of quotes around a value is taken off. */
function renderEnvironmentFiles(files: readonly string[]): string {
  return `__reeve_return=$(printf '\\r')
for __reeve_file in ${quoteWords(files)}; do
  [ -r "$__reeve_file" ] || __reeve_fail "there is no environment file $__reeve_file that can be read"
  while read -r __reeve_line || [ -n "$__reeve_line" ]; do
    __reeve_line=\${__reeve_line%"$__reeve_return"}
    case $__reeve_line in '' | '#'* | ';'*) continue ;; esac
    __reeve_name=\${__reeve_line%%=*}
    __reeve_value=\${__reeve_line#*=}
    case $__reeve_line in *=*) ;; *) __reeve_name= ;; esac
    case $__reeve_name in '' | [0-9]* | *[!A-Za-z0-9_]*) __reeve_fail "expected lines of KEY=value in $__reeve_file" ;; esac
    case $__reeve_value in \\"*\\" | \\'*\\')
      __reeve_value=\${__reeve_value#?}
      __reeve_value=\${__reeve_value%?} ;;
    esac
    case $__reeve_name in
      ${steeringPatterns}) set -- "$@" "$__reeve_name=$__reeve_value" ;;
      *) export "$__reeve_name=$__reeve_value" ;;
    esac
  done <"$__reeve_file"
done`
}

function compareNames([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : 1
}
