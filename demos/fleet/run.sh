#!/usr/bin/env bash
# The control plane in one story: an environment is made, used, kept, forked and destroyed; then a host dies and comes back.
# Usage: run.sh FUSEBOX_COMMAND      (exit status 0 only when every part went as told)
set -euo pipefail
fusebox=$(realpath "$1")
images=$(dirname "$fusebox")/images
work=$(mktemp -d)
export FUSEBOX_DATA=$work/images FUSE_CONFIG=$work/contexts.yaml
declare -A pids
cleanup() {
  exec 2>/dev/null # the shell would name each process it killed
  for pid in "${pids[@]}"; do kill -9 "$pid" || true; done
  wait || true
  rm -rf "$work"
}
trap cleanup EXIT
cd "$work"

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
proven() { printf '  \033[32mholds\033[0m %s\n' "$*"; }
fail() {
  echo "demo: $*" >&2
  for log in *.log; do echo "--- $log" >&2 && tail -n 5 "$log" >&2; done
  exit 1
}
run() { printf '$ fusebox %s\n' "$*" >&2; "$fusebox" "$@"; }
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
# until_ok SECONDS COMMAND...: asks again until it succeeds.
until_ok() {
  local tries=$(($1 * 10))
  shift
  until "$@" >/dev/null 2>&1; do
    [ "$((tries -= 1))" -gt 0 ] || fail "waited too long for: $*"
    sleep 0.1
  done
}
# expect WHAT WANTED GOT: the proof of a step.
expect() { if [ "$2" = "$3" ]; then proven "$1"; else fail "$1: wanted '$2', got '$3'"; fi; }
# The status of a command that is meant to fail.
status_of() {
  local status=0
  printf '$ fusebox %s\n' "$*" >&2
  "$fusebox" "$@" >refused.txt 2>&1 || status=$?
  sed -n 1p refused.txt >&2
  echo "$status"
}
events_of() { "$fusebox" fleet audit --entity "$1" --event "$2" --json | grep -o '"event_type"' | wc -l; }
metric() { "$fusebox" fleet metrics | awk -v name="$1" '$1 == name { print $2 }'; }

"$fusebox" image import "wapp:$images/js.wapp" --name js >/dev/null

say "1. One process: a REST API, a durable store, and a host to run things on"
port=$(free_port)
export FUSE_BASE_URL=http://127.0.0.1:$port FUSE_TOKEN=token-of-the-demo
# Short times, so that the death of a host is told within seconds; a round of the reconciler is contact with a host as well.
start_server() {
  ORCH_AUTH_TOKEN=$FUSE_TOKEN ORCH_LISTEN=127.0.0.1:$port ORCH_DATA_DIR=$work/store ORCH_RECONCILE_INTERVAL_SECONDS=1 \
    ORCH_HOST_SUSPECT_SECONDS=2 ORCH_HOST_UNREACHABLE_SECONDS=3 "$fusebox" serve >>serve.log 2>&1 &
  pids[serve]=$!
  until_ok 20 "$fusebox" fleet status
}
start_server
run fleet status
grep -q 'wasm (in this process)' serve.log || fail "the server does not say that it runs environments itself"
proven "the server says at its start which backends are live"
expect "who shows a wrong token is not let in" 4 "$(FUSE_TOKEN=wrong status_of env ls)"

say "2. An environment from the image js; a program goes in, its output comes out as it is written"
cat >steps.js <<'JS'
std.writeFile('/work/state', 'as the first one left it');
for (const step of ['read', 'think', 'answer']) {
  console.log(step, std.now());
  std.sleep(300);
}
std.exit(7);
JS
first=$(run env create --image js --task-id first)
run env cp steps.js "$first:/work/steps.js"
status=0
run env exec "$first" -- js /work/steps.js | while read -r step written; do
  printf '%s: written at %s, here %s ms later\n' "$step" "$written" "$(($(date +%s%3N) - ${written%.*}))"
done | tee streamed.txt || status=$?
expect "the program's own status comes back" 7 "$status"
expect "three lines came" 3 "$(wc -l <streamed.txt)"
# Were the output held back until the end, the first line would be 900 ms late.
late=$(sed -n '1s/.*here \(.*\) ms later/\1/p' streamed.txt)
[ "$late" -lt 700 ] || fail "the first line came $late ms late: output is not streamed"
proven "the first line was here before the last was written"

