"""Two replicas on one PostgreSQL: either serves, a killed leader is replaced, the database may go away for a while.

usage: replicas.py COMMAND
"""
import sys
import time

from fleet import Fleet, Postgres, run_tests, wait_for

QUICK = {"ORCH_RECONCILE_INTERVAL_SECONDS": "1"}


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
    with Fleet(command) as fleet:
        database = Postgres(fleet)
        server = fleet.serve(database=database.url, env=QUICK)
        assert server.client.call("POST", "/v1/environments", {"task_id": "a"})[0] == 201
        database.stop()
        status, answer = server.client.call("POST", "/v1/environments", {"task_id": "b"})
        assert status in (500, 503), (status, answer)
        text = answer["error"]["message"]
        assert "postgres" not in text.lower() and str(database.port) not in text, text
        assert server.client.call("GET", "/ready")[0] == 503
        assert server.client.call("GET", "/health")[0] == 200
        database.start()
        wait_for("it is ready again", lambda: server.client.call("GET", "/ready")[0] == 200)
        assert {e["id"] for e in server.client.environments()} >= {"fuse-a"}
        wait_for("it writes again", lambda: server.client.call(
            "POST", "/v1/environments", {"task_id": "c"})[0] == 201)


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
        ("a second process is refused the same SQLite file", lambda: one_process_per_file(command)),
    ])


if __name__ == "__main__":
    sys.exit(main())
