import { join, normalize } from 'node:path'
import type { Process } from '../../../src/core/model/facility.ts'
import { rotationOf } from '../../../src/core/model/portable-fields.ts'
import { protectedPathFunctions } from '../../posix/protected-path.ts'
import { quoteWord } from '../../posix/shell-quoting.ts'
import type { FamilyScripts } from '../family.ts'
import { renderGroupNumber, renderUserVariables } from './prepare-script.ts'
import { closeDescriptors, hasClosed } from './shell-functions.ts'

type Output = NonNullable<Process['output']>

/** Output to /dev/null needs no reader. */
export function hasLogger({ file }: Output): boolean {
  return normalize(file) !== '/dev/null'
}

/**
 * Script of the logger, which writes to the directory `FILE.d`, and links FILE to the current log. It runs as the service
 * does, if that user can write there: in that user's directories root must have no more rights than the user. Else root
 * writes there, if nobody else can, and everything there was created by root (S8). Loggers run programs that are named in
 * `FILE.d/config`.
 */
export function renderLogScript(process: Process, output: Output, scripts: FamilyScripts, records: string): string {
  const at = output.file.lastIndexOf('/')
  const directory = output.file.slice(0, at) || '/'
  const name = output.file.slice(at + 1)
  const problem = join(records, 'log-problem')
  return `${closeDescriptors({ script: ['env', hasClosed, '/bin/sh', './run'], problem })}umask 077
__reeve_problem=${quoteWord(problem)}
__reeve_fail() {
  printf '%.1000s\\n' "$1" >"$__reeve_problem"
  printf '%.1000s\\n' "$1" >&2
  exit 111
}
${protectedPathFunctions}__reeve_prepare=${quoteWord(renderStep(name, output.file))}
__reeve_log=${quoteWord(`cd -P -- "$1" || exit 111\n${scripts.runLogger(rotationOf(output))}\n`)}
__reeve_directory=${quoteWord(directory)} __reeve_name=${quoteWord(`${name}.d`)} __reeve_said=
__reeve_id=$(id -u)
cd /
${process.user === undefined ? '' : renderUserLogger(process, scripts)}if [ "$__reeve_id" = 0 ]; then
  __reeve_is_protected "$__reeve_directory" ||
    __reeve_fail "\${__reeve_said:+$__reeve_said. }Root does not write to "${quoteWord(output.file)}": others can change $__reeve_unsafe and so lead root elsewhere; choose a directory that only root can write, or one of the service's user"
  __reeve_directory=$__reeve_real
fi
__reeve_said=$(umask 0027 && /bin/sh -c "$__reeve_prepare" sh "$__reeve_directory" 2>&1 </dev/null) || __reeve_fail "$__reeve_said"
umask 0027
: >"$__reeve_problem"
exec /bin/sh -c "$__reeve_log" sh "$__reeve_directory/$__reeve_name"
`
}

/** Output of the user's shell goes through this one: no descriptor of root reaches a process of that user. */
function renderUserLogger(process: Process, scripts: FamilyScripts): string {
  const numbers = [renderUserVariables(process), renderGroupNumber(process), scripts.selectUser(process)]
  // Programs named in `FILE.d/config` get no terminal of whoever started the scanner.
  const asUser = [...scripts.session, '$__reeve_user'].join(' ')
  return `if [ "$__reeve_id" = 0 ]; then
${numbers.filter(part => part !== '').join('\n')}
  if [ "$__reeve_uid" != 0 ]; then
    if __reeve_said=$(umask 0027 && ${asUser} /bin/sh -c "$__reeve_prepare" sh "$__reeve_directory" 2>&1 </dev/null); then
      umask 0027
      : >"$__reeve_problem"
      exec ${asUser} /bin/sh -c "$__reeve_log" sh "$__reeve_directory/$__reeve_name"
    fi
  fi
fi
`
}

/** Checks, in the directory "$1", run by the logger's user. It prints the reason if logging there is impossible. */
function renderStep(name: string, path: string): string {
  const [file, logs, full] = [quoteWord(name), quoteWord(`${name}.d`), quoteWord(path)]
  const current = quoteWord(`${name}.d/current`)
  return `fail() {
  printf '%s\\n' "$1"
  exit 1
}
me=$(id -u) LC_ALL=C
export LC_ALL
cd -P -- "$1" 2>/dev/null || fail "there is no directory $1 that user $me can enter"
if [ -L ${file} ]; then
  [ "$(readlink -- ${file})" = ${current} ] || fail ${full}" is a symlink that Reeve has not made: take it away, or name another file"
elif [ -e ${file} ]; then
  [ -f ${file} ] || fail ${full}" is not a regular file: name another one, or /dev/null"
fi
[ ! -L ${logs} ] || fail "there is a link in the place of the directory "${full}.d
[ -d ${logs} ] || said=$(mkdir -m 0750 -- ${logs} 2>&1) || fail "user $me cannot make the directory "${full}".d: \${said##*: }"
[ -O ${logs} ] || fail "the directory "${full}".d is not user $me's: give it and all in it to that user, or take it away"
found=$(cd -P -- ${logs} && find . ! -name before '(' ! -user "$me" -o -type l -o -perm -0020 -o -perm -0002 -o -type f -links +1 ')' | head -n 1)
[ -z "$found" ] || fail "others than user $me can write $found in "${full}".d, or have made it: take it away"
if [ -e ${file} ] && [ ! -L ${file} ]; then
  said=$(mv -- ${file} ${quoteWord(`${name}.d/before`)} 2>&1) || fail "user $me cannot move "${full}" to "${full}".d/before: \${said##*: }"
fi
[ -L ${file} ] || said=$(ln -s -- ${current} ${file} 2>&1) || fail "user $me cannot make the link "${full}": \${said##*: }"
`
}
