#!/usr/bin/env bash
# Two modules in a chain: an event wakes a filter, whose own event wakes a compressor in the same tick.
# Usage: run.sh BUILD_FOLDER
set -euo pipefail
build=$(realpath "$1")
"$build/demos/camera_filter_compress" "$build/guests/frame_filter.wasm" "$build/guests/frame_compress.wasm"
