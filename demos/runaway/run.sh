#!/usr/bin/env bash
# A module that spins for ever beside two healthy ones: it is stopped at its quota each time, and their periods do not move.
# Usage: run.sh BUILD_FOLDER [--milliseconds N]
set -euo pipefail
build=$(realpath "$1")
shift
# Real-time priority where the system grants it, as firmware has it: otherwise the figures show other programs as well.
priority=()
if chrt -f 20 true 2>/dev/null; then
  priority=(chrt -f 20)
else
  echo "no real-time priority here: the figures include waiting for other programs"
fi
"${priority[@]}" "$build/demos/runaway" "$build/guests/attitude.wasm" "$build/guests/telemetry.wasm" \
  "$build/guests/runaway.wasm" "$@"
