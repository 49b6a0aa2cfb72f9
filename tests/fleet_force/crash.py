"""kill -9 of real processes at every durable step, under load, on SQLite and on PostgreSQL.

A server is killed right after the commit of a step and another takes up what it left, one step after the other, over the
same store and the same hosts. After each: no environment is lost, none exists twice, no host has more than its room, what
was said to run has the file its client wrote, what was said to be gone is gone, and nothing is left on a host that nobody knows.
Every step that the sources name is either here or in UNREACHED, which says why not.

usage: crash.py COMMAND IMAGES [all] [STEP ...]     without `all` each step is tried on one of the two stores, in turn
"""
import base64
import re
import sqlite3
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from fleet import ENCRYPTION_KEY, SECRET, Client, Fleet, Postgres, free_port, host_token, run_tests, texts_of, wait_for

ENGINE = Path(__file__).parents[2] / "src/fleet/engine"
AGENT = Path(__file__).parents[1] / "support/reference_agent.py"
ROOM = 40  # environments each host of ours may have
DIES_WITHIN_SECONDS = 45
KEPT = 10  # environments that live on from one kill to the next
QUICK = {"ORCH_RECONCILE_INTERVAL_SECONDS": "1", "ORCH_ORPHAN_GRACE_SECONDS": "1", "ORCH_ORPHAN_RETRIES": "1",
         "ORCH_REPLICA_ID": "r1", "ORCH_GUEST_TMPFS": "off"}
OTHER_KEY = "0ddba11" * 9 + "f"
WASM = {"backend": "wasm", "image": "hello"}
FAILING = b'{"state":"failing","since":"2026-01-01T00:00:00Z"}'
REFUSES = {"status": 500, "times": 0}  # what a knob of the reference's agent makes of every such call


class Died(Exception):
    """The server is gone: what was asked last may have happened or not."""


class Load:
    """Clients of one server, until it dies; what they were told is in the world's book."""

    def __init__(self, world, server, jobs):
        self.world, self.server = world, server
        self.over = threading.Event()
        self.failures = []
        self.told = {}  # what clients asked and were told last, for whoever has to find out why a step was not reached
        self.threads = [threading.Thread(target=self.work, args=(job,), daemon=True) for job in jobs]
        for thread in self.threads:
            thread.start()

    def work(self, job):
        client = Client(self.server.port, timeout=20)
        while not self.over.is_set() and self.server.alive():
            try:
                job(User(self.world, client, self))
            except (OSError, Died):
                pass
            except Exception as error:  # a torn answer of a process that died; else a fault of the test
                if self.server.alive() and not self.over.is_set():
                    self.failures.append(f"{job.__name__}: {type(error).__name__}: {error}")
                    return

    def stop(self):
        self.over.set()
        for thread in self.threads:
            thread.join(30)


