#!/usr/bin/env bash
# A schema fuzzer against the live server: every route of the served document with generated requests. Fails on any answer
# that is a server error or that the document does not allow.
# usage: schemathesis.sh COMMAND [EXAMPLES]
set -euo pipefail
command=$1
examples=${2:-30}
version=3.39.16
venv="${XDG_CACHE_HOME:-$HOME/.cache}/fusebox/schemathesis-$version"
if [ ! -e "$venv/ready" ]; then
  rm -rf "$venv"
  python3 -m venv "$venv"
  "$venv/bin/pip" --quiet --disable-pip-version-check install "schemathesis==$version" "hypothesis<6.110"
  touch "$venv/ready"
fi
folder=$(mktemp -d)
token=schema-fuzzer
ORCH_AUTH_TOKEN=$token ORCH_LISTEN=127.0.0.1:0 ORCH_DATA_DIR="$folder/data" FUSEBOX_DATA="$folder/user" \
  "$command" serve 2>"$folder/log" &
server=$!
trap 'kill $server 2>/dev/null || true; wait $server 2>/dev/null || true; rm -rf "$folder"' EXIT
for _ in $(seq 100); do
  url=$(sed -n 's/.*control plane at \(http:[^ ]*\).*/\1/p' "$folder/log")
  [ -n "$url" ] && break
  kill -0 $server || { cat "$folder/log" >&2; exit 1; }
  sleep 0.1
done
# Streams have no end that a fuzzer could wait for.
"$venv/bin/schemathesis" run "$url/openapi.json" --base-url "$url" -H "Authorization: Bearer $token" \
  --checks not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance \
  --hypothesis-max-examples "$examples" --hypothesis-deadline=None --hypothesis-derandomize --request-timeout 20000 \
  --exclude-path-regex '/events$|/attach$|/computer|/exec$|/logs$|/logout$' --exclude-deprecated
kill -0 $server || { echo "the server ended" >&2; tail -n 20 "$folder/log" >&2; exit 1; }
