#!/usr/bin/env bash
# Runs each fuzz target for a while on its seed corpus. Usage: fuzz.sh BUILD_DIR SECONDS [TARGET]
set -euo pipefail
build=$1 seconds=$2 only=${3:-}
here=$(cd "$(dirname "$0")/.." && pwd)
status=0 ran=0
for program in "$build"/*_fuzz; do
  name=$(basename "$program")
  if [ -n "$only" ] && [ "$name" != "$only" ] && [ "$name" != "${only}_fuzz" ]; then continue; fi
  ran=$((ran + 1))
  found="$build/corpus/$name"
  mkdir -p "$found" "$here/fuzz/corpus/$name"
  echo "== $name for ${seconds}s"
  if ! "$program" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=4096 -print_final_stats=0 -verbosity=0 \
      -artifact_prefix="$build/$name-" "$found" "$here/fuzz/corpus/$name"; then
    echo "== $name FOUND SOMETHING: keep $build/$name-* as a regression test" >&2
    status=1
  fi
done
[ "$ran" -gt 0 ] || { echo "fuzz: no target named '$only' in $build" >&2; exit 2; }
echo "$ran fuzz targets, exit $status"
exit $status
