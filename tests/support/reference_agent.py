#!/usr/bin/env python3
"""A host agent as the reference's 0.28 is on the wire, for tests: HTTP/1.0, no features, VMs kept in memory.

A guest is a folder: absolute paths in uploads and in the arguments of exec lie below it, and commands really run there.

  reference_agent.py [--token T] [--app fc-agent|qemu-agent] [--port 0]

prints `port N` once it listens. `POST /_knobs` (no token) sets what goes wrong from then on:
  {"create": {"delay_ms": 50, "status": 500, "times": 1, "die": false, "late": false, "drop": false, "reply": {...}}, ...}
    delay_ms  before anything else        status  answered instead       late   the work is done before the status
    die       the work is done, then the process ends without an answer  drop   the same, but only the connection ends
    times     how many calls (default 1, 0 = all)                        reply  members put over those of the answer
names: capacity list get create delete upload exec start-agent start-surfd attach snapshot snapshots restore fork pull.
`GET /_calls` answers with the calls seen: [{name, path, headers, body}].
"""
import argparse
import base64
import hashlib
import hmac
import http.server
import json
import os
import re
import shutil
import struct
import subprocess
import tempfile
import threading
import time
import urllib.parse

LOCK = threading.RLock()
VMS, SNAPSHOTS, KNOBS, CALLS = {}, {}, {}, []
BODY_MAX, UPLOAD_MAX = 1 << 20, 64 << 20


class Refused(Exception):
    def __init__(self, status, text):
        super().__init__(text)
        self.status, self.text = status, text


def vm_id_of(name):
    return re.sub(r"[^a-z0-9-]+", "-", name.lower()).strip("-") or "vm"


def digest_of(folder):
    total = hashlib.sha256()
    for path in sorted(os.path.join(at, name) for at, _, names in os.walk(folder) for name in names):
        with open(path, "rb") as file:
            total.update(os.path.relpath(path, folder).encode() + b"\0" + file.read() + b"\0")
    return total.hexdigest()


