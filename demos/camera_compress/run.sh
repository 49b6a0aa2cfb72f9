#!/usr/bin/env bash
# One module compresses a camera's frames: every step under its CPU quota, the result in the security log.
# Usage: run.sh BUILD_FOLDER [--interval-us N]      (the application's own interval is ten seconds: 40 s in all)
set -euo pipefail
build=$(realpath "$1")
shift
[ $# -gt 0 ] || set -- --interval-us 200000
"$build/demos/camera_compress" "$build/guests/camera_compress.wasm" \
  "$build/app_config/camera_compress_config/camera_compress_policy.bin" "$@"
