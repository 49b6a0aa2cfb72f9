"""The reference's published Python client (folsom-fuse 0.37.1), unmodified, through every call it has.

usage: drive.py COMMAND IMAGES    (run by run.sh, which installs the client)
"""
import base64
import subprocess
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "fleet_force"))
from fleet import REFUSALS, SECRET, TOKEN, Fleet, run_tests  # noqa: E402

import fuse  # noqa: E402


def refused(status, call):
    try:
        call()
    except fuse.ApiError as error:
        REFUSALS.append(str(error).encode())
        assert error.status == status, f"{error.status} instead of {status}: {error}"
        return error
    raise AssertionError(f"was not refused with {status}")


class World:
    """One server with two hosts of the wasm backend, the image `js` in their common store."""

    def __init__(self, command, images):
        self.fleet = Fleet(command)
        store = self.fleet.folder / "user"
        subprocess.run([command, "image", "import", str(Path(images) / "js.wapp")], check=True,
                       env={"PATH": "/usr/bin:/bin", "HOME": str(self.fleet.folder), "FUSEBOX_DATA": str(store)},
                       stdout=subprocess.DEVNULL)
        self.server = self.fleet.serve(image_store=store)
        self.url = f"http://127.0.0.1:{self.server.port}"
        self.client = fuse.Client(self.url, TOKEN)
        self.store = store
        self.tasks = 0

    def task(self):
        self.tasks += 1
        return f"task-{self.tasks}"

    def create(self, **spec):
        spec.setdefault("image", "js")
        return self.client.environments.create(fuse.CreateRequest(task_id=self.task(), spec=fuse.Spec(**spec)))


def environments(world):
    c = world.client
    made = c.environments.create(fuse.CreateRequest(
        task_id="first:1+@", spec=fuse.Spec(image="js", cpus=1, ram_mb=64, max_runtime_seconds=600, idle_timeout_seconds=60),
        files={"/work/hello.js": base64.b64encode(b"console.log('hello', 6 * 7)\n").decode()},
        secrets={"API_KEY": SECRET}))
    assert made.state == fuse.STATE_RUNNING and made.id == "fuse-first:1+@", made
    assert made.egress.mode == "direct" and made.spec.image == "js" and made.created_at, made
    assert c.environments.get(made.id).id == made.id
    assert [e.id for e in c.environments.list(task_id="first:1+@")] == [made.id]
    for _ in range(3):
        world.create()
    page = c.environments.list_page(limit=2)
    assert len(page.environments) == 2 and page.next_cursor
    assert len(c.environments.list(state="running")) == 4
    done = c.environments.exec(made.id, fuse.ExecRequest(cmd=["js", "/work/hello.js"]))
    assert (done.exit_code, done.stdout) == (0, "hello 42\n"), done
    failed = c.environments.exec(made.id, fuse.ExecRequest(cmd=["no-such-program"]))
    assert failed.exit_code == 127, failed
    refused(409, lambda: c.environments.create(fuse.CreateRequest(task_id="first:1+@")))
    refused(404, lambda: c.environments.get("fuse-none"))
    refused(400, lambda: c.environments.create(fuse.CreateRequest(task_id="bad/name")))
    drained = c.environments.drain(made.id)
    assert drained.state == fuse.STATE_DRAINING
    refused(409, lambda: c.environments.exec(made.id, fuse.ExecRequest(cmd=["js"])))
    c.environments.destroy(made.id)
    refused(404, lambda: c.environments.destroy(made.id))


def events(world):
    made = world.create()
    seen = []
    started = threading.Event()

    def read():
        for event in world.client.environments.events(made.id):
            seen.append(event.state)
            started.set()
    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    assert started.wait(10)
    other = fuse.Client(world.url, TOKEN)
    other.environments.destroy(made.id)
    reader.join(10)
    assert seen == ["running", "destroying", "destroyed"], seen


def snapshots(world):
    c = world.client
    made = world.create()
    snapshot = c.snapshots.create(made.id, fuse.SnapshotRequest(
        comment="first", mode="manual", metadata={"name": "base"}, layer_key="k1", retention_seconds=3600,
        export_ref="s3://bucket/key"))
    assert snapshot.id and snapshot.kind == "disk", snapshot
    assert c.snapshots.get(snapshot.id).comment == "first"
    assert [s.id for s in c.snapshots.list(vm_id=made.id)] == [snapshot.id]
    assert c.snapshots.list_page(limit=1).snapshots
    assert c.snapshots.resolve("k1", "amd64").id == snapshot.id
    assert c.snapshots.resolve("k2", "amd64") is None
    c.snapshots.restore(snapshot.id)
    refused(501, lambda: c.snapshots.create(made.id, fuse.SnapshotRequest(live=True)))
    child = c.environments.fork(made.id, fuse.ForkOptions(reuse_snapshot_id=snapshot.id))
    assert child.state == fuse.STATE_RUNNING and child.id.startswith("fuse-fork-"), child
    assert c.environments.exec(child.id, fuse.ExecRequest(cmd=["js", "-e", "console.log(1)"])).stdout == "1\n"
    c.environments.destroy(child.id)
    c.snapshots.delete(snapshot.id)
    refused(404, lambda: c.snapshots.get(snapshot.id))