class User:
    """One caller of the API, who enters into the book what it was told."""

    def __init__(self, world, client, load=None):
        self.world, self.client, self.load = world, client, load

    def pause(self, seconds):
        if self.load is not None and self.load.over.wait(seconds):
            raise Died
        if self.load is None:
            time.sleep(seconds)

    def call(self, method, path, body=None, headers=None):
        status, answer = self.client.call(method, path, body, headers)
        if self.load is not None and status >= 400:
            kind = re.sub(r"fuse-[-\w]+|snap[-\w]+", "ID", path)
            self.load.told[f"{method} {kind} {status}"] = answer
        return status, answer

    def create(self, doomed=False, **request):
        """An environment that runs, or None. `doomed`: it is going to end by itself."""
        world = self.world
        task = world.next_task()
        vm = f"fuse-{task}"
        request.setdefault("spec", WASM if "seed_snapshot_id" not in request else {})
        with world.lock:
            world.unsure.add(vm)
        status, made = self.call("POST", "/v1/environments", {"task_id": task, **request})
        if status != 201:
            return None
        marked = made["backend"] == "wasm" and self.call(
            "PUT", f"/v1/environments/{vm}/files?path=/mark", vm.encode())[0] == 201
        with world.lock:
            if not doomed:
                world.unsure.discard(vm)
                world.running[vm] = marked
        return vm

    def adopt(self, vm):
        """What the server named itself: the children of forks and moves."""
        with self.world.lock:
            self.world.running[vm] = False

    def leave(self, vm):
        """From now on it may be there or not."""
        with self.world.lock:
            self.world.running.pop(vm, None)
            self.world.unsure.add(vm)

    def destroy(self, vm):
        self.leave(vm)
        status, _ = self.call("DELETE", f"/v1/environments/{vm}")
        if status == 204:
            with self.world.lock:
                self.world.unsure.discard(vm)
                self.world.gone.add(vm)
        return status

    def act(self, vm, action, body=None):
        return self.call("POST", f"/v1/environments/{vm}?action={action}", body)

    def snapshot(self, vm, **request):
        status, made = self.call("POST", f"/v1/environments/{vm}/snapshots", request)
        return made["id"] if status == 201 else None


# --- what clients do, over and over ---

def live(user):
    vm = user.create()
    if vm is None:
        return user.pause(0.05)
    user.act(vm, "exec", {"cmd": ["hello"]})
    if user.world.turn() % 3 == 0:
        user.act(vm, "drain")
    if len(user.world.running) > 2 * KEPT or user.world.turn() % 4 != 0:
        user.destroy(vm)


def keep_copies(user):
    vm = user.create()
    if vm is None:
        return user.pause(0.05)
    snapshot = user.snapshot(vm)
    if snapshot:
        user.call("POST", f"/v1/snapshots/{snapshot}?action=restore")
        status, child = user.act(vm, "fork", {"reuse_snapshot_id": snapshot})
        if status == 201:
            user.adopt(child["id"])
            user.destroy(child["id"])
        user.call("DELETE", f"/v1/snapshots/{snapshot}")
    user.destroy(vm)


def move(user):
    """A snapshot is brought to the other host for a new environment, and its source follows."""
    vm = user.create(spec={**WASM, "host_id": "h1"})
    if vm is None:
        return user.pause(0.05)
    snapshot = user.snapshot(vm)
    child = user.create(seed_snapshot_id=snapshot, spec={"host_id": "h2"}) if snapshot else None
    user.leave(vm)
    status, moved = user.act(vm, "migrate", {"target_host_id": "h2"})
    if status == 200:
        with user.world.lock:
            user.world.unsure.discard(vm)
            user.world.gone.add(vm)
        user.adopt(moved["id"])
        user.destroy(moved["id"])
    if child:
        user.destroy(child)


def on_agent(user, **request):
    return user.create(spec={"backend": "firecracker"}, secrets={"A": SECRET}, **request)


def run_scripts(user):
    """A guest agent, scripts and new credentials: what only microVMs have."""
    script = {"startup_script": "echo made"} if user.world.turn() % 2 else {"startup_steps": [{"run": "echo made"}]}
    vm = on_agent(user, **script)
    if vm is None:
        return user.pause(0.05)
    user.act(vm, "rotate-token")
    user.call("PUT", f"/v1/environments/{vm}/secrets", {"secrets": {"A": SECRET}})
    user.destroy(vm)


def stay_on_agent(user):
    if on_agent(user) is None:
        user.pause(0.2)


def refuse_room(user):
    assert user.call("POST", "/v1/environments", {"task_id": user.world.next_task(), "spec": {
        **WASM, "cpus": 1000}})[0] == 503
    user.pause(0.01)


def tend_hosts(user):
    world = user.world
    user.call("POST", "/v1/hosts/spare?action=heartbeat", {})
    user.call("POST", "/v1/hosts/spare?action=cordon")
    user.call("POST", "/v1/hosts/spare?action=uncordon")
    user.call("POST", "/v1/hosts/spare?action=drain", {})
    user.call("DELETE", "/v1/hosts/spare")
    world.register("spare", user.client)


