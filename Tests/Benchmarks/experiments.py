"""What is measured. Each experiment starts what it needs, adds figures and rows, and ends what it started."""

import json
import os
import signal
import statistics
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import agents
import author
import council
import peers
import plugins
import succession
from council import Council
from load import CONNECTIONS, Run, Series, Target, alternate, measure
from servers import Failed, request


@dataclass
class Effort:
    """How long it is looked at. On a shared machine many short rounds tell more than few long ones."""

    rounds: int
    seconds: int
    spread_rounds: int  # for ratios near 1, which need more rounds
    starts: int
    idle_s: int
    reload_rounds: int
    reload_s: int


QUICK = Effort(rounds=7, seconds=1, spread_rounds=11, starts=5, idle_s=5, reload_rounds=3, reload_s=4)
FULL = Effort(rounds=15, seconds=3, spread_rounds=31, starts=11, idle_s=30, reload_rounds=5, reload_s=10)
# Long enough for a generation to drain, short enough that every second of load meets several reloads.
RELOAD_PAUSE_S = 0.1
MANY_ROUTES, MANY_KEYS, FEW = 10_000, 1_000_000, 10
ACCOUNTS = 1_000


@dataclass
class Bench:
    folder: Path
    effort: Effort
    say: callable
    figures: dict = field(default_factory=dict)
    rows: list = field(default_factory=list)
    facts: dict = field(default_factory=dict)
    host: Council = None

    def compare(self, title, targets, rounds=None, connections=CONNECTIONS):
        """Measures side by side and keeps the rows; returns the Series by name."""
        self.say(f"{title}: {', '.join(target.name for target in targets)}")
        series = alternate(targets, rounds or self.effort.rounds, self.effort.seconds, self.folder, connections)
        for name, one in series.items():
            self.rows.append({
                "what": title, "server": name, "per_s": one.per_s, "p50_us": one.p50_us,
                "p99_us": one.p99_us, "server_cpu_us": one.server_cpu_us,
            })
        return series

    def council_target(self, path, **more):
        return Target("council", self.host.server, self.host.root + path, headers=self.host.bearer, **more)


def start_and_idle(bench):
    """start_ms, idle_rss_mib: the example plugins loaded, nobody calling. Leaves the host running."""
    scopes = ["accounts:read", "accounts:write", "hello:read"]
    bench.host = Council("council", bench.folder, [council.ACCOUNTS, council.HELLO], FEW, scopes)
    first = bench.host.start().ready_ms
    times = []
    for _ in range(bench.effort.starts):
        bench.host.stop()
        times.append(bench.host.start().ready_ms)
    bench.facts["first_start_ms"] = round(first, 1)
    bench.figures["start_ms"] = statistics.median(times)
    time.sleep(2)  # what starting left to do is not idling
    before = bench.host.server.cpu_s()
    time.sleep(bench.effort.idle_s)
    bench.figures["idle_cpu_percent"] = (bench.host.server.cpu_s() - before) / bench.effort.idle_s * 100
    bench.figures["idle_rss_mib"] = bench.host.server.resident_mib()


def hello_chain(bench):
    """Hello behind the whole chain against nginx, nginx+Lua with key and limit and with the whole chain, FastAPI."""
    host, folder = bench.host, bench.folder
    path = "/hello/World"
    body = host.answer(path)
    programs = peers.python_environment(folder.parent / "venv")
    bench.facts["versions"] = peers.versions(programs)
    common = (programs, folder, host.keys, host.a_key, path)
    plain = peers.nginx_return("nginx", folder, body)
    lua = peers.nginx_lua(folder, body, host.keys, host.a_key)
    gateway = peers.nginx_lua_gateway(folder, host.keys, host.a_key, path)
    one = peers.fastapi("fastapi_1_worker", *common, workers=1)
    two = peers.fastapi("fastapi_2_workers", *common, workers=2)
    try:
        targets = [bench.council_target(path)]
        targets += [Target(peer.name, peer, peer.root + path, headers=host.bearer) for peer in (plain, lua, gateway, one, two)]
        series = bench.compare("hello, whole chain", targets)
    finally:
        for peer in (plain, lua, gateway, one, two):
            peer.stop()
    ours = series["council"].per_s
    bench.figures["hello_chain/nginx"] = ours / series["nginx"].per_s
    bench.figures["hello_chain/nginx_lua_key_limit"] = ours / series["nginx_lua"].per_s
    bench.figures["hello_chain/nginx_lua_gateway"] = ours / series["nginx_lua_gateway"].per_s
    # One process: with more, FastAPI's in-process limit would count each process alone.
    bench.figures["hello_chain/fastapi_key_limit"] = ours / series["fastapi_1_worker"].per_s
    bench.figures["hello_chain/fastapi_key_limit_2_workers"] = ours / series["fastapi_2_workers"].per_s


