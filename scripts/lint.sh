#!/usr/bin/env bash
# Formatting of every file, clang-tidy over the sources, shell syntax. Prints what to do about a finding.
set -euo pipefail
cd "$(dirname "$0")/.."
status=0
if ! git ls-files '*.h' '*.cc' '*.c' | xargs clang-format-22 --dry-run -Werror; then
  echo "lint: run 'make format'" >&2
  status=1
fi
for script in $(git ls-files '*.sh') .ci/run; do
  bash -n "$script" || status=1
done
cmake --preset release >/dev/null
# gcc-only warning flags mean nothing to clang-tidy.
files=$(git ls-files 'src/*.cc' | grep -v -E '_(test|fuzz|bench)\.cc$')
if ! printf '%s\n' $files | xargs -P "$(nproc)" -n 8 clang-tidy-22 -p build/release --quiet \
    --extra-arg=-Wno-unknown-warning-option 2>/dev/null; then
  status=1
fi
exit $status
