#!/bin/sh
# Writes the plan of what is checked out, against its base, to the file $REEVE_PLAN. Needs no token.
#
# REEVE_BASE       commit that the pull request starts from
# REEVE_HEAD       newest commit of the pull request
# REEVE_DIRECTORY  manifests directory
# REEVE_CONFIG     host configuration that describes the host; empty: a host with defaults
# REEVE_COMMAND    program to run; empty: Reeve as built by build.sh
set -eu
ci=$(cd -- "$(dirname -- "$0")" && pwd)
rm -f -- "$REEVE_PLAN"

base=$REEVE_BASE
# The forge has merged it already: what it is merged into may be newer than its base.
merged=$(git rev-parse --verify --quiet 'HEAD^2' 2>/dev/null) || merged=
if [ -n "$merged" ] && [ "$merged" = "${REEVE_HEAD:-}" ]; then base='HEAD^1'; fi

set -- plan "--manifests=$REEVE_DIRECTORY" "--against=revision:$base" --output=markdown
[ -z "${REEVE_CONFIG:-}" ] || set -- "$@" "--config=$REEVE_CONFIG"
if [ -n "${REEVE_COMMAND:-}" ]; then
  "$REEVE_COMMAND" "$@" >"$REEVE_PLAN"
else
  node "$ci/../../dist/reeve.cjs" "$@" >"$REEVE_PLAN"
fi
