import { environmentFileLimit } from '../../../src/core/model/environment-file.ts'
import type { Process } from '../../../src/core/model/facility.ts'
import { isPlainVariable } from '../../posix/environment-names.ts'
import { type VariableSource, wrapExecution } from '../../posix/exec-wrapper.ts'
import { protectedPathFunctions } from '../../posix/protected-path.ts'
import { quoteWord, quoteWords } from '../../posix/shell-quoting.ts'
import { textCheckFunctions } from '../../posix/text-check.ts'
import type { FamilyScripts } from '../family.ts'

export const standardPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/** How the exec wrapper gets a variable or environment file, and what root's script does for that. */
interface Handover {
  readonly source: VariableSource
  readonly text: string
}

/**
 * Shell text that prepares everything for a service, except what its user does in the exec wrapper. It sets `__reeve_user`
 * to the words that change the user. Secrets and environment files are read when it runs: by root if nobody else can
 * redirect the read, else by the service's user (S8). They reach the wrapper as variables, never on a command line (S9).
 */
export function renderPreparation(process: Process, scripts: FamilyScripts): string {
  const handovers = listHandovers(process)
  const parts = [renderUserVariables(process)]
  if (process.user !== undefined || process.group !== undefined) {
    parts.push(renderGroupNumber(process), scripts.selectUser(process))
  }
  if (handovers.some(({ source }) => isFile(source))) parts.push(protectedPathFunctions, renderReader(process))
  if (handovers.length > 0) parts.push(...handovers.map(({ text }) => text))
  else {
    for (const [name, value] of Object.entries(process.environment).sort(compareNames)) {
      if (typeof value === 'string') parts.push(`export ${quoteWord(`${name}=${value}`)}`)
    }
  }
  const directory = quoteWord(entersByItself(process) ? (process.workingDirectory ?? '/') : '/')
  parts.push(`cd -P -- ${directory} || __reeve_fail "there is no working directory "${directory}`)
  return parts.filter(part => part !== '').join('\n')
}

/**
 * Lines that become the command, each part executing the next: limits, the user, the exec wrapper, the command itself.
 * `problems` is the descriptor of a file for problems of the wrapper; absent: there is none.
 */
export function renderExecution(
  process: Process,
  command: readonly string[],
  session: readonly string[],
  problems?: { readonly fd: number; readonly file: string },
): string {
  const limits = Object.entries(process.limits).sort(compareNames)
  const prlimit = ['prlimit', ...limits.map(([name, limit]) => `--${name}=${limit}:${limit}`), '--']
  const wrapper = wrapExecution({
    variables: listHandovers(process).map(({ source }) => source),
    ...(!entersByItself(process) && { workingDirectory: process.workingDirectory ?? '/' }),
    ...(problems && { problems: problems.fd }),
  })
  const line = [
    'exec',
    ...(limits.length > 0 ? [quoteWords(prlimit)] : []),
    ...session,
    ...(process.user === undefined && process.group === undefined ? [] : ['$__reeve_user']),
    ...(wrapper.length > 0 ? [quoteWords(wrapper)] : []),
    quoteWords(command),
  ].join(' ')
  const umask = `umask ${(process.umask ?? 0o022).toString(8).padStart(4, '0')}`
  const opening = wrapper.length > 0 && problems ? [`exec ${problems.fd}>>"${problems.file}"`] : []
  return [...opening, umask, line].join('\n')
}

/** Without a user of its own, the service has the same access as the script. */
function entersByItself({ user, workingDirectory }: Process): boolean {
  return user === undefined || workingDirectory === undefined
}

/** PATH is the script's own until the end: the script finds its tools by it. */
function isPlain(name: string): boolean {
  return name !== 'PATH' && isPlainVariable(name)
}

