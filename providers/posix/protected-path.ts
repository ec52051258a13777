/**
 * Shell text for scripts that root runs (S8). `__reeve_is_protected PATH` succeeds if only root can change any directory and
 * symlink on the way to PATH, and PATH itself if it is a directory; as far as the path exists. It stores the resolved path
 * in `__reeve_real`, to be used from then on, or the part that others can change, with its owner and mode, in
 * `__reeve_unsafe`. It descends from the root, so only root can change what it has passed. Names begin with `__reeve`, so
 * that they collide with no variable of a service.
 */
export const protectedPathFunctions = `__reeve_is_kept() {
  set -- "$1" $(stat -c '%u %g %a' -- "$1")
  __reeve_unsafe="$1 (owner $2, group $3, mode $4)" __reeve_is_open=
  [ "$2" = 0 ] || return 1
  case $4 in
    *[2367] | *[2367]?) ;;
    *) return 0 ;;
  esac
  # In a sticky directory nobody replaces what is root's, but everybody makes new entries.
  __reeve_is_open=yes
  case $4 in [1357]???) return 0 ;; esac
  return 1
}
__reeve_is_protected() {
  __reeve_rest=$1 __reeve_real= __reeve_links=0
  __reeve_is_kept / || return 1
  while [ -n "$__reeve_rest" ]; do
    __reeve_part=\${__reeve_rest%%/*}
    case $__reeve_rest in */*) __reeve_rest=\${__reeve_rest#*/} ;; *) __reeve_rest= ;; esac
    case $__reeve_part in
      '' | .) continue ;;
      ..)
        __reeve_real=\${__reeve_real%/*}
        __reeve_is_kept "\${__reeve_real:-/}" || return 1
        continue ;;
    esac
    __reeve_part=$__reeve_real/$__reeve_part
    if [ -L "$__reeve_part" ]; then
      __reeve_links=$((__reeve_links + 1))
      __reeve_target=$(readlink -- "$__reeve_part") && [ "$__reeve_links" -le 40 ] &&
        [ "$(stat -c %u -- "$__reeve_part")" = 0 ] || {
        __reeve_unsafe="$__reeve_part (a symlink that is not root's)"
        return 1
      }
      case $__reeve_target in /*) __reeve_real= ;; esac
      __reeve_is_kept "\${__reeve_real:-/}" || return 1
      __reeve_rest=$__reeve_target/$__reeve_rest
      continue
    fi
    [ ! -d "$__reeve_part" ] || __reeve_is_kept "$__reeve_part" || return 1
    __reeve_real=$__reeve_part
  done
  __reeve_real=\${__reeve_real:-/}
  [ -z "$__reeve_is_open" ]
}
`
