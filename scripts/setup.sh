#!/usr/bin/env bash
# Installs what the build needs: system packages and the Wasmtime library. Idempotent; the second run takes a second.
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)

wanted=$(sed -e 's/#.*//' -e '/^[[:space:]]*$/d' "$here/scripts/packages.txt")
missing=()
for package in $wanted; do
  dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
done

if [ ${#missing[@]} -gt 0 ]; then
  sudo=()
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || { echo "setup: run as root, or install: ${missing[*]}" >&2; exit 1; }
    sudo=(sudo)
  fi
  echo "setup: installing ${missing[*]}" >&2
  log=$(mktemp)
  if ! { "${sudo[@]}" apt-get update && "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive \
         apt-get install -y --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    echo "setup: apt-get failed; the whole log is $log" >&2
    exit 1
  fi
  rm -f "$log"
fi

command -v cargo >/dev/null || {
  echo "setup: cargo (Rust 1.95 or newer) is needed once, to build Wasmtime's library and to fetch QuickJS; install Rust and run this again" >&2
  exit 1
}
"$here/scripts/build-wasmtime.sh" >/dev/null
"$here/scripts/build-quickjs.sh" >/dev/null
