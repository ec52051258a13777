#!/bin/sh
# Builds Reeve in the checkout of Reeve that this script is in, where nothing of the pull request is read.
set -eu
cd -- "$(dirname -- "$0")/../.."
[ -f dist/reeve.cjs ] || exec node src/setup.mjs