class Agent(http.server.BaseHTTPRequestHandler):
    token = app = root = None
    timeout = 60

    def version_string(self):
        return f"{self.app}/0.1 {self.sys_version}"

    def log_message(self, *args):
        pass

    # --- answers
    def say(self, status, body=b"", kind="text/plain"):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def say_json(self, value, status=200):
        self.say(status, json.dumps(value).encode(), "application/json")

    # --- requests
    def read_body(self, limit=BODY_MAX):
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            raise Refused(411, "length required")
        try:
            length = int(self.headers.get("Content-Length", "0"))
        except ValueError:
            raise Refused(400, "bad content length")
        if length < 0:
            raise Refused(400, "bad content length")
        if length > limit:
            raise Refused(413, "body too large")
        raw = self.rfile.read(length)
        if len(raw) != length:
            raise Refused(400, "short body")
        try:
            value = json.loads(raw) if raw else {}
        except ValueError:
            raise Refused(400, "bad json")
        CALLS[-1]["body"] = value if len(raw) < 65536 else None
        return value

    @staticmethod
    def field(body, name):
        if name not in body:
            raise Refused(400, f"missing field: '{name}'")
        return body[name]

    def serve(self):
        path, _, query = self.path.partition("?")
        if path == "/_knobs":
            with LOCK:
                KNOBS.update(json.loads(self.rfile.read(int(self.headers.get("Content-Length", "0")))))
            return self.say(204)
        if path == "/_calls":
            return self.say_json(CALLS)
        name, work = self.route(path, query)
        with LOCK:
            CALLS.append({"name": name, "path": self.path, "headers": dict(self.headers), "body": None})
        if name != "artifact" and not hmac.compare_digest(
                self.headers.get("Authorization", "").encode(), f"Bearer {self.token}".encode()):
            return self.say(401, b"unauthorized")
        knob = self.take_knob(name)
        time.sleep(knob.get("delay_ms", 0) / 1000)
        try:
            if knob.get("status") and not knob.get("late"):
                raise Refused(knob["status"], knob.get("text", "told to fail"))
            answer = work()
            if knob.get("die"):
                os._exit(9)
            if knob.get("drop"):
                return
            if knob.get("status"):
                raise Refused(knob["status"], knob.get("text", "told to fail"))
        except Refused as refused:
            return self.say(refused.status, refused.text.encode())
        except Exception as error:  # the reference answers with the text of the exception
            return self.say(500, str(error).encode())
        if answer is None:
            return self.say(204)
        if answer is not True:  # True: answered already
            if knob.get("reply"):
                answer = {**answer, **knob["reply"]}
            self.say_json(answer)

    do_GET = do_POST = do_PUT = do_DELETE = serve

    @staticmethod
    def take_knob(name):
        with LOCK:
            knob = KNOBS.get(name)
            if not knob:
                return {}
            if knob.get("times", 1) > 0:
                knob["times"] = knob.get("times", 1) - 1
                if knob["times"] == 0:
                    del KNOBS[name]
            return dict(knob)

    def route(self, path, query):
        parts, method = path.strip("/").split("/"), self.command
        if method == "GET" and path in ("/", "/healthz"):
            return "health", lambda: {"ok": True, "app_name": self.app}
        if method == "GET" and path == "/v1/capacity":
            return "capacity", self.capacity
        if parts[:2] == ["v1", "vm"]:
            if len(parts) == 2 and method == "POST":
                return "create", self.create
            if len(parts) == 2 and method == "GET":
                return "list", lambda: self.list_vms(query)
            vm = vm_id_of(parts[2]) if len(parts) > 2 else ""
            if len(parts) == 3 and method == "GET":
                return "get", lambda: self.record(self.vm(vm))
            if len(parts) == 3 and method == "DELETE":
                return "delete", lambda: self.delete(vm)
            if len(parts) == 4:
                works = {("POST", "upload"): self.upload, ("POST", "exec"): self.execute,
                         ("POST", "start-agent"): self.start_agent, ("GET", "attach"): self.attach,
                         ("POST", "snapshot"): self.snapshot, ("GET", "snapshots"): self.snapshots,
                         ("POST", "restore"): self.restore, ("POST", "fork"): self.fork}
                if self.app == "fc-agent":
                    works[("POST", "start-surfd")] = self.start_surfd
                else:
                    works.pop(("POST", "fork"))
                if (method, parts[3]) in works:
                    work = works[(method, parts[3])]
                    return parts[3], lambda: work(self.vm(vm), query)
        if parts[:2] == ["v1", "artifacts"] and self.app == "fc-agent":
            if len(parts) == 3 and method == "GET":
                return "artifact", lambda: self.artifact(parts[2])
        return "none", self.no_route

    @staticmethod
    def no_route():
        raise Refused(404, "not found")

    # --- the agent and its VMs
    def capacity(self):
        found = {"cpus": 4, "ram_mb": 16000, "storage_gb": 100, "arch": "amd64", "gpus": 0, "gpu_devices": []}
        return found if self.app == "fc-agent" else {**found, "gpu_kind": ""}

    def vm(self, vm):
        with LOCK:
            if vm not in VMS:
                raise Refused(404, "vm not found")
            return VMS[vm]

    @staticmethod
    def record(vm):
        return {"vm_id": vm["vm_id"], "url": vm["url"]}

    def list_vms(self, query):
        prefix = ""
        for pair in query.split("&"):  # not decoded, as the reference does it not
            if pair.startswith("prefix="):
                prefix = pair[len("prefix="):]
        with LOCK:
            return {"vms": [self.record(VMS[vm]) for vm in sorted(VMS) if vm.startswith(prefix)]}

    def add(self, name, seed=None):
        vm = vm_id_of(name)
        with LOCK:
            if vm in VMS:
                raise Refused(409, f"vm {vm} already exists")
            index = 1 + len(VMS)
            folder = tempfile.mkdtemp(prefix=vm[:32] + "-", dir=self.root)
            if seed:
                shutil.copytree(seed, folder, dirs_exist_ok=True)
            VMS[vm] = {"vm_id": vm, "url": f"127.0.0.1:{19550 + index}", "folder": folder}
            return self.record(VMS[vm])

    def create(self):
        body = self.read_body()
        if body.get("cpus") == 0 or body.get("memory_mb") == 0:
            raise Refused(500, "machine-config: 400")
        seed = body.get("seed_snapshot")
        if seed and seed not in SNAPSHOTS:
            raise Refused(404, "snapshot not found")
        return self.add(body.get("name") or "vm-" + os.urandom(4).hex(), SNAPSHOTS[seed]["folder"] if seed else None)

    def delete(self, vm):
        folder = self.vm(vm)["folder"]
        with LOCK:
            VMS.pop(vm, None)
        shutil.rmtree(folder, ignore_errors=True)

    # --- guests
    @staticmethod
    def inside(vm, path):
        return vm["folder"] + "/" + path.lstrip("/") if path.startswith("/") else path

    def upload(self, vm, _):
        body = self.read_body(UPLOAD_MAX)
        path = self.inside(vm, self.field(body, "path"))
        try:
            content = base64.b64decode(self.field(body, "content_b64"), validate=True)
        except ValueError:
            raise Refused(400, "bad base64")
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(content)
        os.chmod(path, 0o644)
        return {"ok": True}

    def execute(self, vm, _):
        body = self.read_body()
        cmd = self.field(body, "cmd")
        if not isinstance(cmd, list) or not cmd:
            raise Refused(400, "cmd must be a non-empty list")
        argv = cmd[:1] + [self.inside(vm, word) for word in cmd[1:]]
        try:
            done = subprocess.run(argv, cwd=vm["folder"], capture_output=True, stdin=subprocess.DEVNULL,
                                  timeout=body.get("timeout_ms", 600000) / 1000)
            code, out, err = done.returncode, done.stdout, done.stderr
        except subprocess.TimeoutExpired as late:
            code, out, err = 124, late.stdout or b"", late.stderr or b""
        except FileNotFoundError:
            code, out, err = 127, b"", f"sh: {argv[0]}: not found\n".encode()
        return {"exit_code": code if code >= 0 else 128 - code, "stdout": base64.b64encode(out).decode(),
                "stderr": base64.b64encode(err).decode()}

    def start_agent(self, vm, _):
        body = self.read_body()
        self.field(body, "manifest_path"), self.field(body, "secrets_path")
        return {"ok": True, "endpoints": [
            {"as": one.get("as", ""), "url": f"127.0.0.1:{30000 + one['port']}", "port": one["port"],
             "host_port": 30000 + one["port"]} for one in body.get("expose", [])]}

    def start_surfd(self, vm, _):
        body = self.read_body()
        self.field(body, "manifest_path"), self.field(body, "secrets_path")
        return {"ok": True}

    def attach(self, vm, query):
        if self.headers.get("Upgrade", "").lower() != "fuse-attach/1":
            raise Refused(400, "attach requires Upgrade: fuse-attach/1")
        asked = urllib.parse.parse_qs(query, keep_blank_values=True)
        if asked.get("tty", [""])[0] not in ("1", "true"):
            raise Refused(400, "attach requires tty=1; use ?action=exec for non-interactive commands")
        self.wfile.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: fuse-attach/1\r\nConnection: Upgrade\r\n\r\n")
        # Arguments joined without quotes, as the reference sends them through SSH.
        words = " ".join(asked.get("cmd", ["cat"]))
        guest = subprocess.Popen(["sh", "-c", words], cwd=vm["folder"], stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        threading.Thread(target=self.feed, args=(guest,), daemon=True).start()
        while block := guest.stdout.read1(65536):
            self.wfile.write(struct.pack(">B3xI", 1, len(block)) + block)
        end = json.dumps({"exit_code": guest.wait()}).encode()
        self.wfile.write(struct.pack(">B3xI", 4, len(end)) + end)
        self.close_connection = True
        return True

    def feed(self, guest):
        try:
            while len(head := self.rfile.read(8)) == 8:
                kind, length = struct.unpack(">B3xI", head)
                payload = self.rfile.read(length)
                if kind == 0:
                    guest.stdin.write(payload)
                    guest.stdin.flush()
        except (OSError, ValueError):
            pass
        guest.kill()

    # --- snapshots
    def snapshot(self, vm, _):
        if self.app != "fc-agent":
            raise Refused(501, "not implemented")
        body = self.read_body()
        name = f"snap-{int(time.time())}-{os.urandom(3).hex()}"
        folder = tempfile.mkdtemp(prefix=name, dir=self.root)
        shutil.copytree(vm["folder"], folder, dirs_exist_ok=True)
        record = {"snapshot_id": name, "comment": body.get("comment", ""),
                  "created_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "origin_vm_id": vm["vm_id"],
                  "digest": digest_of(folder), "kind": "disk", "size_bytes": 1 << 20}
        with LOCK:
            SNAPSHOTS[name] = {"record": record, "folder": folder}
        return {key: record[key] for key in ("snapshot_id", "digest", "kind", "size_bytes")}

    def snapshots(self, vm, _):
        if self.app != "fc-agent":
            raise Refused(501, "not implemented")
        with LOCK:
            return {"snapshots": [one["record"] for one in SNAPSHOTS.values()
                                  if one["record"]["origin_vm_id"] == vm["vm_id"]]}

    def stored(self, body):
        name = self.field(body, "snapshot_id")
        if name not in SNAPSHOTS:
            raise Refused(404, "snapshot not found")
        return SNAPSHOTS[name]["folder"]

    def restore(self, vm, _):
        if self.app != "fc-agent":
            raise Refused(501, "not implemented")
        seed = self.stored(self.read_body())
        shutil.rmtree(vm["folder"])
        shutil.copytree(seed, vm["folder"])
        return {"ok": True}

    def fork(self, _vm, _):
        body = self.read_body()
        return self.add(self.field(body, "name"), self.stored(body))

    def artifact(self, digest):
        fields = self.headers.get("X-Fuse-Artifact-Grant", "").split(".")
        right = len(fields) == 5 and fields[:2] == ["v1", digest] and fields[2].isdigit() \
            and int(fields[2]) > time.time()
        if right:
            message = "\n".join(["fuse-artifact-grant/v1", digest, fields[2], fields[3]]).encode()
            mac = hmac.new(self.token.encode(), message, hashlib.sha256).hexdigest()
            right = hmac.compare_digest(mac, fields[4])
        if not right:
            raise Refused(403, "forbidden")
        with LOCK:
            found = [one for one in SNAPSHOTS.values() if one["record"]["digest"] == digest]
        if not found:
            raise Refused(404, "artifact not found")
        content = json.dumps(found[0]["record"]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("X-Fuse-Artifact-Digest", digest)
        self.end_headers()
        self.wfile.write(content)
        return True


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--token", default="token")
    options.add_argument("--app", default="fc-agent", choices=["fc-agent", "qemu-agent"])
    options.add_argument("--port", type=int, default=0)
    given = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="reference-agent-") as root:
        Agent.token, Agent.app, Agent.root = given.token, given.app, root
        server = http.server.ThreadingHTTPServer(("127.0.0.1", given.port), Agent)
        server.daemon_threads = True
        print(f"port {server.server_address[1]}", flush=True)
        # Ends with the test that started it, whose end of the pipe closes then.
        threading.Thread(target=lambda: (os.read(0, 1), server.shutdown()), daemon=True).start()
        server.serve_forever()


if __name__ == "__main__":
    main()