def boot_again(user):
    vm = user.create(spec={"backend": "stub", "host_id": "spare"})
    if vm is None:
        return user.pause(0.1)
    snapshot = user.snapshot(vm)
    if snapshot:  # behind the control plane's back, so that the boot id its host then tells is news
        user.world.on_host("spare", "POST", f"/v1/vm/{vm}/restore", {"snapshot_id": snapshot})
    user.pause(1.5)
    user.destroy(vm)


def leave_strays(user):
    user.world.on_host("h1", "POST", "/v1/vm", {"name": f"fuse-{user.world.next_task()}", "image": "hello"})
    user.pause(0.5)


def leave_strays_on_agent(user):
    user.world.on_host("agent", "POST", "/v1/vm", {"name": f"fuse-{user.world.next_task()}"})
    user.pause(2)


def lose(user):
    vm = user.create(doomed=True)
    if vm:
        where = user.call("GET", f"/v1/environments/{vm}")[1].get("host_id")
        if where in ("h1", "h2"):
            user.world.on_host(where, "DELETE", f"/v1/vm/{vm}")
    user.pause(0.5)


def overstay(user):
    user.create(doomed=True, spec={**WASM, "max_runtime_seconds": 1})
    user.pause(1)


def wake(user):
    """Seen idle once, then in use at the next look."""
    for vm in user.world.idle:
        if user.call("GET", f"/v1/audit?entity_id={vm}&event_type=vm.idle_suspected")[1].get("events"):
            user.act(vm, "exec", {"cmd": ["sleep", "3"]})
    user.pause(0.02)


def sicken(user):
    vm = on_agent(user, healthcheck={"exec": ["true"]})
    if vm is None:
        return user.pause(0.2)
    user.world.on_host("agent", "POST", f"/v1/vm/{vm}/upload", {
        "path": "/fuse/health.json", "content_b64": base64.b64encode(FAILING).decode()})
    user.pause(2)
    user.destroy(vm)


def fail_to_leave(user):
    vm = on_agent(user)
    if vm is None:
        return user.pause(0.2)
    user.destroy(vm)
    user.destroy(vm)


def fail_snapshots(user):
    vm = on_agent(user)
    if vm is None:
        return user.pause(0.2)
    snapshot = user.snapshot(vm)
    if snapshot:
        user.call("DELETE", f"/v1/snapshots/{snapshot}")
    user.destroy(vm)


def end_restores(user):
    vm = on_agent(user)
    if vm is None:
        return user.pause(0.2)
    snapshot = user.snapshot(vm)
    if snapshot:
        user.world.knob(restore={"delay_ms": 1500})
        user.call("POST", f"/v1/snapshots/{snapshot}?action=restore", headers={"Prefer": "respond-async"})
    user.destroy(vm)
    user.pause(2)


def use_old(user):
    for snapshot in user.world.old:
        status, child = user.call("POST", "/v1/environments", {
            "task_id": user.world.next_task(), "seed_snapshot_id": snapshot})
        if status == 201:
            user.adopt(child["id"])
            user.destroy(child["id"])
    user.pause(0.2)


def wait(user):
    user.pause(0.2)


# --- before the server that dies is started ---

def make_old(**snapshot):
    """Snapshots that are old as soon as they are made; with what else there is to say of them."""
    def prepare(world, client):
        user = User(world, client)
        vm = user.create()
        for _ in range(3):
            world.old.append(user.snapshot(vm, **snapshot))
        assert all(world.old), world.old
        user.destroy(vm)
    return prepare


def make_idle(world, client):
    vm = User(world, client).create(doomed=True, spec={"backend": "firecracker", "idle_timeout_seconds": 60})
    assert vm
    world.idle = [vm]


