"""The official MCP client and a tool that streams: it hears the progress, and leaves a call that it does not want.

    mcp_streams.py BASE KEY

BASE is the URL of the public listener, with the plugin Ticker; KEY holds `ticker:read`.
"""

import asyncio
import sys

import anyio
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client


def client(base, key, mode):
    http = create_mcp_http_client(headers={"Authorization": f"Bearer {key}"})
    return Client(streamable_http_client(f"{base}/mcp", http_client=http), mode=mode)


def check(holds, *words):
    if not holds:
        raise AssertionError(" ".join(str(word) for word in words))


async def hear_the_progress(base, key, mode):
    heard = []

    async def note(progress, total, message):
        heard.append((progress, message))

    async with client(base, key, mode) as connection:
        done = await connection.call_tool("ticker_count_down", {"from": 3, "pause_ms": 1}, progress_callback=note)
        events = ['{"progress":%d,"total":3}' % number for number in range(4)]
        check(not done.is_error and done.content[0].text == "".join(event + "\n" for event in events), done)
        check([message for _, message in heard] == events, heard)
        check([progress for progress, _ in heard] == [1, 2, 3, 4], heard)
        quiet = await connection.call_tool("ticker_count_down", {"from": 3, "pause_ms": 1})
        check(quiet.content == done.content and len(heard) == 4, quiet, heard)
        wrong = await connection.call_tool("ticker_count_down", {"from": -1}, progress_callback=note)
        check(wrong.is_error and len(heard) == 4, wrong)


async def leave_in_the_middle(base, key, mode):
    """Each of two calls would last for days: one is left as soon as it is heard of, and the connection goes on."""
    async with client(base, key, mode) as connection:
        for _ in range(2):
            begun = anyio.Event()

            async def note(progress, total, message):
                begun.set()

            async with anyio.create_task_group() as group:
                group.start_soon(
                    lambda: connection.call_tool(
                        "ticker_count_down", {"from": 100000, "pause_ms": 60000}, progress_callback=note))
                with anyio.fail_after(30):
                    await begun.wait()
                group.cancel_scope.cancel()
        done = await connection.call_tool("ticker_count_down", {"from": 0, "pause_ms": 1})
        check(not done.is_error, done)


async def main(base, key):
    for mode in ("auto", "2026-07-28", "legacy"):
        await hear_the_progress(base, key, mode)
        await leave_in_the_middle(base, key, mode)


asyncio.run(main(*sys.argv[1:]))
print("everything holds")
