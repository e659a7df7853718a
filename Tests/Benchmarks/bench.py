"""Measures Council beside its peers, on this machine, in one run: a table, and JSON. See README.md here."""

import argparse
import json
import shutil
import sys
import time
from pathlib import Path

import council
import experiments
import servers
from plugins import ROOT
from report import TARGETS, print_report

# A home on a file system in memory would make a durable write free.
MEMORY_FILE_SYSTEMS = {"tmpfs", "ramfs"}


def file_system(path):
    """The type of the file system that holds a path."""
    best, kind = "", "unknown"
    for line in Path("/proc/mounts").read_text(encoding="utf-8", errors="replace").splitlines():
        _, mount, found, *_ = line.split()
        if str(path).startswith(mount.rstrip("/") + "/") and len(mount) > len(best):
            best, kind = mount, found
    return kind


def arguments():
    parser = argparse.ArgumentParser(prog="Scripts/bench", description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds: under five minutes")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here")
    parser.add_argument(
        "--only", action="append", choices=[name for name in experiments.ALL if name != "start"],
        help="measure this alone (may repeat); the host's start and idling always are")
    parser.add_argument(
        "--work", type=Path, default=ROOT / ".build/bench", metavar="DIR",
        help="where data and logs go, on a disk (default: .build/bench)")
    return parser.parse_args()


def main():
    options = arguments()
    servers.end_cleanly_on_signals()
    for needed in (council.BINARY, council.ACCOUNTS, council.HELLO):
        if not needed.exists():
            raise SystemExit(f"bench: {needed.relative_to(ROOT)} is missing; Scripts/bench builds it")
    work = options.work.resolve()
    folder = work / "run"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    started = time.monotonic()

    def say(text):
        print(f"[{time.monotonic() - started:5.0f} s] {text}", file=sys.stderr, flush=True)

    effort = experiments.QUICK if options.quick else experiments.FULL
    bench = experiments.Bench(folder=folder, effort=effort, say=say)
    bench.facts["file_system"] = file_system(folder)
    if bench.facts["file_system"] in MEMORY_FILE_SYSTEMS:
        say(f"warning: {folder} is in memory: durable writes cost nothing there; choose --work on a disk")

    failures = {}
    say("start and idle")
    for name, experiment in experiments.ALL.items():
        if options.only and name != "start" and name not in options.only:
            continue
        try:
            experiment(bench)
        except (servers.Failed, OSError, ValueError, KeyError) as error:
            failures[name] = f"{type(error).__name__}: {error}"
            say(f"{name} failed: {error}")
            if name == "start":
                break
    if bench.host and bench.host.server in servers.running:
        errors = bench.host.logged_errors()
        if errors:
            failures["log"] = f"{len(errors)} error lines in the host's log, the first: {errors[0][:300]}"
        bench.host.server.stop()
    servers.stop_all()

    bench.facts["seconds"] = round(time.monotonic() - started)
    print_report(bench, failures)
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps({
            "figures": bench.figures, "targets": {name: str(bound) for name, bound in TARGETS.items()},
            "rows": bench.rows, "facts": bench.facts, "failures": failures, "quick": options.quick,
        }, indent=2) + "\n")
    # A missed target is a result; a figure that could not be taken is a failure.
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