say "3. It is kept, and three more begin as it is"
snapshot=$(run env snapshot "$first" --name base)
echo "$snapshot"
mapfile -t forks < <(run env fork "$first" --count 3)
run env ls
expect "three forks" 3 "${#forks[@]}"
for fork in "${forks[@]}"; do
  [ "$("$fusebox" env exec "$fork" -- js -e "console.log(std.readFile('/work/state'))")" = "as the first one left it" ] ||
    fail "$fork does not begin as the first one"
done
proven "each begins with what the first one wrote"
"$fusebox" env exec "${forks[0]}" -- js -e "std.writeFile('/work/state', 'changed')"
for other in "$first" "${forks[1]}"; do
  [ "$("$fusebox" env exec "$other" -- js -e "console.log(std.readFile('/work/state'))")" = "as the first one left it" ] ||
    fail "a change in one fork is seen in $other"
done
proven "what one changes, no other sees"

say "4. What happened is counted and on record"
run fleet metrics | grep -E '^orchestrator_(operations_total|leader)|^orchestrator_boot_duration_seconds_(sum|count).*total'
expect "four creations were counted" 4 "$(metric 'orchestrator_boot_duration_seconds_count{backend="wasm",outcome="ok",phase="total"}')"
run fleet audit --entity "$first"
expect "one creation on record" 1 "$(events_of "$first" vm.running)"

say "5. The server is killed with -9 and started again: nothing anybody was told is forgotten"
kill -9 "${pids[serve]}"
wait "${pids[serve]}" 2>/dev/null || true
start_server
expect "four environments run" 4 "$("$fusebox" env ls -o name | wc -l)"
expect "with their files" "as the first one left it" \
  "$("$fusebox" env exec "$first" -- js -e "console.log(std.readFile('/work/state'))")"
"$fusebox" env events -f "$first" >events.txt &
pids[events]=$!
until_ok 10 grep -q running events.txt
run env rm "$first" "${forks[@]}"
wait "${pids[events]}" || fail "the stream of events did not end with its environment"
unset "pids[events]"
cat events.txt
grep -q destroyed events.txt || fail "the stream did not tell the end"
proven "a stream of events tells each state, and ends with the environment"
expect "one creation and one removal on record" "1 1" "$(events_of "$first" vm.running) $(events_of "$first" vm.removed)"
expect "nothing is left" 0 "$("$fusebox" env ls -o name | wc -l)"

say "6. Two hosts join, and take what comes"
declare -A ports=([host-a]=$(free_port) [host-b]=$(free_port))
start_host() {
  FC_AGENT_TOKEN=token-of-$1 FC_AGENT_BIND=127.0.0.1 FC_AGENT_PORT=${ports[$1]} PUBLIC_HOST=127.0.0.1 FC_DIR=$work/$1 \
    FUSEBOX_HOST_BACKEND=wasm FUSEBOX_HOST_ID=$1 FUSEBOX_HOST_VM_COUNT=2 FUSEBOX_SERVER_URL=$FUSE_BASE_URL \
    FUSEBOX_SERVER_TOKEN=$FUSE_TOKEN "$fusebox" host >>"$1.log" 2>&1 &
  pids[$1]=$!
}
reach() { "$fusebox" hosts get "$1" --json | tr -d '\n' | grep -q "\"reachability\": *{[^}]*\"state\": *\"$2\""; }
for host in host-a host-b; do
  start_host "$host"
  until_ok 20 reach "$host" reachable
done
each=$(($(nproc) < 2 ? 1 : 2)) # an environment needs a processor, and each host has this machine's
for number in $(seq $((2 * each))); do
  until_ok 10 reach host-a reachable
  until_ok 10 reach host-b reachable
  run env create --image js --task-id "job-$number"
  "$fusebox" env exec "fuse-job-$number" -- js -e "std.writeFile('/mine', '$number')"
