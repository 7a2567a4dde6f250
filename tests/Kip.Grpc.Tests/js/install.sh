#!/usr/bin/env bash
# Installs the pinned packages once per lock file below a cache folder and prints where they are.
# usage: install.sh CACHE-FOLDER
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
target=$1/grpc-$(sha256sum "$here/package-lock.json" | cut -c1-16)
if [[ ! -d $target ]]; then
    mkdir -p "$1"
    work=$(mktemp -d "$1/tmp.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    cp "$here/package.json" "$here/package-lock.json" "$work"
    (cd "$work" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2)
    # Somebody else may have been faster; then theirs is as good.
    mv -T "$work" "$target" 2>/dev/null || [[ -d $target ]]
fi
echo "$target"
