"""Starts servers, watches what they use, and ends them, whatever happens to the benchmark."""

import atexit
import ctypes
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request

PR_SET_PDEATHSIG = 1
libc = ctypes.CDLL(None, use_errno=True)
running = []


class Failed(Exception):
    """A server did not start, or a measurement did not end as it must."""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def die_with_parent():
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def request(url, method="GET", body=None, headers=None, timeout_s=30):
    """One call; returns (status, body bytes). Refused connections raise OSError."""
    call = urllib.request.Request(url, data=body, method=method, headers=headers or {})
    try:
        with urllib.request.urlopen(call, timeout=timeout_s) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


class Server:
    """One process and its children, in a session of their own. Its output goes to `<name>.log`.

    Without `ready_url` the caller finds out when it is ready."""

    def __init__(self, name, command, folder, ready_url, ready_s=20, headers=None, environment=None):
        self.name, self.ready_url, self.headers = name, ready_url, headers or {}
        self.log = folder / f"{name}.log"
        self.started = time.monotonic()
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                list(map(str, command)), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env={**os.environ, **(environment or {})},
                start_new_session=True, preexec_fn=die_with_parent)
        running.append(self)
        self.ready_ms = self.wait_until_ready(ready_s) if ready_url else None

    def wait_until_ready(self, limit_s):
        """Milliseconds from the exec to the first 200."""
        deadline = self.started + limit_s
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            try:
                if request(self.ready_url, headers=self.headers, timeout_s=2)[0] == 200:
                    return (time.monotonic() - self.started) * 1000
            except OSError:
                pass
            time.sleep(0.002)
        ended = self.process.poll()
        self.stop()
        tail = self.log.read_text(errors="replace")[-1500:]
        why = f"exited with {ended}" if ended is not None else f"was not ready after {limit_s} s"
        raise Failed(f"{self.name} {why}; the end of {self.log}:\n{tail}")

    def stop(self, limit_s=30):
        """SIGTERM, and SIGKILL for what is left after the limit; returns the exit code."""
        if self in running:
            running.remove(self)
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(limit_s)
            except subprocess.TimeoutExpired:
                pass
        try:
            # Workers that outlived their master are in the same session.
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        return self.process.wait(limit_s)

    def processes(self):
        """The ids of the process and of all its descendants."""
        children = {}
        for entry in os.listdir("/proc"):
            if entry.isdigit():
                try:
                    with open(f"/proc/{entry}/stat", encoding="ascii", errors="replace") as stat:
                        parent = int(stat.read().rpartition(")")[2].split()[1])
                except OSError:
                    continue
                children.setdefault(parent, []).append(int(entry))
        found, queue = [], [self.process.pid]
        while queue:
            process = queue.pop()
            found.append(process)
            queue += children.get(process, [])
        return found

    def cpu_s(self):
        """Processor seconds used so far, user and system, by all its processes."""
        ticks = 0
        for process in self.processes():
            try:
                with open(f"/proc/{process}/stat", encoding="ascii", errors="replace") as stat:
                    fields = stat.read().rpartition(")")[2].split()
                ticks += int(fields[11]) + int(fields[12])
            except OSError:
                continue
        return ticks / os.sysconf("SC_CLK_TCK")

    def resident_mib(self):
        """Resident memory of all its processes, shared pages counted in each: the unkind sum."""
        total_kib = 0
        for process in self.processes():
            try:
                with open(f"/proc/{process}/status", encoding="ascii", errors="replace") as status:
                    total_kib += sum(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))
            except OSError:
                continue
        return total_kib / 1024


@atexit.register
def stop_all():
    for server in list(running):
        server.stop(limit_s=5)


def end_cleanly_on_signals():
    """Ctrl-C and SIGTERM leave through atexit, so nothing stays behind."""

    def leave(number, _frame):
        raise SystemExit(128 + number)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, leave)
