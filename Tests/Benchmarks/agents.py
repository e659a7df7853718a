"""What it costs to come in by an agent's protocol instead of REST."""

import json

from load import Target
from servers import Failed, request

VERSION = "2026-07-28"
NAME = "hello_greet"


def tools_call(bench):
    """mcp_tools_call/rest: Hello as a tool of MCP against the same route by REST, the same key."""
    host = bench.host
    message = json.dumps({
        "jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": {
            "name": NAME, "arguments": {"name": "World"},
            "_meta": {
                "io.modelcontextprotocol/protocolVersion": VERSION,
                "io.modelcontextprotocol/clientInfo": {"name": "bench", "version": "1"},
                "io.modelcontextprotocol/clientCapabilities": {},
            },
        },
    }, separators=(",", ":"))
    headers = {
        **host.bearer, "Content-Type": "application/json", "Accept": "application/json, text/event-stream",
        "MCP-Protocol-Version": VERSION, "Mcp-Method": "tools/call", "Mcp-Name": NAME,
    }
    status, body = request(host.root + "/mcp", "POST", message.encode(), headers)
    # An error of a tool is a result with status 200: it would be measured as well.
    if status != 200 or json.loads(body)["result"].get("structuredContent") != {"message": "Hello, World!"}:
        raise Failed(f"tools/call answers {status}: {body[:300]}")
    series = bench.compare("hello, by REST and by MCP", [
        Target("rest", host.server, host.root + "/hello/World", headers=host.bearer),
        Target(
            "mcp", host.server, host.root + "/mcp", load="tools_call", headers=headers,
            environment={"BENCH_BODY": message}),
    ], bench.effort.spread_rounds)
    bench.figures["mcp_tools_call/rest"] = series["mcp"].per_s / series["rest"].per_s
