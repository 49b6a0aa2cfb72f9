"""What the tests that use real processes share: servers, hosts, a database, and plain HTTP to them.

Every process is started in a folder of its own, waited for by its own word, and killed when the test ends. Before that,
what the test produced is searched for the secrets it was given: `Fleet.search_for_secrets`.
"""
import base64
import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

# What nothing may show: each is a value of its own, so that a find says which of them it was.
TOKEN = "master-token-of-the-tests"
ENCRYPTION_KEY = "5ec2e7" * 10 + "abcd"
HOST_TOKEN = "token-of-host-"  # and the host's name
SECRET = "secret-value-of-the-tests"

REFUSALS = []  # the bodies of every answer from 400 up that a client of this process was given


def host_token(name):
    return HOST_TOKEN + name


def texts_of(secret):
    """The forms in which a secret could be found: as it is, and as base64 and hexadecimal digits of it."""
    raw = secret.encode()
    return [raw, base64.b64encode(raw[:len(raw) // 3 * 3]), raw.hex().encode()]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Process:
    """A child in a process group of its own, with its output kept in a file."""

    def __init__(self, argv, env, log, stdin=subprocess.DEVNULL, preexec=None):
        self.log = Path(log)
        self.out = open(self.log, "ab")
        self.child = subprocess.Popen(
            argv, env={**os.environ, **env}, stdout=self.out, stderr=subprocess.STDOUT, stdin=stdin,
            start_new_session=True, preexec_fn=preexec)

    def text(self):
        return self.log.read_text(errors="replace")

    def alive(self):
        return self.child.poll() is None

    def kill(self):
        if self.alive():
            os.killpg(self.child.pid, signal.SIGKILL)
        self.child.wait()
        self.out.close()

    def stop(self, limit=30):
        if self.alive():
            self.child.send_signal(signal.SIGTERM)
            try:
                self.child.wait(limit)
            except subprocess.TimeoutExpired:
                self.kill()
                raise AssertionError(f"did not stop within {limit} s:\n{self.text()[-2000:]}")
        self.out.close()
        return self.child.returncode


class Client:
    """One connection at a time; a new one after any failure."""

    def __init__(self, port, token=TOKEN, timeout=60):
        self.port, self.token, self.timeout = port, token, timeout
        self.connection = None

    def call(self, method, path, body=None, headers=None):
        """`body`: bytes as they are, anything else as JSON."""
        payload = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        send = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        if payload is not None:
            send["Content-Type"] = "application/octet-stream" if isinstance(body, bytes) else "application/json"
        send.update(headers or {})
        fresh = self.connection is None
        if fresh:
            self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=self.timeout)
        try:
            self.connection.request(method, path, payload, send)
            reply = self.connection.getresponse()
            data = reply.read()
        except (OSError, http.client.HTTPException):
            self.connection.close()
            self.connection = None
            raise
        if reply.status >= 400:
            REFUSALS.append(data)
        parsed = None
        if data and reply.headers.get("Content-Type", "").startswith("application/json"):
            parsed = json.loads(data)
        return reply.status, parsed if parsed is not None else data

    def environments(self, **filters):
        found, cursor = [], ""
        while True:
            query = "&".join([f"{k}={v}" for k, v in filters.items()] + ["limit=200"] + ([f"cursor={cursor}"] if cursor else []))
            status, page = self.call("GET", f"/v1/environments?{query}")
            assert status == 200, (status, page)
            found += page["environments"]
            cursor = page.get("next_cursor", "")
            if not cursor:
                return found


def wait_for(what, done, limit=30, step=0.05, process=None):
    end = time.monotonic() + limit
    while time.monotonic() < end:
        with contextlib.suppress(OSError, http.client.HTTPException):
            value = done()
            if value:
                return value
        if process is not None and not process.alive():
            raise AssertionError(f"{what}: the process ended\n{process.text()[-3000:]}")
        time.sleep(step)
    raise AssertionError(f"{what}: not within {limit} s" + (f"\n{process.text()[-3000:]}" if process else ""))


class Fleet:
    """A folder with everything one test runs; removed at its end."""

    def __init__(self, command):
        self.command = str(command)
        self.folder = Path(tempfile.mkdtemp(prefix="fusebox-force-"))
        self.folder.chmod(0o755)
        self.processes = []
        self.count = 0
        self.secrets = set()  # beside those of this file: keys the server made, and the like
        REFUSALS.clear()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        try:
            if kind is None:
                self.search_for_secrets()
        finally:
            for process in self.processes:
                if process.alive():
                    process.kill()
            shutil.rmtree(self.folder, ignore_errors=True)

    def search_for_secrets(self):
        """Logs, databases and whatever else was written; metrics and audit logs; refusals; arguments of processes."""
        wanted = {TOKEN, ENCRYPTION_KEY, HOST_TOKEN, SECRET, *self.secrets}
        texts = [text for secret in wanted for text in texts_of(secret)]
        found = []

        def search(where, data):
            for text in texts:
                at = data.find(text)
                if at >= 0:
                    found.append(f"{where}: {data[max(0, at - 60):at + len(text)]!r}")
        for path in self.folder.rglob("*"):
            with contextlib.suppress(FileNotFoundError):  # a log of the database that was just recycled
                if path.is_file() and not path.is_symlink():
                    search(path, path.read_bytes())
        for refusal in REFUSALS:
            search("a refusal", refusal)
        for process in self.processes:
            search(f"the arguments of {process.log.name}", process.arguments)
            if not process.alive():
                continue
            if process.is_ours:
                search(f"/proc of {process.log.name}", Path(f"/proc/{process.child.pid}/cmdline").read_bytes())
            client = getattr(process, "client", None)
            for path in ("/metrics", "/v1/audit?limit=200", "/v1/operations?limit=200", "/v1/dead-letters",
                         "/v1/hosts", "/v1/environments?limit=200", "/v1/api-keys") if client else ():
                with contextlib.suppress(OSError, http.client.HTTPException):
                    answer = client.call("GET", path)[1]
                    search(path, answer if isinstance(answer, bytes) else json.dumps(answer).encode())
        assert not found, "secrets in clear:\n  " + "\n  ".join(found[:10])

    def _log(self, name):
        self.count += 1
        return self.folder / f"{self.count}-{name}.log"

    def run(self, name, argv, env=None, **how):
        process = Process(argv, env or {}, self._log(name), **how)
        process.is_ours = str(argv[0]) == self.command
        process.arguments = "\0".join(map(str, argv)).encode() if process.is_ours else b""
        self.processes.append(process)
        return process

    def serve_settings(self, port, database="", data=None, image_store=None):
        return {
            "ORCH_AUTH_TOKEN": TOKEN, "TOKEN_ENCRYPTION_KEY": ENCRYPTION_KEY, "ORCH_LISTEN": f"127.0.0.1:{port}",
            "ORCH_DATA_DIR": str(data or self.folder / "data"), "DATABASE_URL": database,
            "FUSEBOX_DATA": str(image_store or self.folder / "user"),
        }

    def serve(self, port=None, database="", data=None, env=None, wait=True, image_store=None):
        port = port or free_port()
        settings = {**self.serve_settings(port, database, data, image_store), **(env or {})}
        process = self.run("serve", [self.command, "serve"], settings)
        process.port = port
        process.client = Client(port)
        if wait:
            wait_for("the server is ready", lambda: process.client.call("GET", "/ready")[0] == 200, process=process)
        return process

    def host(self, name, server, backend="stub", port=None, data=None, env=None, vm_count=10_000, image_store=None):
        port = port or free_port()
        settings = {
            "FC_AGENT_TOKEN": host_token(name), "FC_AGENT_PORT": str(port), "FC_AGENT_BIND": "127.0.0.1",
            "PUBLIC_HOST": "127.0.0.1", "FC_DIR": str(data or self.folder / f"host-{name}"),
            "FUSEBOX_HOST_BACKEND": backend, "FUSEBOX_SERVER_URL": f"http://127.0.0.1:{server.port}",
            "FUSEBOX_SERVER_TOKEN": TOKEN, "FUSEBOX_HOST_ID": name, "FUSEBOX_HOST_VM_COUNT": str(vm_count),
            "FUSEBOX_DATA": str(image_store or self.folder / "user"), **(env or {}),
        }
        process = self.run(f"host-{name}", [self.command, "host"], settings)
        process.port = port
        wait_for(f"host {name} is registered",
                 lambda: server.client.call("GET", f"/v1/hosts/{name}")[0] == 200, process=process)
        return process


class Postgres:
    """A real server in a folder of its own, as Debian packages it; runs as `postgres` when this is root."""

    def __init__(self, fleet):
        found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: int(p.parent.name))
        if not found:
            raise FileNotFoundError("no PostgreSQL server is installed (package postgresql)")
        self.bin = found[-1]
        self.folder = fleet.folder / "postgres"
        self.folder.mkdir(mode=0o755)
        self.prefix = []
        if os.geteuid() == 0:
            shutil.chown(self.folder, "postgres", "postgres")
            self.prefix = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
        self.port = free_port()
        self.fleet = fleet
        data = self.folder / "data"
        subprocess.run([*self.prefix, self.bin / "initdb", "-D", data, "-U", "fuse", "-A", "trust", "--no-sync"],
                       check=True, stdout=subprocess.DEVNULL, cwd=self.folder)
        self.argv = [*self.prefix, str(self.bin / "postgres"), "-D", str(data), "-p", str(self.port), "-k",
                     str(self.folder), "-c", "listen_addresses=127.0.0.1", "-c", "max_connections=200"]
        self.start()
        subprocess.run([self.bin / "createdb", "-h", "127.0.0.1", "-p", str(self.port), "-U", "fuse", "fleet"], check=True)
        self.url = f"postgres://fuse@127.0.0.1:{self.port}/fleet?sslmode=disable"

    def start(self):
        self.process = self.fleet.run("postgres", self.argv)
        wait_for("PostgreSQL answers", lambda: subprocess.run(
            [self.bin / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)]).returncode == 0,
            process=self.process)

    def stop(self):
        self.process.child.send_signal(signal.SIGINT)
        self.process.child.wait(30)


def run_tests(cases):
    """Runs (name, function) pairs, prints each outcome and the closing line; the exit status."""
    passed = failed = 0
    for name, function in cases:
        began = time.monotonic()
        try:
            function()
        except Exception as error:  # a test's failure, whatever it is, is this line
            failed += 1
            print(f"FAILED {name}: {type(error).__name__}: {error}", flush=True)
        else:
            passed += 1
            print(f"ok     {name} ({time.monotonic() - began:.1f} s)", flush=True)
    print(f"{passed} passed, {failed} failed", flush=True)
    return 1 if failed or not passed else 0
