"""The table that people read."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Bound:
    sign: str
    value: float

    def met(self, figure):
        return figure >= self.value if self.sign == "≥" else figure <= self.value

    def __str__(self):
        return f"{self.sign} {self.value:g}"


# DESIGN 11. A figure without a bound is told, not judged.
TARGETS = {
    "hello_chain/nginx": Bound("≥", 0.8),
    "hello_chain/nginx_lua_key_limit": Bound("≥", 1.2),
    "hello_chain/fastapi_key_limit": Bound("≥", 8),
    "mcp_tools_call/rest": Bound("≥", 0.7),
    "accounts_get/nginx": Bound("≥", 0.35),
    "routes_10000/routes_10": Bound("≥", 0.95),
    "keys_1000000/keys_10": Bound("≥", 0.95),
    "reload_ms": Bound("≤", 50),
    "reload_failed_requests": Bound("≤", 0),
    "reload_p99/steady_p99": Bound("≤", 2),
    "handover_failed_requests": Bound("≤", 0),
    "runner_crash_to_serving_ms": Bound("≤", 250),
    "idle_rss_mib": Bound("≤", 40),
    "idle_cpu_percent": Bound("≤", 1),
    "start_ms": Bound("≤", 300),
    "isolated/in_process": Bound("≥", 0.5),
    "isolated_extra_us": Bound("≤", 25),
    "crash_to_serving_ms": Bound("≤", 250),
    "dev_beside_compile_s": Bound("≤", 2),
}


def number(value, unit=""):
    if value is None:
        return "-"
    text = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:,.1f}" if abs(value) >= 100 else f"{value:.2f}"
    return text + unit


def table(heads, lines, left=1):
    """Columns as wide as their widest cell; the first `left` of them flush left."""
    widths = [max(len(row[at]) for row in [heads, *lines]) for at in range(len(heads))]

    def print_line(row):
        cells = [
            cell.ljust(width) if at < left else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths))
        ]
        print("  ".join(cells).rstrip())

    print_line(heads)
    print_line(["-" * width for width in widths])
    for line in lines:
        print_line(line)


def print_report(bench, failures):
    """What was measured, medians of the rounds, then the figures against their targets."""
    print()
    table(
        ["what", "server", "requests/s", "p50 µs", "p99 µs", "server CPU µs/request"],
        [
            [
                row["what"], row["server"], number(row["per_s"]), number(row.get("p50_us")),
                number(row.get("p99_us")), number(row.get("server_cpu_us")),
            ]
            for row in bench.rows
        ], left=2)
    print()
    lines = []
    for name, value in bench.figures.items():
        bound = TARGETS.get(name)
        verdict = "" if bound is None else "met" if bound.met(value) else "MISSED"
        lines.append([name, number(value), str(bound or ""), verdict])
    table(["figure", "value", "target", ""], lines)
    print()
    for name, value in bench.facts.items():
        print(f"{name}: {value}")
    for name, why in failures.items():
        print(f"NOT MEASURED {name}: {why}")