def accounts_get(bench):
    """One account by id, spread over a thousand, against nginx and FastAPI with SQLite."""
    import sqlite3

    host, folder = bench.host, bench.folder
    ids = host.create_accounts(ACCOUNTS)
    paths = folder / "accounts.paths"
    paths.write_text("".join(f"/accounts/{id}\n" for id in ids))
    database = folder / "fastapi.db"
    database.unlink(missing_ok=True)
    rows = sqlite3.connect(database)
    with rows:
        rows.execute(
            "CREATE TABLE accounts (id TEXT PRIMARY KEY, name TEXT, email TEXT UNIQUE, balance INTEGER,"
            " currency TEXT) WITHOUT ROWID")
        rows.executemany(
            "INSERT INTO accounts VALUES (?, ?, ?, ?, 'EUR')",
            [(id, f"Account {n}", f"first-{n}@example.com", n) for n, id in enumerate(ids)])
    rows.close()
    programs = peers.python_environment(folder.parent / "venv")
    path = f"/accounts/{ids[0]}"
    plain = peers.nginx_return("nginx", folder, host.answer(path))
    fast = peers.fastapi(
        "fastapi_sqlite", programs, folder, host.keys, host.a_key, path, workers=1, database=database)
    try:
        spread = {"load": "paths", "environment": {"BENCH_PATHS": paths}}
        targets = [bench.council_target("/", **spread)]
        targets += [Target(peer.name, peer, peer.root + "/", headers=host.bearer, **spread) for peer in (plain, fast)]
        series = bench.compare("accounts, get by id", targets)
    finally:
        plain.stop()
        fast.stop()
    bench.figures["accounts_get/nginx"] = series["council"].per_s / series["nginx"].per_s
    bench.figures["accounts_get/fastapi_sqlite"] = series["council"].per_s / series["fastapi_sqlite"].per_s


def accounts_post(bench):
    """Durable creates against a loop that commits each insert by itself."""
    samples, loops = [], []
    bench.say("accounts, durable create: council, a SQLite loop")
    for number in range(bench.effort.rounds + 1):
        run = {"BENCH_RUN": f"{time.time_ns():x}"}
        target = bench.council_target("/accounts/", load="create_accounts", environment=run)
        sample = measure(target, bench.effort.seconds, bench.folder)
        loop = peers.sqlite_loop(bench.folder, bench.effort.seconds)
        if number > 0:  # the first round warms both files
            samples.append(sample)
            loops.append(loop)
    ours = Series(samples)
    bench.rows.append({
        "what": "accounts, durable create", "server": "council", "per_s": ours.per_s, "p50_us": ours.p50_us,
        "p99_us": ours.p99_us, "server_cpu_us": ours.server_cpu_us,
    })
    bench.rows.append({
        "what": "accounts, durable create", "server": "sqlite_loop", "per_s": statistics.median(loops),
    })
    bench.figures["accounts_post_durable_per_s"] = ours.per_s
    bench.figures["accounts_post_durable/sqlite_loop_batch1"] = ours.per_s / statistics.median(loops)


def two_hosts(bench, title, few, many, load, few_environment, many_environment, path):
    """The same load on a host that has few of something and on one that has many."""
    try:
        for host in (few, many):
            host.start()
            bench.facts[f"{host.name}_start_ms"] = round(host.server.ready_ms, 1)
        targets = [
            Target(host.name, host.server, host.root + path, load, headers, environment)
            for host, headers, environment in (
                (few, few.bearer if load == "paths" else None, few_environment),
                (many, many.bearer if load == "paths" else None, many_environment),
            )
        ]
        series = bench.compare(title, targets, bench.effort.spread_rounds)
        bench.facts[f"{many.name}_rss_mib"] = round(many.server.resident_mib(), 1)
        return series[many.name].per_s / series[few.name].per_s
    finally:
        for host in (few, many):
            if host.server:
                host.server.stop()


def routes(bench):
    """10 routes against 10,000, requests spread over all of them."""
    (few_so, few_paths), (many_so, many_paths) = (
        plugins.routes_plugin(bench.folder, count) for count in (FEW, MANY_ROUTES))
    few = Council("routes_10", bench.folder, [few_so], FEW, ["bench:read"])
    many = Council("routes_10000", bench.folder, [many_so], FEW, ["bench:read"])
    bench.figures["routes_10000/routes_10"] = two_hosts(
        bench, "routes, 10 against 10,000", few, many, "paths", {"BENCH_PATHS": few_paths},
        {"BENCH_PATHS": many_paths}, "/")