def add_host(world, client):
    world.dead = world.add("dead")
    status, answer = world.register("dead", client)
    assert status == 201, answer
    return world.dead


def break_host(world, client):
    """A host that is known, holds a seed, has most room and is dead: what is sent to it must go elsewhere."""
    host, user = add_host(world, client), User(world, client)
    vm = user.create(spec={**WASM, "host_id": "dead"})
    world.old.append(user.snapshot(vm))
    copy = user.create(seed_snapshot_id=world.old[0], spec={"host_id": "h1"})
    assert copy, "the other holder"
    user.destroy(vm)
    user.destroy(copy)
    host.kill()


def leak(world, client):
    """An agent that cannot delete snapshots, and then has learned it."""
    user = User(world, client)
    vm = on_agent(user)
    world.knob(none={"status": 404, "text": "snapshot not found", "times": 0})
    assert client.call("DELETE", f"/v1/snapshots/{user.snapshot(vm)}")[0] == 204
    user.destroy(vm)
    world.knob(capacity={"reply": {"features": ["store-delete"]}, "times": 0})


def turn(**knobs):
    return lambda world, client: world.knob(**knobs)


@dataclass
class Step:
    name: str
    job: object = None
    nth: int = 3
    env: dict = field(default_factory=dict)
    prepare: object = None
    first: str = ""     # another kill before it, so that it has something to find
    age: bool = False   # all snapshots, and the last use of everything, are made older
    slow: bool = False  # takes more than some seconds by its nature: only with `all`


STEPS = [
    Step("intent"), Step("host_created"), Step("agent_started"), Step("running"), Step("activity"),
    Step("drain_recorded"), Step("drain_done"), Step("destroy_recorded"), Step("removed"),
    Step("snapshot_recorded", keep_copies), Step("snapshot_ready", keep_copies),
    Step("restore_recorded", keep_copies), Step("rearmed", keep_copies), Step("restore_done", keep_copies),
    Step("snapshot_delete_recorded", keep_copies), Step("snapshot_deleted", keep_copies),
    Step("pull", move), Step("pulled", move), Step("host_create_sent", move), Step("migrated", move),
    Step("script_started", run_scripts), Step("script_output", run_scripts), Step("script_step", run_scripts),
    Step("script_done", run_scripts), Step("rotate_recorded", run_scripts), Step("rotate_done", run_scripts),
    Step("secrets_recorded", run_scripts), Step("secrets_done", run_scripts),
    Step("secrets_persistent", run_scripts, env={"ORCH_GUEST_TMPFS": "auto"},
         prepare=turn(exec={"status": 404, "times": 0})),
    Step("placement_refused", refuse_room),
    Step("host_contact", tend_hosts, nth=1), Step("host_cordoned", tend_hosts), Step("host_draining", tend_hosts),
    Step("host_removed", tend_hosts), Step("host_registered", tend_hosts),
    Step("boot_seen", boot_again, nth=1),
    Step("orphan_suspected", leave_strays, nth=1), Step("orphan_recorded", leave_strays, nth=1),
    Step("orphan_dead_lettered", leave_strays_on_agent, nth=1, prepare=turn(delete=REFUSES)),
    Step("missing_seen", lose, nth=1),
    Step("stuck_suspected", overstay, nth=1), Step("idle_suspected", nth=1, prepare=make_idle, age=True),
    Step("idle_over", wake, nth=1, prepare=make_idle, age=True),
    Step("health", sicken, nth=1),
    Step("destroy_failed", fail_to_leave, nth=1, prepare=turn(delete=REFUSES)),
    Step("destroy_again", fail_to_leave, nth=1, prepare=turn(delete=REFUSES)),
    Step("snapshot_failed", fail_snapshots, nth=1, prepare=turn(snapshot=REFUSES)),
    Step("snapshot_delete_failed", fail_snapshots, nth=1, prepare=turn(none=REFUSES)),
    Step("leak_closed", wait, nth=1, prepare=leak),
    Step("restore_over", end_restores, nth=1),
    Step("taken_over", first="host_created", nth=1), Step("operation_closed", first="snapshot_recorded", nth=1),
    Step("snapshot_given_up", first="snapshot_recorded", age=True, nth=1),
    Step("snapshot_used", use_old, nth=1, prepare=make_old(), age=True),
    Step("snapshot_gc_recorded", wait, nth=1, prepare=make_old(retention_seconds=1), age=True),
    Step("artifact_gc_recorded", wait, nth=1, prepare=make_old(mode="build", layer_key="k"), age=True,
         env={"ORCH_ARTIFACT_IDLE_TTL_SECONDS": "1"}),
    Step("placed", use_old, nth=1, prepare=break_host),
    Step("resealed", stay_on_agent, nth=2,
         env={"TOKEN_ENCRYPTION_KEY": OTHER_KEY, "TOKEN_ENCRYPTION_KEYS_OLD": ENCRYPTION_KEY}),
    Step("leader", nth=1), Step("allocations"), Step("retention"),
    Step("leases", nth=1, slow=True), Step("agent_unreachable", stay_on_agent, nth=1, slow=True),
]

