#!/usr/bin/env bash
# Builds Wasmtime's C API once and prints the folder that holds libfusebox_wasmtime.a and include/.
# The folder lies in the user's cache under a key of the manifest, the lock file and the compiler, so a clean clone reuses it.
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
manifest="$here/third_party/wasmtime"
cache="${FUSEBOX_CACHE_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/fusebox}/wasmtime"
key=$({ cat "$manifest/Cargo.toml" "$manifest/Cargo.lock" "$manifest/build.rs" "$manifest/src/lib.rs"; rustc -vV; } | sha256sum | cut -c1-16)
version=$(sed -n 's/^version = "=\(.*\)"$/\1/p' "$manifest/Cargo.toml")
out="$cache/$version-$key"

if [ ! -f "$out/done" ] && [ -n "${FUSEBOX_WASMTIME_NO_BUILD:-}" ]; then
  echo "the Wasmtime library is not built yet; run scripts/setup.sh of Fusebox once" >&2
  exit 1
fi
if [ ! -f "$out/done" ]; then
  mkdir -p "$cache"
  exec 9>"$cache/lock"
  flock 9                                   # two builds at once would do the same work twice
  if [ ! -f "$out/done" ]; then
    echo "building Wasmtime $version (about 4 minutes on two cores, once per version)" >&2
    work=$(mktemp -d "$cache/build.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    FUSEBOX_WASMTIME_INCLUDE_NOTE="$work/include.txt" \
      cargo build --release --locked --manifest-path "$manifest/Cargo.toml" --target-dir "$work/target" >&2
    rm -rf "$out.new"
    mkdir -p "$out.new"
    cp "$work/target/release/libfusebox_wasmtime.a" "$out.new/"
    cp -r "$(cat "$work/include.txt")" "$out.new/include"
    touch "$out.new/done"
    rm -rf "$out"
    mv "$out.new" "$out"
  fi
fi
echo "$out"