done
run hosts ls
run env ls
on_host() { "$fusebox" env ls --host "$1" -o name; }
expect "they are spread over both" "$each $each" "$(on_host host-a | wc -l) $(on_host host-b | wc -l)"
expect "and more is refused, with the reason for each host" 6 "$(status_of hosts explain --image js --cpus 999)"
expect "one reason for each host" 2 "$(grep -c '^host-. .*does not fit' refused.txt)"
cat refused.txt

say "7. One host is killed. Unknown is not gone: its environments stay, and are reported unreachable"
mapfile -t lost < <(on_host host-a)
mapfile -t kept < <(on_host host-b)
kill -9 "${pids[host-a]}"
wait "${pids[host-a]}" 2>/dev/null || true
until_ok 30 reach host-a unreachable
cycles=$(metric orchestrator_reconcile_cycles_total)
more_cycles() { [ "$(metric orchestrator_reconcile_cycles_total)" -ge $((cycles + 4)) ]; }
until_ok 30 more_cycles # time enough to do something wrong
run hosts ls
unreachable() { "$fusebox" env get "$1" --json | grep -q '"host_reachable": *false'; }
state_of() { "$fusebox" env get "$1" --json | sed -n 's/.*"state": *"\([a-z]*\)".*/\1/p' | head -n 1; }
for vm in "${lost[@]}"; do
  unreachable "$vm" || fail "$vm is not reported unreachable"
  [ "$(state_of "$vm")" = running ] || fail "$vm lost its state"
done
proven "those of host-a are reported unreachable, and keep their state over $(($(metric orchestrator_reconcile_cycles_total) - cycles)) rounds of the reconciler"
for vm in "${kept[@]}"; do
  if unreachable "$vm"; then fail "$vm is on the other host and reported unreachable"; fi
  "$fusebox" env exec "$vm" -- js -e '1' >/dev/null
done
proven "those of host-b work on"
expect "a command for one of them says so" 6 "$(status_of env exec "${lost[0]}" -- js -e '1')"
expect "its name cannot be taken a second time" 5 "$(status_of env create --image js --task-id "${lost[0]#fuse-}")"

say "8. The host comes back, and so does all that was on it"
start_host host-a
until_ok 30 reach host-a reachable
run hosts ls
for number in $(seq $((2 * each))); do
  vm=fuse-job-$number
  until_ok 10 "$fusebox" env exec "$vm" -- js -e '1'
  if unreachable "$vm"; then fail "$vm is still reported unreachable"; fi
  [ "$("$fusebox" env exec "$vm" -- js -e "console.log(std.readFile('/mine'))")" = "$number" ] || fail "$vm lost its files"
  [ "$(events_of "$vm" vm.scheduled) $(events_of "$vm" vm.running)" = "1 1" ] || fail "$vm was started more than once"
done
proven "none is lost: each has what it wrote"
# What the hosts themselves say they have, whatever the control plane believes.
for host in host-a host-b; do
  python3 - "${ports[$host]}" "token-of-$host" <<'PY'
import json, sys, urllib.request
request = urllib.request.Request(f"http://127.0.0.1:{sys.argv[1]}/v1/vm?prefix=fuse-", headers={"Authorization": f"Bearer {sys.argv[2]}"})
print(*[vm["vm_id"] for vm in json.load(urllib.request.urlopen(request, timeout=5))["vms"]], sep="\n")
PY
done | sort >really.txt
expect "none was started twice: the hosts hold each exactly once" "$("$fusebox" env ls -o name | sort)" "$(cat really.txt)"

say "9. Everything is put away"
run env rm $("$fusebox" env ls -o name)
run hosts cordon host-a
run hosts ls
taken() { "$fusebox" hosts get "$1" --json | sed 's/.*"allocated":{[^}]*"vm_count":\([0-9]*\).*/\1/'; }
expect "no environment is left, and no room is still taken" "0 0 0" \
  "$("$fusebox" env ls -o name | wc -l) $(taken host-a) $(taken host-b)"
kill "${pids[host-a]}" "${pids[host-b]}" "${pids[serve]}"
for process in host-a host-b serve; do
  wait "${pids[$process]}" || fail "$process did not stop cleanly"
  unset "pids[$process]"
done
proven "the server and both hosts stop cleanly when told"
printf '\ndemo: made, used, kept, forked, destroyed; a server and a host killed, none lost, none twice: all as told\n'