/** Sources in increasing priority. None if all variables can simply be exported. */
function listHandovers({ environment, environmentFiles }: Process): Handover[] {
  const entries = Object.entries(environment).sort(compareNames)
  if (environmentFiles.length === 0 && entries.every(([name, value]) => typeof value === 'string' && isPlain(name))) {
    return []
  }
  return [
    ...environmentFiles.map(path => (alias: string): Handover => {
      const text = `__reeve_give ${alias} '' ${quoteWord(path)} "environment file"`
      return { source: { kind: 'file', path, alias }, text }
    }),
    ...entries.map(([name, value]) => (alias: string): Handover => {
      if (typeof value === 'string') {
        return { source: { kind: 'variable', alias }, text: `export ${quoteWord(`${alias}=${name}=${value}`)}` }
      }
      const path = value.fromFile
      const text = `__reeve_give ${alias} ${name} ${quoteWord(path)} "secret of variable ${name}"`
      return { source: { kind: 'secret', name, path, alias }, text }
    }),
  ].map((make, index) => make(`__reeve_given_${index + 1}`))
}

function isFile({ kind }: VariableSource): boolean {
  return kind === 'file' || kind === 'secret'
}

export function renderUserVariables({ user }: Process): string {
  if (user === undefined) return ''
  const name = quoteWord(user)
  return `__reeve_line=$(getent passwd ${name}) || __reeve_fail "there is no user "${name}" on this host"
IFS=: read -r __reeve_rest __reeve_rest __reeve_uid __reeve_gid __reeve_rest HOME SHELL <<__reeve
$__reeve_line
__reeve
export HOME SHELL USER=${name} LOGNAME=${name}`
}

/** Leaves out what `renderUserVariables` has not found. */
export function renderGroupNumber({ user, group }: Process): string {
  if (group === undefined) return ''
  const name = quoteWord(group)
  return `${user === undefined ? '__reeve_uid=$(id -u)\n' : ''}__reeve_gid=$(getent group ${name} | cut -d: -f3)
[ -n "$__reeve_gid" ] || __reeve_fail "there is no group "${name}" on this host"`
}

/**
 * `__reeve_give ALIAS NAME PATH WHAT` exports the content of the file, of a secret with its name before it, and leaves it to
 * the service's user if root could be redirected. More than the kernel accepts for a variable is refused.
 */
function renderReader({ user }: Process): string {
  return `__reeve_id=$(id -u)
__reeve_give() {
  __reeve_real=$3
  if [ "$__reeve_id" = 0 ] && ! __reeve_is_protected "$3"; then
    ${user === undefined ? '' : '[ "$__reeve_uid" = 0 ] || return 0\n    '}__reeve_fail "root does not read the $4, $3: others can change $__reeve_unsafe and so lead root elsewhere; keep it where only root can write, or declare a user"
  fi
  [ -f "$__reeve_real" ] || __reeve_fail "cannot read the $4: there is no file $3"
  [ "$(head -c ${environmentFileLimit + 1} -- "$__reeve_real" | wc -c)" -le ${environmentFileLimit} ] ||
    __reeve_fail "cannot read the $4: $3 is larger than ${environmentFileLimit} bytes"
  __reeve_line=$(head -c ${environmentFileLimit} -- "$__reeve_real" | __reeve_find_nul)
  [ -z "$__reeve_line" ] || __reeve_fail "expected text in line $__reeve_line of $3, found a NUL byte"
  # The x keeps line ends at the end, of which only one isn't meant.
  __reeve_value=$(head -c ${environmentFileLimit} -- "$__reeve_real" && printf x) || __reeve_fail "cannot read the $4, $3"
  __reeve_value=\${__reeve_value%x}
  [ -z "$2" ] || __reeve_value=\${__reeve_value#"$__reeve_mark"}
  [ -z "$2" ] || case $__reeve_value in *"$__reeve_newline")
    __reeve_value=\${__reeve_value%"$__reeve_newline"}
    __reeve_value=\${__reeve_value%"$__reeve_return"}
  esac
  export "$1=\${2:+$2=}$__reeve_value"
}
__reeve_newline='
'
__reeve_return=$(printf '\\r') __reeve_mark=$(printf '\\357\\273\\277')
${textCheckFunctions}`
}

function compareNames([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : 1
}
