"""Host agents: certificates on both sides, where whoever shows a wrong one or none gets nothing; their signals; and where
what runs on one may connect to.

usage: hosts.py COMMAND IMAGES
"""
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time

from fleet import TOKEN, Fleet, free_port, host_token, run_tests, wait_for

CURVE = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]


class Authority:
    """An authority of its own, with what it signs, as files."""

    def __init__(self, folder, name):
        self.folder, self.name = folder, name
        self.pem, self.key = folder / f"{name}.pem", folder / f"{name}.key"
        self._openssl("req", "-x509", *CURVE, "-days", "1", "-keyout", self.key, "-out", self.pem, "-subj",
                      f"/CN={name}", "-addext", "basicConstraints=critical,CA:TRUE")

    def issue(self, name):
        key, request, pem, names = (self.folder / f"{self.name}-{name}.{kind}" for kind in ("key", "csr", "pem", "ext"))
        names.write_text("subjectAltName=IP:127.0.0.1")
        self._openssl("req", *CURVE, "-keyout", key, "-out", request, "-subj", f"/CN={name}")
        self._openssl("x509", "-req", "-in", request, "-CA", self.pem, "-CAkey", self.key, "-days", "1", "-out", pem,
                      "-extfile", names)
        return pem, key

    @staticmethod
    def _openssl(*words):
        subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True)


def agent(fleet, port, certificate, clients=None):
    """An agent that registers itself nowhere."""
    settings = {
        "FC_AGENT_TOKEN": host_token("h1"), "FC_AGENT_PORT": str(port), "FC_AGENT_BIND": "127.0.0.1",
        "PUBLIC_HOST": "127.0.0.1", "FC_DIR": str(fleet.folder / "host"), "FUSEBOX_HOST_BACKEND": "stub",
        "FC_AGENT_TLS_CERT": str(certificate[0]), "FC_AGENT_TLS_KEY": str(certificate[1]),
        "FUSEBOX_DATA": str(fleet.folder / "user"),
    }
    if clients:
        settings["FC_AGENT_TLS_CLIENT_CA"] = str(clients)
    process = fleet.run("host", [fleet.command, "host"], settings)
    wait_for("the agent listens", lambda: shown(port) is not None, process=process)
    return process


