"""One host after another: hand-overs under load, and the time from a crash to the next answer."""

import socket
import statistics
import threading
import time

import council
import plugins
from council import Council
from load import Run, measure
from servers import Failed, request

PAUSE_S = 0.1


def hand_over_under_load(bench):
    """`council upgrade` over and over while every request is counted."""
    host = bench.host
    target = bench.council_target("/hello/World")
    calls, problems, failed = [], [], 0

    def hand_over_until(over):
        while not over.is_set():
            try:
                calls.append(host.hand_over())
            except (Failed, OSError) as error:
                problems.append(str(error))
                return
            over.wait(PAUSE_S)

    bench.say("hand-overs under load")
    measure(target, 1, bench.folder)
    for _ in range(bench.effort.reload_rounds):
        over = threading.Event()
        thread = threading.Thread(target=hand_over_until, args=(over,), daemon=True)
        run = Run(target, bench.effort.reload_s, bench.folder)
        thread.start()
        sample = run.finish()
        over.set()
        thread.join(90)
        failed += sample.failed
    if problems or not calls:
        raise Failed(f"a hand-over failed after {len(calls)}: {problems[:1]}")
    bench.figures["handover_ms"] = statistics.median(calls)
    bench.figures["handover_failed_requests"] = failed
    bench.facts["handovers"] = len(calls)
    bench.facts["handover_ms_max"] = round(max(calls), 1)


def crash_to_serving(bench):
    """A plugin takes the host down; how long from that call until another automation answers."""
    crasher = plugins.compile_plugin(
        bench.folder / "crashing.so", [plugins.ROOT / "Tests/Rejects/crashing.c"],
        [plugins.ROOT / "Tests/Rejects"], "-D_GNU_SOURCE", "-w")
    host = Council(
        "crashing", bench.folder, [crasher, council.HELLO, council.ACCOUNTS], scopes=["reject:*", "hello:*"],
        settings="supervisor:\n  crashes: 1000\n")
    host.start()
    bench.say("crash to serving")
    times = []
    try:
        port = int(host.root.rpartition(":")[2])
        for _ in range(10 * bench.effort.reload_rounds):
            with socket.create_connection(("127.0.0.1", port), 30) as line:
                sent = time.monotonic()
                line.sendall(
                    f"GET /reject/inline_segv HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {host.a_key}\r\n\r\n".encode())
                try:
                    answered = line.recv(1)
                except ConnectionResetError:
                    answered = b""
            if answered:
                raise Failed("the plugin that was to crash answered")
            status, body = request(host.root + "/hello/World", headers=host.bearer)
            if status != 200:
                raise Failed(f"after a crash, hello answers {status}: {body[:300]}")
            times.append((time.monotonic() - sent) * 1000)
    finally:
        host.server.stop()
    bench.figures["crash_to_serving_ms"] = statistics.median(times)
    bench.facts["crash_to_serving_ms_max"] = round(max(times), 1)
