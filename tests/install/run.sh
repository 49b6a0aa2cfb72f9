#!/usr/bin/env bash
# Installs to a temporary prefix, builds docs/examples/embed against it by CMake and by pkg-config, and runs both.
set -euo pipefail
build=$1 source=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cmake --install "$build" --prefix "$work/prefix" >/dev/null

for file in bin/fusebox include/fusebox/sandbox.h include/fusebox/sandbox_c.h share/fusebox/guest/femto.h share/fusebox/images/js.wapp \
            share/man/man1/fusebox.1 share/bash-completion/completions/fusebox lib/systemd/system/fusebox-serve.service \
            lib/systemd/system/fusebox-host.service; do
  [ -e "$work/prefix/$file" ] || { echo "test_install: $file was not installed" >&2; exit 1; }
done
"$work/prefix/bin/fusebox" version

check() {  # PROGRAM HOW
  local said
  said=$("$1" "$build/guests/hello.wasm")
  echo "$2: $said"
  case $said in *'"hello, world"'*) ;; *) echo "test_install: the $2 embedder answered: $said" >&2; exit 1;; esac
}

cmake -S "$source/docs/examples/embed" -B "$work/cmake" -G Ninja -DCMAKE_PREFIX_PATH="$work/prefix" >/dev/null
cmake --build "$work/cmake" >/dev/null
check "$work/cmake/embed" CMake

libdir=$(dirname "$(dirname "$(find "$work/prefix" -name fusebox.pc)")")
export PKG_CONFIG_PATH="$libdir/pkgconfig"
# shellcheck disable=SC2046
g++ -std=c++23 -O1 "$source/docs/examples/embed/main.cc" -o "$work/by-pkg-config" $(pkg-config --cflags --libs fusebox)
check "$work/by-pkg-config" pkg-config

# The C API from plain C99.
cat > "$work/c.c" <<'C'
#include <fusebox/sandbox_c.h>
int main(void) { return 0; }
C
gcc -std=c99 -Wall -Werror -pedantic -c "$work/c.c" -o "$work/c.o" $(pkg-config --cflags fusebox)
# A firmware host in C, by both ways; it knows libfusebox alone.
for file in include/fusebox-edge/fuse.h include/fusebox-edge/fuse_types.h include/fusebox-edge/platform/platform.h \
            share/fusebox/guest/fuse_guest.h; do
  [ -e "$work/prefix/$file" ] || { echo "test_install: $file was not installed" >&2; exit 1; }
done
check_edge() {  # PROGRAM HOW
  local said
  said=$(LD_LIBRARY_PATH=$libdir "$1" "$build/guests/beat.wasm")
  echo "$2: $(tail -n 1 <<<"$said")"
  case $said in "pin 13 is 1"*"pin 13 is 0"*" steps, the longest "*) ;; *) echo "test_install: the $2 host said: $said" >&2; exit 1;; esac
}
edge=$source/docs/examples/edge
cmake -S "$edge" -B "$work/edge" -G Ninja -DCMAKE_PREFIX_PATH="$work/prefix" >/dev/null
cmake --build "$work/edge" >/dev/null
check_edge "$work/edge/heartbeat" "CMake, edge"
"$work/prefix/bin/fusebox" edge build "$edge/app_config.json" --output-dir "$work/app" >/dev/null
# shellcheck disable=SC2046
gcc -std=c99 -Wall -Werror "$edge/main.c" -I "$work/app" -o "$work/heartbeat" $(pkg-config --cflags --libs libfusebox)
check_edge "$work/heartbeat" "pkg-config, edge"
# The sources below a firmware's own: quick where a compiler cache knows them from the build before this test.
if command -v ccache >/dev/null; then
  mkdir "$work/firmware"
  cat > "$work/firmware/CMakeLists.txt" <<CMAKE
cmake_minimum_required(VERSION 3.25)
project(firmware LANGUAGES C CXX)
set(FUSE_APP_CONFIG "$edge/app_config.json" CACHE FILEPATH "")
add_subdirectory("$source" fusebox)
add_executable(firmware "$edge/main.c")
target_link_libraries(firmware PRIVATE fuse fuse_platform)
CMAKE
  cmake -S "$work/firmware" -B "$work/firmware/build" -G Ninja -DCMAKE_BUILD_TYPE=Release >/dev/null
  cmake --build "$work/firmware/build" --target firmware >/dev/null
  check_edge "$work/firmware/build/firmware" "add_subdirectory, edge"
fi
gcc -std=c99 -Wall -Werror -pedantic -fsyntax-only -x c - $(pkg-config --cflags libfusebox) <<'C'
#include "fuse.h"
#include "platform.h"
#include "platform/platform.h"
C
echo "1 passed, 0 failed"
