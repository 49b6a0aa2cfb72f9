#!/usr/bin/env bash
# The container face in one story: an image from a registry serves files, is updated and killed, and a hostile one is held.
# Usage: run.sh FUSEBOX_COMMAND      (exit status 0 only when every part went as told)
set -euo pipefail
fusebox=$(realpath "$1")
images=$(dirname "$fusebox")/images
work=$(mktemp -d)
export FUSEBOX_DATA=$work/data FUSEBOX_SOCKET=$work/run/engine.sock
registry=
cleanup() {
  "$fusebox" daemon --stop >/dev/null 2>&1 || true
  [ -z "$registry" ] || kill "$registry" 2>/dev/null || true
  rm -rf "$work"
}
trap cleanup EXIT
cd "$work"

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
fail() { echo "demo: $*" >&2; exit 1; }
run() { printf '$ fusebox %s\n' "$*"; "$fusebox" "$@"; }
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
# until SECONDS COMMAND...: asks again until it succeeds.
until_ok() {
  local tries=$(($1 * 10))
  shift
  until "$@" >/dev/null 2>&1; do
    [ "$((tries -= 1))" -gt 0 ] || fail "waited too long for: $*"
    sleep 0.1
  done
}
get() { python3 -c 'import sys, urllib.request as r; sys.stdout.write(r.urlopen(sys.argv[1], timeout=5).read().decode())' "$1"; }

registry_port=$(free_port)
port=$(free_port)
mkdir site
echo 'hello from a volume' > site/index.html
ln -s /etc site/outside
cat > registry.yml <<YAML
version: 0.1
storage: {filesystem: {rootdirectory: $work/registry}}
http: {addr: "127.0.0.1:$registry_port"}
YAML
docker-registry serve registry.yml >registry.log 2>&1 &
registry=$!
until_ok 10 get "http://127.0.0.1:$registry_port/v2/"
remote=127.0.0.1:$registry_port/demo

say "1. An image goes to a registry, and comes back verified by its digest"
run image import "wapp:$images/http.wapp" --name http --tag 1.0
run image push http:1.0 "$remote/http:1.0"
run image rm http:1.0
run image pull "$remote/http:1.0"
run image ls

say "2. It runs with a folder it may only read, a volume and one socket"
cat > fusebox.yaml <<YAML
services:
  web:
    image: http:1.0
    command: [/net/listen, /srv]
    volumes: ["./site:/srv:ro", "state:/state"]
    sockets: {listen: "listen+tcp://127.0.0.1:$port"}
    restart: always
YAML
run up fusebox.yaml
until_ok 10 get "http://127.0.0.1:$port/"
echo "GET / answers: $(get "http://127.0.0.1:$port/")"
run ps

say "3. Updated live: the description changes, the volume stays"
sed -i 's/restart: always/restart: always\n    memory: 8MiB/' fusebox.yaml
run up fusebox.yaml
until_ok 10 get "http://127.0.0.1:$port/"
run up fusebox.yaml
echo "GET / answers: $(get "http://127.0.0.1:$port/")"

say "4. The engine is killed in mid-flight; the next one brings back what it was told to keep"
kill -9 "$("$fusebox" daemon --pid)"
run up fusebox.yaml
until_ok 10 get "http://127.0.0.1:$port/"
echo "GET / answers: $(get "http://127.0.0.1:$port/")"

say "5. A container that crashes is started again, with growing patience, and then given up"
run run --detach --name flaky --restart on-failure:2 "$images/crash.wapp" -- unreachable
until_ok 20 sh -c "'$fusebox' ps --all | grep -q 'flaky.*given up'"
run ps --all

say "6. A hostile one sees its own namespace and nothing else, and ends when its time is up"
status=0
printf '$ fusebox run probe.wapp --memory 2MiB --cpu-time 300ms ...\n'
"$fusebox" run "$images/probe.wapp" --memory 2MiB --cpu-time 300ms --volume "$work/site:/srv:ro" --config <(
  echo '{"mounts": [{"name": "volume", "path": "/state", "options": "name=probe"}], "limits": {"volumeBytes": 1048576}}') \
  2>&1 | tee probe.txt || status=$?
[ "$status" -eq 137 ] || fail "the hostile container ended with status $status, not 137"
! grep -q ALLOWED probe.txt || fail "something was allowed"
grep -q 'cpu-limit' probe.txt || fail "its processor time did not end it"

say "7. Everything is put away"
run down fusebox.yaml
run rm flaky
run volume ls
printf '\ndemo: an image from a registry, a volume, a socket, an update, a kill and a hostile guest: all as told\n'
