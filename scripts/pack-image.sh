#!/usr/bin/env bash
# Packs a module and optional files into a .wapp image: a plain tar whose bytes depend on nothing but the content.
#   pack-image.sh IMAGE MODULE [FOLDER]     the module becomes app.wasm, FOLDER's content lies beside it
set -euo pipefail
image=$1
module=$2
folder=${3:-}
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
[ -z "$folder" ] || cp -RP "$folder/." "$stage/"
cp "$module" "$stage/app.wasm"
mkdir -p "$(dirname "$image")"
(cd "$stage" && LC_ALL=C find . -mindepth 1 -printf '%P\0' | LC_ALL=C sort -z | tar --format=ustar --owner=0 --group=0 --numeric-owner \
  --mtime=@0 --mode=u+rwX,go+rX,go-w --no-recursion --null --files-from=- -cf - ) >"$image.part.$$"
mv "$image.part.$$" "$image"  # whoever reads the image while it is built sees the old or the new one
