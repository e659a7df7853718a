"""Council itself, from outside: its command line, its admin API."""

import json
import re
import shutil
import subprocess
import time

from plugins import ROOT
from servers import Failed, Server, free_port, request

BINARY = ROOT / ".build/release/council"
ACCOUNTS = ROOT / ".build/release/libAccounts.so"
HELLO = ROOT / ".build/release/libHello.so"
UNLIMITED = "1000000000/60s"


class Council:
    """One host on a home of its own. Every key is issued before it starts, as an operator would in bulk."""

    def __init__(self, name, folder, plugins, keys=10, scopes=(), binary=BINARY, settings=""):
        self.name, self.folder, self.plugins, self.binary = name, folder, plugins, binary
        self.home = folder / f"{name}-home"
        shutil.rmtree(self.home, ignore_errors=True)
        self.home.mkdir(parents=True)
        self.settings = folder / f"{name}.yaml"
        self.settings.write_text(settings)
        self.keys = folder / f"{name}.keys"
        self.issue(keys, scopes, self.keys)
        admin = folder / f"{name}.admin-key"
        self.issue(1, ["admin:*"], admin)
        with open(self.keys, encoding="ascii") as lines:
            self.a_key = lines.readline().strip()
        self.bearer = {"Authorization": f"Bearer {self.a_key}"}
        self.admin_bearer = {"Authorization": f"Bearer {admin.read_text().strip()}"}
        self.server = None

    def issue(self, count, scopes, output):
        command = [self.binary, "keys", "issue", "--offline", "--home", self.home, "--count", str(count)]
        for scope in scopes:
            command += ["--scope", scope]
        command += ["--principal", "bench", "--limit", UNLIMITED, "--output", output]
        output.unlink(missing_ok=True)
        done = subprocess.run(
            list(map(str, command)), timeout=300, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        if done.returncode != 0:
            raise Failed(f"`council keys issue` exited with {done.returncode}: {done.stderr.strip()[-500:]}")

    def start(self, ready_s=60):
        """Starts, or starts again on the same home; returns the server, whose ready_ms is the start time."""
        port, admin_port = free_port(), free_port()
        command = [self.binary, "serve", "--home", self.home, "--port", port, "--admin-port", admin_port, "--config", self.settings]
        for plugin in self.plugins:
            command += ["--load", plugin]
        self.server = Server(
            self.name, command, self.folder, f"http://127.0.0.1:{port}/health/ready", ready_s=ready_s)
        self.root = f"http://127.0.0.1:{port}"
        self.admin = f"http://127.0.0.1:{admin_port}"
        return self.server

    def stop(self):
        """SIGTERM drains and exits 0, or something is wrong."""
        code = self.server.stop(limit_s=60)
        if code != 0:
            raise Failed(f"{self.name} ended with {code} on SIGTERM; see {self.server.log}")

    def answer(self, path):
        """The body that a path answers with, as text: what peers are told to answer, too."""
        status, body = request(self.root + path, headers=self.bearer)
        if status != 200:
            raise Failed(f"{self.name} answers {path} with {status}: {body[:300]}")
        return body.decode()

    def create_accounts(self, count):
        """Returns the ids of `count` new accounts."""
        ids = []
        for number in range(count):
            account = {
                "name": f"Account {number}", "email": f"first-{number}@example.com", "balance": number,
                "currency": "EUR",
            }
            status, body = request(
                self.root + "/accounts/", "POST", json.dumps(account).encode(),
                {**self.bearer, "Content-Type": "application/json"})
            if status != 201:
                raise Failed(f"POST /accounts/ answers {status}: {body[:300]}")
            ids.append(json.loads(body)["id"])
        return ids

    def reload(self, automation, upload=None):
        """The admin's hot reload; returns its JSON: `steps_ms` by step and `total_ms`."""
        headers = dict(self.admin_bearer)
        if upload is not None:
            headers["Content-Type"] = "application/octet-stream"
        status, body = request(
            f"{self.admin}/admin/v1/automations/{automation}/reload", "POST", upload or b"", headers)
        if status != 200:
            raise Failed(f"reload answers {status}: {body[:500]}")
        return json.loads(body)

    def hand_over(self):
        """A fresh host takes over; returns the milliseconds that the call took."""
        started = time.monotonic()
        status, body = request(
            f"{self.admin}/admin/v1/host/upgrade", "POST", b"", self.admin_bearer, timeout_s=90)
        if status != 200:
            raise Failed(f"the hand-over answers {status}: {body[:500]}")
        return (time.monotonic() - started) * 1000

    def logged_errors(self):
        """Lines of level error and above in the host's log: a fast run that logs errors proves nothing."""
        text = self.server.log.read_text(errors="replace")
        return re.findall(r'^.*"level":\s*"(?:error|critical)".*$', text, re.MULTILINE)
