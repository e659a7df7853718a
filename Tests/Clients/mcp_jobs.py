"""The official MCP client and a tool that outlasts its patience.

    mcp_jobs.py BASE KEY MODE

The automation `hog` has a tool that sleeps for `ms`. The host makes a job of a call that takes longer than 100 ms.
"""

import asyncio
import json
import sys

from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client


def check(holds, *words):
    if not holds:
        raise AssertionError(" ".join(str(word) for word in words))


async def main(base, key, mode):
    http = create_mcp_http_client(headers={"Authorization": f"Bearer {key}"})
    async with Client(streamable_http_client(f"{base}/mcp", http_client=http), mode=mode) as connection:
        tools = {tool.name: tool for tool in (await connection.list_tools()).tools}
        check(set(tools) == {"hog_sleep", "jobs_get", "jobs_cancel"}, tools)
        check(tools["hog_sleep"].output_schema["anyOf"], tools["hog_sleep"])

        running = await connection.call_tool("hog_sleep", {"ms": 1500})
        handle = running.structured_content
        check(not running.is_error and handle["status"] == "running", running)
        check("jobs_get" in handle["detail"] and json.loads(running.content[0].text) == handle, running)
        # A model cannot wait between two looks, so the look does.
        ended = await connection.call_tool("jobs_get", {"job": handle["job"]})
        check(not ended.is_error and "job" not in ended.structured_content, ended)
        gone = await connection.call_tool("jobs_cancel", {"job": handle["job"]})
        check(not gone.is_error, gone)
        missing = await connection.call_tool("jobs_get", {"job": handle["job"]})
        check(missing.is_error and "job.not_found" in missing.content[0].text, missing)


asyncio.run(main(*sys.argv[1:]))
print("everything holds")