# With a provider of the server's own process: the one-transaction forms of docs/adr/0011 among them.
ALONE = [Step(name, job, nth) for name, job, nth in (
    ("running", live, 20), ("activity", live, 3), ("removed", live, 20), ("drain_done", live, 3),
    ("snapshot_recorded", keep_copies, 3), ("snapshot_ready", keep_copies, 3), ("restore_recorded", keep_copies, 3),
    ("restore_done", keep_copies, 3), ("snapshot_deleted", keep_copies, 3), ("retention", live, 1))]

UNREACHED = {
    "host_named": "all hosts here keep the name they are asked for",
    "leases_released": "a server that was asked to stop writes it when nothing is under way any more",
    "stuck_over": "takes a clock that goes back",
}


class World:
    """A store and hosts that outlive one server after another, and the book of what clients were told."""

    def __init__(self, command, images, database, with_hosts):
        self.fleet = Fleet(command)
        self.database, self.with_hosts = database, with_hosts
        self.lock = threading.Lock()
        self.tasks = 0
        self.running = {}    # id -> whether it holds its mark: told to run, not told to go
        self.gone = set()    # told to be gone
        self.unsure = set()  # no word of it was heard: either may hold
        self.old, self.idle = [], []  # snapshots and environments made by prepare
        self.port = free_port()
        self.env = dict(QUICK)
        self.hosts, self.dead, self.server, self.url = {}, None, None, ""
        self.image_files = images

    def __enter__(self):
        self.fleet.__enter__()
        self.images = self.fleet.folder / "user"
        subprocess.run([self.fleet.command, "image", "import", str(Path(self.image_files) / "hello.wapp")], check=True,
                       env={"PATH": "/usr/bin:/bin", "HOME": str(self.fleet.folder), "FUSEBOX_DATA": str(self.images)},
                       stdout=subprocess.DEVNULL)
        self.postgres = Postgres(self.fleet) if self.database == "postgres" else None
        self.url = self.postgres.url if self.postgres else ""
        self.start()
        if self.with_hosts:
            for name, backend in (("h1", "wasm"), ("h2", "wasm"), ("spare", "stub")):
                self.hosts[name] = self.add(name, backend=backend)
            agent = self.fleet.run("agent", [sys.executable, str(AGENT), "--token", host_token("agent"), "--port",
                                             str(free_port())], stdin=subprocess.PIPE)
            agent.port = int(wait_for("the agent listens", lambda: re.search(r"port (\d+)", agent.text()))[1])
            self.hosts["agent"] = agent
            for name in self.hosts:
                status, answer = self.register(name, self.server.client)
                assert status == 201, answer
        self.server.stop()
        return self

    def __exit__(self, *exc):
        if self.with_hosts and self.hosts["agent"].alive():
            for one in self.on_host("agent", "GET", "/_calls")[1]:  # what guests are handed
                token = (one["body"] or {}).get("auth_token") if isinstance(one["body"], dict) else None
                if token:
                    self.fleet.secrets.add(token)
        self.fleet.__exit__(*exc)

    def next_task(self):
        with self.lock:
            self.tasks += 1
            return f"t{self.tasks}"

    def turn(self):
        with self.lock:
            self.tasks += 1
            return self.tasks

    def on_host(self, name, method, path, body=None):
        return Client(self.hosts[name].port, token=host_token(name)).call(method, path, body)

    def knob(self, **knobs):
        self.on_host("agent", "POST", "/_knobs", knobs)

    def register(self, name, client):
        """With room for what this machine has not: all of it is small."""
        backend = {"spare": "stub", "agent": "firecracker"}.get(name, "wasm")
        port = (self.hosts.get(name) or self.dead).port
        return client.call("POST", "/v1/hosts", {
            "id": name, "url": f"http://127.0.0.1:{port}", "token": host_token(name), "backend": backend,
            "capacity": {"cpus": ROOM, "ram_mb": ROOM << 10, "storage_gb": ROOM, "vm_count": ROOM}})

    def add(self, name, port=None, backend="wasm"):
        return self.fleet.host(name, self.server, backend=backend, port=port, vm_count=ROOM, image_store=self.images)

    def start(self, **env):
        self.server = self.fleet.serve(port=self.port, database=self.url, image_store=self.images,
                                       env={**self.env, **env})
        return self.server

    def age(self):
        columns = [("orchestrator_snapshots", column) for column in ("created_at", "last_used_at", "retention_until")]
        columns.append(("orchestrator_vms", "last_activity_at"))
        if self.postgres:
            for table, column in columns:
                subprocess.run(["psql", "-q", self.url, "-c",
                                f"UPDATE {table} SET {column} = {column} - interval '1 hour'"], check=True)
            return
        database = sqlite3.connect(self.fleet.folder / "data" / "fusebox.db")
        with database:
            for table, column in columns:
                database.execute(f"UPDATE {table} SET {column} = '2001' || substr({column}, 5) WHERE {column} <> ''")
        database.close()

    def die_at(self, step, nth, job, env):
        server = self.fleet.serve(port=self.port, database=self.url, image_store=self.images, wait=False,
                                  env={**self.env, **env, "FUSEBOX_TEST_CRASH_AT": f"{step}:{nth}"})
        load = Load(self, server, [job or live, job or live, live])
        try:
            wait_for(f"the server dies at {step}", lambda: load.failures or not server.alive(),
                     limit=DIES_WITHIN_SECONDS)
        except AssertionError as error:
            raise AssertionError(f"{error}; refused: {load.told}") from None
        finally:
            load.stop()
        assert not load.failures, load.failures[0]
        assert server.child.returncode == -9, f"ended with {server.child.returncode}:\n{server.text()[-2000:]}"

    def try_step(self, step):
        try:
            self.kill_at(step)
        except BaseException:  # the next begins with what this one left, but not with its server
            for process in self.fleet.processes:
                if process.log.name.endswith("-serve.log") and process.alive():
                    process.kill()
            raise

    def kill_at(self, step):
        if step.prepare:
            server = self.start()
            step.prepare(self, server.client)
            server.stop()
        if step.first:
            self.die_at(step.first, 2, keep_copies if step.first.startswith("snapshot") else live, {})
        if step.age:
            self.age()
        self.die_at(step.name, step.nth, step.job, step.env)
        if "TOKEN_ENCRYPTION_KEY" in step.env:
            self.env.update(step.env)
            self.fleet.secrets.add(step.env["TOKEN_ENCRYPTION_KEY"])
        if self.with_hosts:
            self.knob(**{name: {} for name in ("exec", "delete", "snapshot", "none", "capacity", "restore")})
        server = self.start()
        if self.dead and not self.dead.alive():  # its host comes back, or what was meant for it would wait for ever
            self.dead = self.add("dead", self.dead.port)
        self.check(server)
        self.tidy(server.client)
        # And the next one works.
        status, made = server.client.call("POST", "/v1/environments", {
            "task_id": self.next_task(), "spec": WASM})
        assert status == 201, (status, made)
        self.running[made["id"]] = False
        assert server.stop() == 0

    def on_hosts(self):
        """What really is on the hosts, by asking them."""
        found = {}
        for name in self.hosts:
            status, listed = self.on_host(name, "GET", "/v1/vm?prefix=fuse-")
            assert status == 200, (status, listed)
            for vm in listed["vms"]:
                found.setdefault(vm["vm_id"], []).append(name)
        return found

    def check(self, server):
        client = server.client

        unsettled = []

        def settled():
            unsettled[:] = [(e["id"], e["state"]) for e in client.environments()
                            if e["state"] in ("provisioning", "destroying")]
            unsettled.extend((o["id"], o["kind"], o["step"]) for o in
                             client.call("GET", "/v1/operations?limit=200")[1]["operations"] if o["state"] == "running")
            return not unsettled
        try:
            wait_for("everything is running, draining or gone", settled, limit=60)
        except AssertionError as error:
            raise AssertionError(f"{error}: {unsettled[:5]}") from None
        known = {e["id"]: e for e in client.environments()}
        lost = [vm for vm in self.running if vm not in known or known[vm]["state"] not in ("running", "draining")]
        assert not lost, f"told to run and lost: {lost[:5]}"
        back = [vm for vm in self.gone if vm in known]
        assert not back, f"told to be gone and there: {back[:5]}"
        for vm, marked in self.running.items():
            if marked and known[vm]["state"] == "running":
                status, mark = client.call("GET", f"/v1/environments/{vm}/files?path=/mark")
                assert (status, mark) == (200, vm.encode()), f"{vm} has lost its file: {status} {mark}"
        if not self.with_hosts:
            def nothing_unrecorded():
                shown = client.call("GET", "/metrics")[1].decode()
                counts = [int(n) for n in re.findall(r"^orchestrator_fleet_(?:tracked|provider)_vms (\d+)$", shown, re.M)]
                return counts == [len(client.environments())] * 2
            wait_for("what the provider has is what the store has", nothing_unrecorded, limit=30, process=server)
            return
        real = self.on_hosts()
        twice = {vm: where for vm, where in real.items() if len(where) > 1}
        assert not twice, f"on two hosts: {twice}"

        def nothing_left():
            known = {e["id"] for e in client.environments()}
            return not [vm for vm in self.on_hosts() if vm not in known]
        wait_for("what nobody knows is gone from the hosts", nothing_left, limit=30, process=server)
        known, real = {e["id"]: e for e in client.environments()}, self.on_hosts()
        missing = [vm for vm in self.running if vm not in real]
        assert not missing, f"told to run and on no host: {missing[:5]}"
        for name in self.hosts:
            if client.call("GET", f"/v1/hosts/{name}")[0] == 404:
                status, answer = self.register(name, client)
                assert status == 201, answer
            client.call("POST", f"/v1/hosts/{name}?action=uncordon")

        def room_adds_up():
            counts = {name: client.call("GET", f"/v1/hosts/{name}")[1]["allocated"]["vm_count"] for name in self.hosts}
            mine = [e.get("host_id") for e in client.environments()]
            assert all(mine.count(name) <= ROOM for name in self.hosts), f"more than {ROOM} on a host: {mine}"
            return all(mine.count(name) == count for name, count in counts.items())
        wait_for("what hosts have given away is what is on them", room_adds_up, limit=20, process=server)
        assert "allocations of a host were corrected" not in server.text(), "room was lost or given away twice"

    def tidy(self, client):
        """Some live on, so that every kill finds something; the rest makes room."""
        user = User(self, client)
        kept = [vm for vm, marked in self.running.items() if marked][:KEPT]
        for environment in client.environments():
            if environment["id"] not in kept:
                status = user.destroy(environment["id"])
                assert status in (204, 404), (environment["id"], status)
        self.running = {vm: self.running[vm] for vm in kept}
        self.unsure.clear()
        self.old.clear()
        if client.call("GET", "/v1/hosts/dead")[0] == 200:
            assert client.call("DELETE", "/v1/hosts/dead")[0] == 204
            self.dead.kill()
            self.dead = None


