import { protectedPathFunctions } from '../../posix/protected-path.ts'
import type { FamilyScripts } from '../family.ts'

/**
 * Shell text for scripts that query or command the supervisor of the service through `supervise/`. As root they do so only
 * if root alone can change `supervise/` (S8): through a link in there they would read and write its target.
 * `__reeve_wants_down` succeeds if the end of the service was requested; `__reeve_tell LETTER` writes to the control pipe.
 */
export function renderSuperviseFunctions({ isWantedDown }: FamilyScripts): string {
  return `${protectedPathFunctions}__reeve_trust=
__reeve_trusts_supervise() {
  [ -z "$__reeve_trust" ] || return "$__reeve_trust"
  __reeve_trust=0
  # Nobody can put another directory in the place of the working directory. /proc/self is whoever's runs this.
  set -- $(stat -c '%u %a' -- /proc/self . supervise 2>/dev/null)
  [ "$1" != 0 ] || case $3:$4:$5:$6 in
    0:[1-7][0145][0145]:0:[1-7][0145][0145]) ;;
    *) __reeve_is_protected "$(pwd -P)/supervise" || __reeve_trust=1 ;;
  esac
  return "$__reeve_trust"
}
__reeve_wants_down() {
  __reeve_trusts_supervise && { ${isWantedDown}; }
}
__reeve_tell() {
  __reeve_trusts_supervise && [ -p supervise/control ] && printf %s "$1" 1<>supervise/control
}
`
}
