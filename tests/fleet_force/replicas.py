"""Two replicas on one PostgreSQL: either serves, a killed leader is replaced, the database may go away for a while. And a
store without room.

usage: replicas.py COMMAND
"""
import errno
import os
import sys
import threading
import time
from pathlib import Path

from fleet import Client, Fleet, Postgres, free_port, run_tests, wait_for

QUICK = {"ORCH_RECONCILE_INTERVAL_SECONDS": "1"}
AWAY_SECONDS = 5  # longer than any single try to connect again


def leader_word(replica):
    return replica.client.call("GET", "/ready")[1]["checks"]["leader"]


def takeover(command):
    with Fleet(command) as fleet:
        database = Postgres(fleet)
        first = fleet.serve(database=database.url, data=fleet.folder / "a", env=QUICK)
        wait_for("the first leads", lambda: leader_word(first) == "self")
        second = fleet.serve(database=database.url, data=fleet.folder / "b", env=QUICK)
        host = fleet.host("h1", first)
        assert leader_word(second) == "other"
        status, made = first.client.call("POST", "/v1/environments", {"task_id": "a"})
        assert status == 201, made
        status, seen = second.client.call("GET", "/v1/environments/fuse-a")
        assert status == 200 and seen["state"] == "running", seen
        wait_for("the second knows the host", lambda: second.client.call(
            "POST", "/v1/environments", {"task_id": "b"})[0] == 201)
        first.kill()
        began = time.monotonic()
        wait_for("the second leads", lambda: leader_word(second) == "self", limit=5)
        status, made = second.client.call("POST", "/v1/environments", {"task_id": "c"})
        assert status == 201, made
        took = time.monotonic() - began
        assert took < 5, f"{took:.1f} s until work went on"
        assert {e["id"] for e in second.client.environments()} == {"fuse-a", "fuse-b", "fuse-c"}
        assert host.alive()


def database_away(command):
    """Stopped for real, for some seconds, under writers and readers."""
    with Fleet(command) as fleet:
        database = Postgres(fleet)
        server = fleet.serve(database=database.url, env=QUICK)
        told, unclear, over = set(), [], threading.Event()

        def write(number):
            client, turn = Client(server.port, timeout=30), 0
            while not over.is_set():
                turn += 1
                task = f"w{number}-{turn}"
                status, answer = client.call("POST", "/v1/environments", {"task_id": task})
                if status == 201:
                    told.add(f"fuse-{task}")
                elif status != 503:
                    unclear.append((status, answer))
                else:
                    time.sleep(0.02)
        writers = [threading.Thread(target=write, args=(i,), daemon=True) for i in range(4)]
        for writer in writers:
            writer.start()
        wait_for("there is something to lose", lambda: len(told) > 50)
        database.stop()
        gone_at, before = time.monotonic(), len(told)
        asked = {"a read of one": ("GET", f"/v1/environments/{next(iter(told))}"), "a list": ("GET", "/v1/environments"),
                 "the audit log": ("GET", "/v1/audit"), "a new key": ("POST", "/v1/api-keys", {"label": "x"}),
                 "a create": ("POST", "/v1/environments", {"task_id": "b"}),
                 "a destroy": ("DELETE", f"/v1/environments/{next(iter(told))}")}
        while time.monotonic() - gone_at < AWAY_SECONDS:
            for what, question in asked.items():
                status, answer = server.client.call(*question)
                assert status == 503 and answer["error"]["code"] == "unavailable", (what, status, answer)
                text = answer["error"]["message"]
                assert text.startswith("the store is not available"), (what, text)
                assert "postgres" not in text.lower() and str(database.port) not in text, (what, text)
            assert server.client.call("GET", "/ready")[0] == 503
            assert server.client.call("GET", "/health")[0] == 200
        database.start()
        wait_for("it is ready again", lambda: server.client.call("GET", "/ready")[0] == 200)
        wait_for("it writes again", lambda: len(told) > before + 50, process=server)
        over.set()
        for writer in writers:
            writer.join(30)
        assert not unclear, unclear[:3]
        lost = told - {e["id"] for e in server.client.environments()}
        assert not lost, f"told to run and lost: {sorted(lost)[:5]}"


def store_full(command):
    """The data folder is a file system of its own with little room, which somebody else fills and empties."""
    with Fleet(command) as fleet:
        data, port = fleet.folder / "small", free_port()
        data.mkdir()
        enter = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--mount", "--map-root-user"]
        mounted = 'mount -t tmpfs -o size=6m tmpfs "$1" && exec "$2" serve'
        server = fleet.run("serve", [*enter, "sh", "-c", mounted, "sh", str(data), fleet.command], {
            **fleet.serve_settings(port, data=data), **QUICK})
        client = server.client = Client(port)
        wait_for("the server is ready", lambda: client.call("GET", "/ready")[0] == 200, process=server)
        inside = Path(f"/proc/{server.child.pid}/root") / data.relative_to("/")
        assert (inside / "fusebox.db").exists(), list(inside.iterdir())
        filler, told = inside / "filler", set()

        def create(number):
            status, answer = client.call("POST", "/v1/environments", {"task_id": f"t{number}"})
            if status == 201:
                told.add(f"fuse-t{number}")
            return status, answer
        for number in range(50):
            assert create(number)[0] == 201
        with open(filler, "wb", buffering=0) as file:
            try:
                while True:
                    file.write(b"x" * 4096)
            except OSError as full:
                assert full.errno == errno.ENOSPC, full
        refused = 0
        for number in range(50, 2000):
            status, answer = create(number)
            if status == 201:
                continue  # there was room in the files the store has already
            refused += 1
            assert status in (503, 507), (status, answer)
            text = answer["error"]["message"]
            assert "store is full" in text and str(data) not in text, text
            assert client.call("GET", "/v1/environments/fuse-t1")[0] == 200, "what is there can be read"
            if refused == 20:
                break
        assert refused == 20, f"{refused} of the writes were refused by a full store"
        assert client.call("GET", "/health")[0] == 200
        filler.unlink()
        wait_for("it writes again", lambda: create(f"again{time.monotonic_ns()}")[0] == 201, process=server)
        lost = told - {e["id"] for e in client.environments()}
        assert not lost, f"told to run and lost: {sorted(lost)[:5]}"
        # What was refused is not there, and its name is free.
        assert {e["id"] for e in client.environments()} == told
        assert server.alive()


def one_process_per_file(command):
    with Fleet(command) as fleet:
        fleet.serve()
        second = fleet.serve(wait=False)
        second.child.wait(20)
        assert second.child.returncode == 1, second.text()
        assert second.text().startswith("orchestrator: "), second.text()
        assert "lock" in second.text(), second.text()


def main():
    command = sys.argv[1]
    return run_tests([
        ("a killed leader is replaced within five seconds", lambda: takeover(command)),
        ("a database that goes away and comes back loses nothing", lambda: database_away(command)),
        ("a store without room refuses, loses nothing and goes on when there is room", lambda: store_full(command)),
        ("a second process is refused the same SQLite file", lambda: one_process_per_file(command)),
    ])


if __name__ == "__main__":
    sys.exit(main())