def shown(port):
    """The certificate an agent shows, as it is sent."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", port), timeout=5) as plain:
        with context.wrap_socket(plain) as secured:
            return secured.getpeercert(binary_form=True)


def both_sides(command):
    with Fleet(command) as fleet:
        ours, theirs = Authority(fleet.folder, "ours"), Authority(fleet.folder, "theirs")
        port = free_port()
        host = agent(fleet, port, ours.issue("agent"), clients=ours.pem)
        server = fleet.serve()
        client, rogue = ours.issue("control-plane"), theirs.issue("control-plane")

        def register(**tls):
            fields = {name: path.read_text() if hasattr(path, "read_text") else path for name, path in tls.items()}
            return server.client.call("POST", "/v1/hosts", {
                "id": "h1", "url": f"https://127.0.0.1:{port}", "token": host_token("h1"), "backend": "stub",
                "capacity": {"vm_count": 5}, "tls": fields})

        refused = {
            "no client certificate": {"ca_pem": ours.pem},
            "a client certificate of another authority": {
                "ca_pem": ours.pem, "client_cert_pem": rogue[0], "client_key_pem": rogue[1]},
            "another authority for the agent": {
                "ca_pem": theirs.pem, "client_cert_pem": client[0], "client_key_pem": client[1]},
            "another fingerprint": {
                "fingerprint_sha256": "ab" * 32, "client_cert_pem": client[0], "client_key_pem": client[1]},
        }
        for what, tls in refused.items():
            status, answer = register(**tls)
            assert status == 502, (what, status, answer)
            assert server.client.call("GET", "/v1/hosts/h1")[0] == 404, what

        status, answer = register(ca_pem=ours.pem, client_cert_pem=client[0], client_key_pem=client[1])
        assert status == 201, answer
        assert client[1].read_text() not in str(answer), "the key is told to nobody"
        status, made = server.client.call("POST", "/v1/environments", {"task_id": "a", "spec": {"host_id": "h1"}})
        assert status == 201 and made["host_id"] == "h1", made
        # The certificate is kept, sealed: a server that starts again shows it.
        server.stop()
        server = fleet.serve()
        status, made = server.client.call("POST", "/v1/environments", {"task_id": "b", "spec": {"host_id": "h1"}})
        assert status == 201, made
        assert server.client.call("DELETE", "/v1/environments/fuse-a")[0] in (200, 204)
        assert host.alive()
        key = client[1].read_text().splitlines()[1].encode()
        for file in (fleet.folder / "data").rglob("*"):
            assert not file.is_file() or key not in file.read_bytes(), f"{file} holds the client key"


def new_certificate(command):
    with Fleet(command) as fleet:
        ours = Authority(fleet.folder, "ours")
        first, second = ours.issue("first"), ours.issue("second")
        certificate = fleet.folder / "agent.pem", fleet.folder / "agent.key"
        for source, target in zip(first, certificate):
            target.write_bytes(source.read_bytes())
        port = free_port()
        host = agent(fleet, port, certificate)
        before = shown(port)
        assert before == ssl.PEM_cert_to_DER_cert(first[0].read_text())
        for source, target in zip(second, certificate):
            target.write_bytes(source.read_bytes())
        assert shown(port) == before, "nothing is read before it is said"
        host.child.send_signal(signal.SIGHUP)
        after = ssl.PEM_cert_to_DER_cert(second[0].read_text())
        wait_for("the new certificate is shown", lambda: shown(port) == after, process=host)


def stop(command):
    with Fleet(command) as fleet:
        port = free_port()
        host = agent(fleet, port, Authority(fleet.folder, "ours").issue("agent"))
        assert host.stop() == 0, host.text()
        try:
            shown(port)
        except OSError:
            pass
        else:
            raise AssertionError("somebody still listens")


def second_signal(command):
    with Fleet(command) as fleet:
        port = free_port()
        host = agent(fleet, port, Authority(fleet.folder, "ours").issue("agent"))
        # A request that does not come to its end holds the first stop up.
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with socket.create_connection(("127.0.0.1", port)) as plain, context.wrap_socket(plain) as slow:
            slow.sendall(b"POST /v1/vm HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + host_token("h1").encode()
                         + b"\r\nContent-Length: 9\r\n\r\n")
            host.child.send_signal(signal.SIGTERM)
            time.sleep(0.3)
            host.child.send_signal(signal.SIGTERM)
            began = time.monotonic()
            host.child.wait(10)
            assert time.monotonic() - began < 5


class Listener:
    """Says `pong` to whoever connects, and counts them."""

    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.came = 0
        threading.Thread(target=self._answer, daemon=True).start()

    def _answer(self):
        while True:
            peer, _ = self.socket.accept()
            self.came += 1
            with peer:
                peer.sendall(b"pong")


def egress(command, images):
    with Fleet(command) as fleet:
        store = image_store(fleet, command, images)
        allowed, other = Listener(), Listener()
        server = fleet.serve()
        fleet.host("h1", server, backend="wasm", image_store=store)
        rules = {"default": "deny", "allow": [
            {"cidr": "127.0.0.1/32", "ports": [allowed.port]}, {"host": "localhost", "ports": [allowed.port]}]}
        status, made = server.client.call("POST", "/v1/environments", {
            "task_id": "a", "spec": {"image": "js", "backend": "wasm", "host_id": "h1", "egress": rules}})
        assert status == 201, made

        def read(name):
            code = f"try {{ console.log(std.readFile('/net/{name}')) }} catch (e) {{ console.log(String(e)) }}"
            status, done = server.client.call("POST", "/v1/environments/fuse-a?action=exec",
                                              {"cmd": ["js", "-e", code], "timeout_ms": 10_000})
            assert status == 200, done
            return done["stdout"].strip()

        assert read(f"127.0.0.1:{allowed.port}") == "pong"
        # A name that leads to this machine is refused, whoever it says it is.
        assert read(f"localhost:{allowed.port}").endswith("Permission denied"), read(f"localhost:{allowed.port}")
        assert "No such file" in read(f"127.0.0.1:{other.port}"), read(f"127.0.0.1:{other.port}")
        assert (allowed.came, other.came) == (1, 0), (allowed.came, other.came)


def image_store(fleet, command, images):
    store = fleet.folder / "user"
    subprocess.run([command, "image", "import", f"{images}/js.wapp", "--name", "js"], check=True,
                   capture_output=True, env={**os.environ, "FUSEBOX_DATA": str(store)})
    return store


def streams(command, images):
    with Fleet(command) as fleet:
        store = image_store(fleet, command, images)
        server = fleet.serve()
        fleet.host("h1", server, backend="wasm", image_store=store)
        status, made = server.client.call("POST", "/v1/environments", {
            "task_id": "a", "spec": {"image": "js", "backend": "wasm", "host_id": "h1"}})
        assert status == 201, made
        client = {"FUSE_BASE_URL": f"http://127.0.0.1:{server.port}", "FUSE_TOKEN": TOKEN,
                  "FUSE_CONFIG": str(fleet.folder / "client.yaml")}
        followed = fleet.run("follower", [command, "env", "logs", "fuse-a", "--follow"], client)
        wait_for("what is there is shown", lambda: "made from image js" in followed.text(), process=followed)
        assert "drained" not in followed.text()
        assert server.client.call("POST", "/v1/environments/fuse-a?action=drain")[0] == 200
        wait_for("what comes later is shown", lambda: "drained" in followed.text(), process=followed)
        assert followed.alive(), followed.text()
        # A terminal is not among what this provider has: said by the host, in its words, before anything is switched.
        refused = fleet.run("attach", [command, "env", "attach", "fuse-a", "--", "js"], client)
        assert refused.child.wait(30) != 0
        assert "draining" in refused.text() or "terminal" in refused.text(), refused.text()
        assert server.client.call("DELETE", "/v1/environments/fuse-a")[0] in (200, 204)
        assert followed.child.wait(30) == 0, followed.text()
        assert followed.text().count("drained") == 1, followed.text()
        # What it logged stays readable.
        ended = subprocess.run([command, "env", "logs", "fuse-a"], env={**os.environ, **client}, capture_output=True,
                               text=True, check=True)
        assert "made from image js" in ended.stdout and "drained" in ended.stdout, ended


def no_port(command):
    for listen in ("127.0.0.1:99999", "127.0.0.1:http", "127.0.0.1"):
        done = subprocess.run([command, "host", "--listen", listen], env={**os.environ, "FC_AGENT_TOKEN": "t"},
                              capture_output=True, text=True, timeout=20)
        assert done.returncode == 1 and "ADDRESS:PORT" in done.stderr, done


def promises(command, images):
    """What a host was told to promise is what it is filled with: more than the machine has, and no more than that."""
    with Fleet(command) as fleet:
        on_host = image_store(fleet, command, images)
        server = fleet.serve(image_store=fleet.folder / "no-images")
        fleet.host("h1", server, backend="wasm", image_store=on_host, env={
            "FUSEBOX_HOST_CPUS": "1000", "FUSEBOX_HOST_RAM_MB": str(3 * 512), "FUSEBOX_HOST_STORAGE_GB": "100"})
        told = server.client.call("GET", "/v1/hosts/h1")[1]["capacity"]
        assert (told["cpus"], told["ram_mb"], told["storage_gb"]) == (1000, 3 * 512, 100), told
        made = [server.client.call("POST", "/v1/environments", {"task_id": task, "spec": {"image": "js"}})
                for task in "abcd"]
        assert [status for status, _ in made] == [201, 201, 201, 503], made
        assert all(answer["host_id"] == "h1" and answer["backend"] == "wasm" for _, answer in made[:3]), made


def main():
    command, images = sys.argv[1:3]
    return run_tests([
        ("both sides show certificates, and none goes without the right one", lambda: both_sides(command)),
        ("a new certificate is read at SIGHUP", lambda: new_certificate(command)),
        ("SIGTERM ends an agent with status 0", lambda: stop(command)),
        ("what a host logs is followed until its environment is gone", lambda: streams(command, images)),
        ("an environment reaches the address it may and no other", lambda: egress(command, images)),
        ("an address without a port is refused", lambda: no_port(command)),
        ("a host is filled to what it promises", lambda: promises(command, images)),
        ("a second signal does not wait for anybody", lambda: second_signal(command)),
    ])


if __name__ == "__main__":
    sys.exit(main())