def steps_in_sources():
    """The names the engine commits under, by its own text."""
    computed = {("boot_create.cc", "op.step"): {"placed", "host_create_sent"},
                ("guest.cc", "op.step"): {"drain_recorded", "rotate_recorded", "secrets_recorded"},
                ("guest.cc", 'op.kind + "_done"'): {"drain_done", "rotate_done", "secrets_done"},
                ("boot_steps.cc", "step"): set()}  # its callers name it
    names = set()
    for file in sorted(ENGINE.glob("*.cc")):
        if file.name.endswith("_test.cc"):
            continue
        for given in re.findall(r"co_await (?:core_?\.commit\(|record_step\(core_?, boot_?, )([^,)]+)", file.read_text()):
            if given.startswith('"'):
                names.add(given.strip('"'))
            else:
                assert (file.name, given) in computed, f"{file.name} commits under {given}: say here what that can be"
                names |= computed[file.name, given]
    return names


def none_left_out():
    named, tried = steps_in_sources(), {step.name for step in STEPS}
    assert len(named) > 40, f"only {len(named)} steps found in {ENGINE}: does this test still read them right?"
    assert not named - tried - set(UNREACHED), f"never killed at: {sorted(named - tried - set(UNREACHED))}"
    assert not (tried | set(UNREACHED)) - named, f"no such step any more: {sorted((tried | set(UNREACHED)) - named)}"
    assert not tried & set(UNREACHED), f"tried and said to be out of reach: {sorted(tried & set(UNREACHED))}"
    described = (ENGINE.parents[2] / "docs/operating.md").read_text()
    assert not (missing := [n for n in sorted(named) if f"`{n}`" not in described]), f"not in docs/operating.md: {missing}"


