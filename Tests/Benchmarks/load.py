"""Runs wrk and says what it measured."""

import json
import os
import statistics
import subprocess
from dataclasses import dataclass
from pathlib import Path

from servers import Failed, Server

LOADS = Path(__file__).resolve().parent / "Loads"
# One generator thread per core of the machine that the targets name, and enough connections to keep
# every server busy without measuring queues.
THREADS, CONNECTIONS = 2, 64


@dataclass
class Target:
    """What one side of a comparison is asked for."""

    name: str
    server: Server
    url: str
    load: str = "fixed"
    headers: dict = None
    environment: dict = None


@dataclass
class Sample:
    requests: int
    per_s: float
    p50_us: int
    p99_us: int
    failed: int
    server_cpu_us: float  # processor time of the server per request


class Run:
    """wrk, running. `finish()` waits for it."""

    def __init__(self, target, seconds, folder, connections=CONNECTIONS):
        self.target, self.seconds = target, seconds
        self.report = folder / f"{target.name.replace('/', '-').replace(' ', '-')}.wrk.json"
        self.report.unlink(missing_ok=True)
        command = ["wrk", f"-t{min(THREADS, connections)}", f"-c{connections}", f"-d{seconds}s", "--timeout", "5s"]
        command += ["-s", str(LOADS / f"{target.load}.lua")]
        for name, value in (target.headers or {}).items():
            command += ["-H", f"{name}: {value}"]
        environment = {
            **os.environ, "BENCH_LOADS": str(LOADS), "BENCH_REPORT": str(self.report),
            **{name: str(value) for name, value in (target.environment or {}).items()},
        }
        self.cpu_before = target.server.cpu_s()
        self.process = subprocess.Popen(
            command + [target.url], env=environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def finish(self):
        try:
            _, errors = self.process.communicate(timeout=self.seconds + 30)
        finally:
            self.process.kill()
        if self.process.returncode != 0 or not self.report.exists():
            raise Failed(f"wrk on {self.target.name}: {errors.decode(errors='replace').strip()}")
        data = json.loads(self.report.read_text())
        used = self.target.server.cpu_s() - self.cpu_before
        failed = sum(data[name] for name in ("not_2xx", "connect", "read", "write", "timeout"))
        return Sample(
            requests=data["requests"], per_s=(data["requests"] - data["not_2xx"]) / data["seconds"],
            p50_us=data["p50_us"], p99_us=data["p99_us"], failed=failed,
            server_cpu_us=used * 1e6 / max(1, data["requests"]))


def measure(target, seconds, folder, connections=CONNECTIONS):
    """One round. A comparison of answers with errors compares nothing, so any failed request ends it."""
    sample = Run(target, seconds, folder, connections).finish()
    if sample.failed or not sample.requests:
        raise Failed(f"{target.name}: {sample.failed} of {sample.requests} requests failed")
    return sample


@dataclass
class Series:
    """The rounds of one target; each property is a median."""

    samples: list

    def __getattr__(self, name):
        return statistics.median(getattr(sample, name) for sample in self.samples)


def alternate(targets, rounds, seconds, folder, connections=CONNECTIONS):
    """A B C, A B C, …: what disturbs the machine disturbs every side. Returns a Series by target name."""
    for target in targets:
        measure(target, 1, folder, connections)  # warm caches, pools and branch predictors; thrown away
    samples = {target.name: [] for target in targets}
    for _ in range(rounds):
        for target in targets:
            samples[target.name].append(measure(target, seconds, folder, connections))
    return {name: Series(list_of) for name, list_of in samples.items()}