def surfaces(world):
    made = world.create()
    refused(501, lambda: world.client.environments.rotate_token(made.id))
    refused(501, lambda: world.client.environments.computer(made.id, fuse.ComputerAction(action="screenshot")))
    refused(501, lambda: world.client.environments.computer_display(made.id))
    refused(501, lambda: world.client.environments.create(fuse.CreateRequest(
        task_id=world.task(), egress=fuse.EgressSpec(mode="proxy", provider="mock"))))
    refused(400, lambda: world.client.environments.create(fuse.CreateRequest(
        task_id=world.task(), egress=fuse.EgressSpec(mode="tunnel"))))


def keys(world):
    c = world.client
    made = c.api_keys.create("ci")
    assert made.key.startswith("fuse_sk_") and len(made.key) == 51, made
    world.fleet.secrets.add(made.key)
    assert made.id in [k.id for k in c.api_keys.list()]
    mine = fuse.Client(world.url, made.key)
    assert mine.environments.list() is not None
    error = refused(403, lambda: mine.environments.exec("fuse-x", fuse.ExecRequest(cmd=["a"])))
    assert "exec requires the master token" in error.message, error
    c.api_keys.revoke(made.id)
    refused(401, lambda: mine.environments.list())


def hosts(world):
    c = world.client
    fleet = world.fleet
    first = fleet.host("h1", world.server, backend="wasm", image_store=world.store)
    assert first.alive()
    fleet.host("h2", world.server, backend="wasm", image_store=world.store)
    assert {h.id for h in c.hosts.list()} == {"h1", "h2"}
    assert c.hosts.list_page(limit=1).next_cursor
    assert c.hosts.get("h1").backend == "wasm"
    c.hosts.cordon("h1")
    assert c.hosts.get("h1").state == "cordoned"
    c.hosts.uncordon("h1")
    c.hosts.cordon("h2")
    made = c.environments.create(fuse.CreateRequest(task_id=world.task(), spec=fuse.Spec(image="js"),
                                                    secrets={"API_KEY": SECRET}))
    assert made.host_id == "h1", made
    # A program that shows its secrets to its caller shows them to nobody else.
    shown = c.environments.exec(made.id, fuse.ExecRequest(
        cmd=["js", "-e", "console.log(std.readFile('/fuse/secrets.json'))"]))
    assert SECRET in shown.stdout, shown
    c.environments.exec(made.id, fuse.ExecRequest(cmd=["js", "-e", "std.writeFile('/kept', 'moved')"]))
    c.hosts.uncordon("h2")
    refused(409, lambda: c.environments.migrate(made.id, fuse.MigrateOptions(target_host_id="h2", live=True)))
    assert c.environments.get(made.id).state == fuse.STATE_RUNNING
    moved = c.environments.migrate(made.id, fuse.MigrateOptions(target_host_id="h2"))
    assert moved.host_id == "h2" and moved.state == fuse.STATE_RUNNING, moved
    refused(404, lambda: c.environments.get(made.id))
    read = c.environments.exec(moved.id, fuse.ExecRequest(cmd=["js", "-e", "console.log(std.readFile('/kept'))"]))
    assert read.stdout == "moved\n", read
    c.hosts.cordon("h1")
    refused(503, lambda: c.environments.migrate(moved.id))
    assert c.environments.get(moved.id).state == fuse.STATE_RUNNING
    refused(409, lambda: c.hosts.deregister("h2"))
    c.environments.destroy(moved.id)
    error = refused(502, lambda: c.hosts.register(fuse.RegisterHostRequest(
        id="h3", url="http://127.0.0.1:1", token="x", capacity=fuse.HostCapacity(vm_count=4))))
    assert error.code == "internal", error
    c.hosts.deregister("h1")
    refused(404, lambda: c.hosts.get("h1"))


def main():
    command, images = sys.argv[1:3]
    world = World(command, images)
    with world.fleet:
        return run_tests([(case.__name__, lambda f=case: f(world))
                          for case in (environments, events, snapshots, surfaces, keys, hosts)])


if __name__ == "__main__":
    sys.exit(main())
