"""kill -9 of real processes at every durable step, under load, on SQLite and on PostgreSQL.

After each: no environment is lost, none exists twice, no host has more than its room, none that was said to run is gone.
usage: crash.py COMMAND [sqlite|postgres ...]
"""
import sys
import threading
import time

from fleet import Client, Fleet, Postgres, host_token, run_tests, wait_for

# The steps the engine makes durable, each reached by the load below (src/fleet/engine).
STEPS = ["intent", "host_created", "agent_started", "running", "destroy_recorded", "removed", "drain_recorded",
         "drain_done", "snapshot_recorded", "snapshot_ready", "restore_recorded", "restore_done"]
ROOM = 40  # environments each host may have
WORKERS = 4


class Load:
    """Clients that create, use and destroy, and remember what they were told."""

    def __init__(self, port):
        self.port = port
        self.running = {}   # id -> True: told 201, not told to go
        self.gone = set()   # told 204
        self.unsure = set()  # the connection broke: either may hold
        self.lock = threading.Lock()
        self.over = threading.Event()
        self.threads = [threading.Thread(target=self.work, args=(i,), daemon=True) for i in range(WORKERS)]

    def start(self):
        for thread in self.threads:
            thread.start()

    def work(self, number):
        client = Client(self.port, timeout=20)
        for turn in range(10_000):
            if self.over.is_set():
                return
            task = f"w{number}-{turn}"
            vm = f"fuse-{task}"
            try:
                status, _ = client.call("POST", "/v1/environments", {"task_id": task})
                if status != 201:
                    with self.lock:
                        self.unsure.add(vm)
                    continue
                with self.lock:
                    self.running[vm] = True
                if turn % 4 == 1:
                    status, snapshot = client.call("POST", f"/v1/environments/{vm}/snapshots", {})
                    if status == 201:
                        client.call("POST", f"/v1/snapshots/{snapshot['id']}?action=restore")
                if turn % 4 == 2:
                    client.call("POST", f"/v1/environments/{vm}?action=drain")
                if turn % 3 != 0:
                    with self.lock:
                        self.running.pop(vm, None)
                        self.unsure.add(vm)
                    status, _ = client.call("DELETE", f"/v1/environments/{vm}")
                    if status == 204:
                        with self.lock:
                            self.unsure.discard(vm)
                            self.gone.add(vm)
            except OSError:
                with self.lock:
                    if vm not in self.running:
                        self.unsure.add(vm)
                return
            except Exception:  # a torn answer of a process that died
                with self.lock:
                    if vm not in self.running:
                        self.unsure.add(vm)
                return

    def stop(self):
        self.over.set()
        for thread in self.threads:
            thread.join(30)


def on_hosts(hosts):
    """What really is on the hosts, by asking them."""
    found = {}
    for name, host in hosts.items():
        client = Client(host.port, token=host_token(name))
        status, listed = client.call("GET", "/v1/vm?prefix=fuse-")
        assert status == 200, (status, listed)
        for vm in listed["vms"]:
            found.setdefault(vm["vm_id"], []).append(name)
    return found


def check(server, hosts, load):
    client = server.client

    def settled():
        states = {e["id"]: e["state"] for e in client.environments()}
        return not any(s in ("provisioning", "destroying") for s in states.values()) and states
    wait_for("everything is running, draining or gone", lambda: settled() is not False, limit=60, process=server)
    known = {e["id"]: e for e in client.environments()}
    real = on_hosts(hosts)
    lost = [vm for vm in load.running if vm not in known or known[vm]["state"] not in ("running", "draining")]
    assert not lost, f"told to run and lost: {lost[:5]}"
    back = [vm for vm in load.gone if vm in known]
    assert not back, f"told to be gone and there: {back[:5]}"
    twice = {vm: where for vm, where in real.items() if len(where) > 1}
    assert not twice, f"on two hosts: {twice}"
    missing = [vm for vm in known if vm not in real]
    assert not missing, f"known and on no host: {missing[:5]}"
    for name in hosts:
        status, host = client.call("GET", f"/v1/hosts/{name}")
        assert status == 200
        mine = [e for e in known.values() if e.get("host_id") == name]
        assert host["allocated"]["vm_count"] == len(mine), (name, host["allocated"], len(mine))
        assert len(mine) <= ROOM, f"{name} has {len(mine)} of {ROOM}"


def crash_at(command, step, database):
    with Fleet(command) as fleet:
        url = Postgres(fleet).url if database == "postgres" else ""
        quick = {"ORCH_RECONCILE_INTERVAL_SECONDS": "1", "ORCH_ORPHAN_GRACE_SECONDS": "1", "ORCH_REPLICA_ID": "r1"}
        server = fleet.serve(database=url, env={**quick, "FUSEBOX_TEST_CRASH_AT": f"{step}:3"})
        hosts = {name: fleet.host(name, server, vm_count=ROOM) for name in ("h1", "h2")}
        load = Load(server.port)
        load.start()
        try:
            wait_for(f"the server dies at {step}", lambda: not server.alive(), limit=60)
        finally:
            load.stop()
        assert server.child.returncode == -9, f"ended with {server.child.returncode}:\n{server.text()[-2000:]}"
        again = fleet.serve(port=server.port, database=url, env=quick)
        check(again, hosts, load)
        # And the next one works.
        status, made = again.client.call("POST", "/v1/environments", {"task_id": "after"})
        assert status in (201, 503), (status, made)
        assert again.stop() == 0


def main():
    command, *databases = sys.argv[1:]
    cases = []
    for database in databases or ["sqlite", "postgres"]:
        steps = STEPS if database == "sqlite" else STEPS[:6]
        for step in steps:
            cases.append((f"killed at {step} on {database}", lambda s=step, d=database: crash_at(command, s, d)))
    return run_tests(cases)


if __name__ == "__main__":
    sys.exit(main())
