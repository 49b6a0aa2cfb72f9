#!/usr/bin/env bash
# Checks that the commands shown in the README and the guides print what is shown. Usage: docs.sh FUSEBOX
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
exec python3 "$here/scripts/check_docs.py" "$1" "$here/README.md" "$here/docs/policy.md" "$here/docs/edge.md" "$here/docs/containers.md" \
  "$here/docs/control-plane.md" "$here/docs/operating.md"
