"""The official MCP client of the era before against a running host.

    mcp_previous.py BASE ADMIN KEYS NEXT

BASE and ADMIN are the URLs of the listeners. KEYS is a folder with one key a file: all, hello, danger, patient, admin. NEXT is another
version of the automation `danger`, with the tool `danger_land` beside `danger_launch`; it is loaded while a client listens.
"""

import asyncio
import json
import sys
from pathlib import Path

import httpx
from mcp import ClientSession, types
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import McpError


def check(holds, *words):
    if not holds:
        raise AssertionError(" ".join(str(word) for word in words))


async def session(base, key, use, handler=None, answered=None):
    headers = {"Authorization": f"Bearer {key}"}
    hooks = {"response": [answered] if answered else []}
    async with httpx.AsyncClient(headers=headers, timeout=30, event_hooks=hooks) as http:
        async with streamable_http_client(f"{base}/mcp", http_client=http) as (read, write, session_id):
            async with ClientSession(read, write, message_handler=handler) as one:
                hello = await one.initialize()
                check(hello.protocolVersion == "2025-11-25" and hello.serverInfo.name == "council", hello)
                check(hello.instructions and hello.capabilities.tools is not None, hello)
                check(hello.capabilities.tools.listChanged and hello.capabilities.resources.listChanged, hello)
                # Without one this client does not listen.
                check(session_id(), "there is a session")
                await use(one)


async def refused(call, code):
    try:
        answer = await call
    except McpError as error:
        check(error.error.code == code, "code", error.error.code, "for", code)
        return
    raise AssertionError(f"this was not refused: {answer}")


async def use_tools(one):
    await one.send_ping()
    tools = {tool.name: tool for tool in (await one.list_tools()).tools}
    check("hello_greet" in tools and len(tools) == 6, sorted(tools))
    for tool in tools.values():
        check(tool.title and tool.description and tool.annotations.readOnlyHint is not None, tool)
    greeting = await one.call_tool("hello_greet", {"name": "Ada"})
    check(greeting.structuredContent == {"message": "Hello, Ada!"} and not greeting.isError, greeting)
    made = await one.call_tool(
        "accounts_create_account", {"name": "Ada", "email": "ada@previous.example", "balance": 5, "currency": "EUR"})
    check(not made.isError, made)
    got = await one.call_tool("accounts_get_account", {"id": made.structuredContent["id"]})
    check(got.structuredContent["email"] == "ada@previous.example", got)
    wrong = await one.call_tool("accounts_get_account", {"id": "none"})
    check(wrong.isError and "not_found" in wrong.content[0].text, wrong)
    # The connection outlives what is refused on it.
    await refused(one.call_tool("accounts_nothing", {}), -32602)
    await refused(one.list_prompts(), -32601)
    await refused(one.read_resource("council://accounts/accounts/none"), -32002)
    resources = (await one.list_resources()).resources
    check([str(resource.uri) for resource in resources] == ["council://accounts/accounts"], resources)
    page = await one.read_resource(resources[0].uri)
    check(json.loads(page.contents[0].text)["items"], page)


async def use_one_tool(one):
    tools = [tool.name for tool in (await one.list_tools()).tools]
    check(tools == ["hello_greet"], tools)


async def take_a_call_back(one):
    """This tool never answers: the call ends because its client says so."""
    # The client counts its requests.
    number, results = one._request_id, []

    async def call():
        results.append(await one.call_tool("patient_wait", {}))

    waiting = asyncio.create_task(call())
    async with asyncio.timeout(20):
        while not waiting.done():
            # The call may not have arrived yet.
            await one.send_notification(types.ClientNotification(types.CancelledNotification(
                params=types.CancelledNotificationParams(requestId=number))))
            await asyncio.sleep(0.02)
    await waiting
    check(results[0].isError and "request.abandoned" in results[0].content[0].text, results)
    answered = await one.call_tool("patient_answer", {})
    check(not answered.isError, answered)


async def hear_of_a_reload(base, admin, keys, following):
    news, listening = asyncio.Queue(), asyncio.Event()

    async def hear(message):
        if isinstance(message, types.ServerNotification):
            await news.put(message.root)

    async def opened(response):
        if response.request.method == "GET":
            check(response.status_code == 200, "the GET is answered", response.status_code)
            listening.set()

    async def listen(one):
        tools = [tool.name for tool in (await one.list_tools()).tools]
        check(tools == ["danger_launch"], tools)
        await asyncio.wait_for(listening.wait(), 30)
        async with httpx.AsyncClient(headers={"Authorization": f"Bearer {keys['admin']}"}, timeout=60) as http:
            done = await http.post(f"{admin}/admin/v1/automations/danger/reload", json={"path": following})
            check(done.status_code == 200, done.text)
        for kind in (types.ToolListChangedNotification, types.ResourceListChangedNotification):
            told = await asyncio.wait_for(news.get(), 30)
            check(isinstance(told, kind), told)
        tools = [tool.name for tool in (await one.list_tools()).tools]
        check(tools == ["danger_land", "danger_launch"], tools)
        landed = await one.call_tool("danger_land", {})
        check(not landed.isError, landed)

    await session(base, keys["danger"], listen, hear, opened)


async def main(base, admin, folder, following):
    keys = {path.stem: path.read_text().strip() for path in Path(folder).glob("*.key")}
    await session(base, keys["all"], use_tools)
    await session(base, keys["hello"], use_one_tool)
    await session(base, keys["patient"], take_a_call_back)
    await hear_of_a_reload(base, admin, keys, following)


asyncio.run(main(*sys.argv[1:]))
print("everything holds")