def finds_secrets(command):
    for text in texts_of(SECRET):
        fleet = Fleet(command)
        (fleet.folder / "a.log").write_bytes(b"before " + text + b" after")
        try:
            fleet.__exit__(None)
        except AssertionError as found:
            assert "a.log" in str(found), found
        else:
            raise AssertionError(f"{text} in a log was not found")


def main():
    command, images, *wanted = sys.argv[1:]
    everything = "all" in wanted
    wanted = [step for step in wanted if step != "all"]
    outcome = run_tests([("every step of the engine is tried or said to be out of reach", none_left_out),
                         ("the search for secrets finds them", lambda: finds_secrets(command))])
    for database, with_hosts, steps in (("sqlite", True, STEPS), ("postgres", True, STEPS), ("sqlite", False, ALONE)):
        turn_of = 0 if database == "sqlite" else 1
        chosen = [step for number, step in enumerate(steps)
                  if (step.name in wanted if wanted else
                      everything or not step.slow and number % 2 == turn_of)]
        if not chosen:
            continue
        with World(command, images, database, with_hosts) as world:
            where = database if with_hosts else "without hosts"
            outcome |= run_tests([(f"killed at {step.name}, {where}", lambda s=step: world.try_step(s))
                                  for step in chosen])
    return outcome


if __name__ == "__main__":
    sys.exit(main())