def keys(bench):
    """10 keys against 1,000,000, requests spread over all of them."""
    few = Council("keys_10", bench.folder, [council.HELLO], FEW, ["hello:read"])
    bench.say(f"issuing {MANY_KEYS:,} keys")
    started = time.monotonic()
    many = Council("keys_1000000", bench.folder, [council.HELLO], MANY_KEYS, ["hello:read"])
    bench.facts["issue_1000000_keys_s"] = round(time.monotonic() - started, 1)
    bench.figures["keys_1000000/keys_10"] = two_hosts(
        bench, "keys, 10 against 1,000,000", few, many, "keys", {"BENCH_KEYS": few.keys},
        {"BENCH_KEYS": many.keys}, "/hello/World")


def reload_under_load(bench):
    """Two builds of Hello, uploaded in turn, while every request is counted."""
    host = bench.host
    images = [path.read_bytes() for path in plugins.hello_variants(bench.folder)]
    target = bench.council_target("/hello/World")
    calls, steps, problems = [], [], []

    def reload_until(over):
        turn = 0
        while not over.is_set():
            started = time.monotonic()
            try:
                answer = host.reload("hello", images[turn % len(images)])
            except (Failed, OSError) as error:
                problems.append(str(error))
                return
            calls.append((time.monotonic() - started) * 1000)
            steps.append(answer.get("steps_ms", {}))
            turn += 1
            over.wait(RELOAD_PAUSE_S)

    bench.say(f"reload under load: a {len(images[0]) // 1024} KiB plugin")
    measure(target, 1, bench.folder)
    steady, during, failed = [], [], 0
    for _ in range(bench.effort.reload_rounds):
        steady.append(measure(target, bench.effort.reload_s, bench.folder))
        over = threading.Event()
        reloader = threading.Thread(target=reload_until, args=(over,), daemon=True)
        run = Run(target, bench.effort.reload_s, bench.folder)
        reloader.start()
        sample = run.finish()
        over.set()
        reloader.join(60)
        during.append(sample)
        failed += sample.failed
    if problems or not calls:
        raise Failed(f"a reload failed after {len(calls)}: {problems[:1]}")
    for name, samples in (("steady", Series(steady)), ("reloading", Series(during))):
        bench.rows.append({
            "what": "hello while reloading", "server": f"council, {name}", "per_s": samples.per_s,
            "p50_us": samples.p50_us, "p99_us": samples.p99_us, "server_cpu_us": samples.server_cpu_us,
        })
    bench.figures["reload_ms"] = statistics.median(calls)
    bench.figures["reload_failed_requests"] = failed
    bench.figures["reload_p99/steady_p99"] = Series(during).p99_us / Series(steady).p99_us
    bench.facts["reloads"] = len(calls)
    bench.facts["reload_ms_max"] = round(max(calls), 2)
    bench.facts["reload_steps_ms"] = {
        step: round(statistics.median(one.get(step, 0.0) for one in steps), 3) for step in steps[0]
    }


def isolated(bench):
    """Hello in the host and in a process of its own: throughput, what a call costs more, how long a crash is felt."""
    scopes = ["hello:read"]
    inside = Council("in_process", bench.folder, [council.HELLO], FEW, scopes)
    apart = Council(
        "isolated", bench.folder, [council.HELLO], FEW, scopes, settings="isolation:\n  default: process\n  crashes: 1000\n")
    try:
        for host in (inside, apart):
            host.start()
        targets = [Target(host.name, host.server, host.root + "/hello/World", headers=host.bearer) for host in (inside, apart)]
        series = bench.compare("hello, in process and isolated", targets, bench.effort.spread_rounds)
        bench.figures["isolated/in_process"] = series["isolated"].per_s / series["in_process"].per_s
        # One connection: what is added to a call, not what it waits for.
        series = bench.compare("the same, one call at a time", targets, bench.effort.spread_rounds, connections=1)
        bench.figures["isolated_extra_us"] = series["isolated"].p50_us - series["in_process"].p50_us
        bench.figures["runner_crash_to_serving_ms"] = crash_to_serving(apart, bench.effort.starts)
    finally:
        for host in (inside, apart):
            if host.server:
                host.server.stop()


def crash_to_serving(host, times):
    """From the kill of a runner to the next answer, the longest of several."""
    taken = []
    for _ in range(times):
        _, body = request(host.admin + "/admin/v1/automations/hello", headers=host.admin_bearer)
        os.kill(json.loads(body)["runners"][0]["pid"], signal.SIGKILL)
        started = time.monotonic()
        # A call that the dying process had begun is answered 502.
        while request(host.root + "/hello/World", headers=host.bearer)[0] != 200:
            if time.monotonic() - started > 60:
                raise Failed("the runner does not come back")
        taken.append((time.monotonic() - started) * 1000)
    return max(taken)


ALL = {
    "start": start_and_idle,
    "hello": hello_chain,
    "mcp": agents.tools_call,
    "get": accounts_get,
    "reload": reload_under_load,
    "handover": succession.hand_over_under_load,
    "crash": succession.crash_to_serving,
    "post": accounts_post,
    "routes": routes,
    "keys": keys,
    "isolated": isolated,
    "author": author.edit_to_live,
}
