#!/usr/bin/env bash
# Compiles the QuickJS sources that the crate rquickjs-sys carries for wasm32-wasi, once, and prints the folder that holds
# libquickjs.a, include/ and files/. The folder lies in the user's cache under a key of the lock file, this script and the compiler.
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
manifest="$here/third_party/quickjs/Cargo.toml"
cache="${FUSEBOX_CACHE_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/fusebox}/quickjs"
clang=${FUSEBOX_WASI_CLANG:-clang-22}
ar=$("$clang" -print-prog-name=llvm-ar)
version=$(sed -n 's/^rquickjs-sys = .*"=\([^"]*\)".*/\1/p' "$manifest")
key=$({ cat "${manifest%.toml}.lock" "$here/scripts/build-quickjs.sh"; "$clang" --version | head -n 1
        dpkg-query -W -f='${Version}' wasi-libc 2>/dev/null || true; } | sha256sum | cut -c1-16)
out="$cache/$version-$key"

if [ ! -f "$out/done" ]; then
  mkdir -p "$cache"
  exec 9>"$cache/lock"
  flock 9                                   # two builds at once would do the same work twice
fi
if [ ! -f "$out/done" ]; then
  echo "building QuickJS for wasm32-wasi (about 30 seconds, once per version)" >&2
  cargo fetch --quiet --locked --manifest-path "$manifest" >&2
  sources=$(cargo metadata --locked --format-version 1 --manifest-path "$manifest" |
    python3 -c 'import json, os, sys
print(*[os.path.dirname(p["manifest_path"]) for p in json.load(sys.stdin)["packages"] if p["name"] == "rquickjs-sys"])')/quickjs
  work=$(mktemp -d "$cache/build.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  # On this target the sources do without their check of the stack, which JavaScript's RangeError comes from.
  sed '/^static void update_stack_limit/,/^}/s/defined(__wasi__)/0/' "$sources/quickjs.c" >"$work/quickjs.c"
  ! cmp -s "$sources/quickjs.c" "$work/quickjs.c" || { echo "build-quickjs: quickjs.c has changed; look at update_stack_limit" >&2; exit 1; }
  # The sources expect a signal.h and clock(); their definitions are this libc's emulations, which the module never calls.
  flags=(--target=wasm32-wasi --sysroot=/usr -Wno-deprecated -O2 -DNDEBUG -D_GNU_SOURCE
         -D_WASI_EMULATED_PROCESS_CLOCKS -D_WASI_EMULATED_SIGNAL "-ffile-prefix-map=$sources=quickjs" "-ffile-prefix-map=$work=quickjs")
  "$clang" "${flags[@]}" -I "$sources" -c "$work/quickjs.c" -o "$work/quickjs.o" &
  large=$!
  for file in libregexp libunicode dtoa; do
    "$clang" "${flags[@]}" -c "$sources/$file.c" -o "$work/$file.o"
  done
  wait "$large"
  rm -rf "$out.new"
  mkdir -p "$out.new/include" "$out.new/files/licenses"
  (cd "$work" && "$ar" rcD "$out.new/libquickjs.a" quickjs.o libregexp.o libunicode.o dtoa.o)
  cp "$sources/quickjs.h" "$out.new/include/"
  cp "$sources/LICENSE" "$out.new/files/licenses/quickjs"   # goes into the image
  touch "$out.new/done"
  rm -rf "$out"
  mv "$out.new" "$out"
fi
echo "$out"
