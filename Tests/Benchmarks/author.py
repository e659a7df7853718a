"""How long an author waits: from a saved file of a Swift plugin to the answer that shows it."""

import re
import shutil
import statistics
import subprocess
import time

from council import BINARY
from plugins import ROOT
from servers import Failed, Server, request

SAVES = 5
LIVE = re.compile(r"^live .* generation (\d+): compile ([\d.]+) (ms|s),", re.MULTILINE)
# The route of the template that each save moves to another path.
ROUTE = re.compile(r'GET\("[^"]*", "List notes"\)')


def edit_to_live(bench):
    """dev_edit_to_live_s, dev_beside_compile_s: `council plugin dev` on a Swift project, saved again and again."""
    project = bench.folder / "my-orders"
    shutil.rmtree(project, ignore_errors=True)
    subprocess.run(
        [BINARY, "plugin", "new", "my-orders", "--lang", "swift", "--dir", project, "--council-path", ROOT],
        check=True, stdout=subprocess.DEVNULL)
    sources = [path for path in (project / "Sources").rglob("*.swift") if ROUTE.search(path.read_text())]
    if len(sources) != 1:
        raise Failed(f"the route of the template stands in {len(sources)} files")
    bench.say(f"edit to live: a Swift plugin, {SAVES} saves after its first build")
    log = bench.folder / "dev.log"
    log.unlink(missing_ok=True)
    # Ready when it says so: there is no address to ask before.
    dev = Server("dev", [BINARY, "plugin", "dev", project], bench.folder, None)
    try:
        lives(dev, 1, limit_s=600)
        url = re.search(r"^host +(\S+)", dev.log.read_text(), re.MULTILINE)[1]
        key_file = re.search(r"\$\(cat ([^)]+)\)", said(dev, "curl "))[1]
        with open(key_file, encoding="ascii") as file:
            headers = {"Authorization": f"Bearer {file.readline().strip()}"}
        totals, compiles = [], []
        for number in range(SAVES):
            path = f"/saved-{number}"
            text = ROUTE.sub(f'GET("{path}", "List notes")', sources[0].read_text())
            started = time.monotonic()
            sources[0].write_text(text)
            while request(f"{url}/my-orders{path}", headers=headers)[0] != 200:
                if time.monotonic() - started > 120 or dev.process.poll() is not None:
                    raise Failed(f"the change never went live; see {dev.log}")
                time.sleep(0.01)
            totals.append(time.monotonic() - started)
            compiles.append(lives(dev, number + 2, limit_s=10))
        bench.figures["dev_edit_to_live_s"] = statistics.median(totals)
        bench.figures["dev_beside_compile_s"] = statistics.median(a - b for a, b in zip(totals, compiles))
    finally:
        dev.stop()


def lives(dev, generation, limit_s):
    """Waits for the line that says a generation serves; returns the seconds that its compiler took."""
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        for number, time_taken, unit in LIVE.findall(dev.log.read_text(errors="replace")):
            if int(number) == generation:
                return float(time_taken) / (1000 if unit == "ms" else 1)
        if dev.process.poll() is not None:
            break
        time.sleep(0.05)
    raise Failed(f"generation {generation} does not serve; see {dev.log}")


def said(dev, start):
    """The first line that begins so, which comes after the line that something is live."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        for line in dev.log.read_text(errors="replace").splitlines():
            if line.startswith(start):
                return line
        time.sleep(0.05)
    raise Failed(f"no line '{start}…'; see {dev.log}")
