#!/usr/bin/env bash
# The capability face in one story: a module does its job through the gateway, then tries everything and is stopped.
# Usage: run.sh FUSEBOX_COMMAND      (exit status 0 only when every part went as told)
set -euo pipefail
fusebox=$(realpath "$1")
guests=$(dirname "$fusebox")/guests
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null; rm -rf "$work"' EXIT
cd "$work"

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
fail() { echo "demo: $*" >&2; exit 1; }

mkdir out data
echo 'public' > data/note.txt
coproc WEATHER { exec python3 "$here/server.py"; }
server=$WEATHER_PID
read -r port <&"${WEATHER[0]}"

cat > policy.json <<JSON
{
  "version": 1,
  "limits": {"memory_bytes": "16MiB", "cpu_ms": "200ms", "wall_ms": "5s"},
  "audit": {"path": "audit.log"},
  "capabilities": {
    "log": {"enabled": true},
    "http.request": {"enabled": true, "allow": [
      {"scheme": "http", "host": "127.0.0.1", "port": $port, "path": "/v1", "methods": ["GET"], "allow_private": true}]},
    "fs.read": {"enabled": true, "roots": [{"guest": "/data", "host": "data"}]},
    "fs.write": {"enabled": true, "roots": [{"guest": "/out", "host": "out"}]}
  }
}
JSON
cat > document.json <<JSON
{"name": "Lisbon", "url": "http://127.0.0.1:$port/v1/weather", "path": "/out/lisbon.json"}
JSON

say "1. The policy, as a reviewer reads it"
"$fusebox" policy explain policy.json

say "2. An untrusted module, compiled from C, does its job: reads a document, asks a service on the allowlist, writes a file"
"$fusebox" run "$guests/transformer.wasm" --policy policy.json --input document.json
echo "out/lisbon.json: $(cat out/lisbon.json)"
grep -q '"temperature"' out/lisbon.json || fail "the result file is not what the service answered"

say "3. The same module tries what it was not given"
# attempt MODE EXPECTED_STATUS EXPECTED_TEXT: runs it and checks how it was stopped.
attempt() {
  local said status=0
  said=$(printf '%s' "$1" | "$fusebox" run "$guests/transformer.wasm" --policy policy.json --input - 2>&1) || status=$?
  printf '%-16s exit %-4s %s\n' "$1" "$status" "$(head -n 1 <<<"$said" | sed "s|$guests/||" | cut -c1-150)"
  [ "$status" -eq "$2" ] || fail "$1 ended with status $status, not $2: $said"
  grep -q -- "$3" <<<"$said" || fail "$1: the answer does not say $3: $said"
}
attempt other_host 0 '"code":-5'
attempt outside_root 0 '"code":-5'
attempt absolute_path 0 '"code":-5'
attempt big_memory 0 '"code":-1'
attempt spin 124 CPU_LIMIT
attempt recurse 134 STACK_OVERFLOW
attempt forged_pointer 134 GUEST_MEMORY_FAULT

say "4. Everything is in the audit log, and the log proves itself"
"$fusebox" audit show audit.log --type security_violation | head -n 1 | cut -c1-200
denied=$("$fusebox" audit show audit.log --type authorization_decision | grep -c DENIED_)
ended=$("$fusebox" audit show audit.log --type execution_failed | wc -l)
echo "$denied denials and $ended failed executions are recorded"
[ "$denied" -ge 3 ] && [ "$ended" -ge 3 ] || fail "the audit log does not hold what happened"
"$fusebox" audit verify audit.log
sed 's/DENIED_POLICY_VIOLATION/AUTHORIZED/' audit.log > forged.log
if "$fusebox" audit verify forged.log; then fail "a forged log verified"; fi

say "5. What it costs on this machine"
"$fusebox" bench --quick

say "demo: all parts went as told"
