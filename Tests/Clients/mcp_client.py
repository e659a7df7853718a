"""The official MCP client of today against a running host, in both eras that it speaks.

    mcp_client.py BASE ADMIN KEYS NEXT_HELLO

BASE and ADMIN are the URLs of the listeners. KEYS is a folder with one key a file: all, hello, nothing, danger, admin.
NEXT_HELLO is another version of the plugin Hello, which is loaded while a client listens. The automation `danger` has a tool
that wants to be confirmed, and one that never answers.
"""

import asyncio
import json
import sys
import urllib.request
from pathlib import Path

import anyio
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client
from mcp.shared.exceptions import MCPError
from mcp_types import ElicitResult

ACCOUNTS = {
    "accounts_list_accounts", "accounts_create_account", "accounts_get_account", "accounts_change_account",
    "accounts_delete_account",
}
HINTS = ("readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint")


def client(base, key, **more):
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    return Client(streamable_http_client(f"{base}/mcp", http_client=create_mcp_http_client(headers=headers)), **more)


def check(holds, *words):
    if not holds:
        raise AssertionError(" ".join(str(word) for word in words))


async def refused(call, code):
    try:
        answer = await call
    except MCPError as error:
        check(error.error.code == code, "code", error.error.code, "for", code, error)
        return error
    raise AssertionError(f"this was not refused: {answer}")


def text(result):
    return result.content[0].text


def token_of(result):
    """What the answer to an unconfirmed call says to send."""
    return json.loads(text(result)[text(result).index("\n{") + 1:])["confirm"]


async def all_tools(connection):
    tools, cursor = [], None
    while True:
        page = await connection.list_tools(cursor=cursor)
        tools += page.tools
        cursor = page.next_cursor
        if cursor is None:
            return {tool.name: tool for tool in tools}


def check_tool(tool):
    check(tool.title and tool.description, tool.name, "has no words")
    check(tool.input_schema["type"] == "object", tool.name, "takes no object")
    hints = tool.annotations.model_dump(by_alias=True)
    check(all(hints[name] is not None for name in HINTS), tool.name, "lacks hints", hints)


async def use_every_tool(base, keys, mode, version):
    async with client(base, keys["all"], mode=mode) as connection:
        check(connection.protocol_version == version, "version", connection.protocol_version)
        # With a version that it is told, the client asks nobody who answers.
        if mode != version:
            check(connection.server_info.name == "council", "server", connection.server_info)
            check("accounts" in connection.instructions[:512] and "Bearer" in connection.instructions[:512])
        tools = await all_tools(connection)
        check(ACCOUNTS | {"hello_greet"} == set(tools), "tools", sorted(tools))
        for tool in tools.values():
            check_tool(tool)
        check(tools["accounts_delete_account"].annotations.destructive_hint)
        check(tools["accounts_get_account"].annotations.read_only_hint)

        # The client holds structured content against the outputSchema by itself.
        greeting = await connection.call_tool("hello_greet", {"name": "Ada"})
        check(greeting.structured_content == {"message": "Hello, Ada!"}, greeting)
        check(json.loads(text(greeting)) == greeting.structured_content, greeting)
        made = await connection.call_tool(
            "accounts_create_account",
            {"name": "Ada", "email": f"ada@{mode}.example", "balance": 5, "currency": "EUR"})
        check(not made.is_error, made)
        id = made.structured_content["id"]
        got = await connection.call_tool("accounts_get_account", {"id": id})
        check(got.structured_content["name"] == "Ada", got)
        changed = await connection.call_tool("accounts_change_account", {"id": id, "name": "Ada L."})
        check(changed.structured_content["name"] == "Ada L.", changed)
        listed = await connection.call_tool("accounts_list_accounts", {"limit": 1, "currency": "EUR"})
        check(len(listed.structured_content["items"]) == 1, listed)
        asked = await connection.call_tool("accounts_delete_account", {"id": id})
        check(asked.is_error and "confirmation.required" in text(asked), asked)
        gone = await connection.call_tool("accounts_delete_account", {"id": id, "confirm": token_of(asked)})
        check(not gone.is_error, gone)

        # What a model can correct is a result; what only a programmer can is an error.
        for arguments, word in [({"id": id}, "not_found"), ({}, "call.argument_missing"), ({"x": 1, "id": id}, "unknown")]:
            wrong = await connection.call_tool("accounts_get_account", arguments)
            check(wrong.is_error and word in text(wrong), wrong)
        wrong = await connection.call_tool("accounts_create_account", {"name": "", "email": "x", "currency": "euro"})
        check(wrong.is_error and "/currency" in text(wrong) and "/email" in text(wrong), wrong)
        await refused(connection.call_tool("accounts_nothing", {}), -32602)
        await refused(connection.list_tools(cursor="nobody's"), -32602)

        resources = await connection.list_resources()
        uris = [resource.uri for resource in resources.resources]
        check([str(uri) for uri in uris] == ["council://accounts/accounts"], uris)
        made = await connection.call_tool(
            "accounts_create_account",
            {"name": "Grace", "email": f"grace@{mode}.example", "balance": 5, "currency": "EUR"})
        id = made.structured_content["id"]
        page = await connection.read_resource("council://accounts/accounts")
        items = json.loads(page.contents[0].text)["items"]
        check(any(item["id"] == id for item in items), items)
        one = json.loads((await connection.read_resource(f"council://accounts/accounts/{id}")).contents[0].text)
        check(one["name"] == "Grace" and "email" not in one, one)
        templates = await connection.list_resource_templates()
        check(len(templates.resource_templates) == 2, templates)
        missing = await refused_read(connection, "council://accounts/accounts/none")
        check(missing in (-32602, -32002), missing)


async def refused_read(connection, uri):
    try:
        await connection.read_resource(uri)
    except MCPError as error:
        return error.error.code
    raise AssertionError("what is not there was read")


async def see_only_what_is_allowed(base, keys, mode):
    async with client(base, keys["hello"], mode=mode) as connection:
        check(set(await all_tools(connection)) == {"hello_greet"}, "a key sees what it may not call")
        check("accounts" not in (connection.instructions or ""), connection.instructions)
        check((await connection.list_resources()).resources == [])
        await refused(connection.call_tool("accounts_list_accounts", {}), 403)
    async with client(base, keys["nothing"], mode=mode) as connection:
        check(await all_tools(connection) == {})
    for key in (None, "ck_wrong"):
        try:
            async with client(base, key, mode=mode) as connection:
                await connection.list_tools()
                raise AssertionError("somebody without a key was let in")
        except* MCPError as group:
            check(all(error.error.code == 401 for error in leaves(group)), group)


def leaves(group):
    """The errors of a group and of those in it."""
    if not isinstance(group, BaseExceptionGroup):
        return [group]
    return [leaf for inner in group.exceptions for leaf in leaves(inner)]


def reload(admin, key, automation, path):
    request = urllib.request.Request(
        f"{admin}/admin/v1/automations/{automation}/reload", json.dumps({"path": path}).encode(),
        {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}, method="POST")
    with urllib.request.urlopen(request, timeout=60) as answer:
        check(answer.status == 200, answer.status)


async def hear_of_a_reload(base, admin, keys, next_hello):
    async with client(base, keys["all"]) as connection:
        greeting = await connection.call_tool("hello_greet", {"name": "Ada"})
        check(greeting.structured_content["message"] == "Hello, Ada!", greeting)
        async with connection.listen(tools_list_changed=True, prompts_list_changed=True) as news:
            check(news.honored.tools_list_changed and not news.honored.prompts_list_changed, news.honored)
            await anyio.to_thread.run_sync(reload, admin, keys["admin"], "hello", next_hello)
            with anyio.fail_after(30):
                event = await anext(news)
            check(type(event).__name__ == "ToolsListChanged", event)
            check("hello_greet" in await all_tools(connection))
        greeting = await connection.call_tool("hello_greet", {"name": "Ada"})
        check(greeting.structured_content["message"] == "Welcome, Ada!", greeting)


async def ask_before_danger(base, key):
    asked = []

    def answering(action, content=None):
        async def answer(context, params):
            asked.append(params.message)
            return ElicitResult(action=action, content=content)
        return answer

    async with client(base, key, elicitation_callback=answering("accept", {"confirm": True})) as connection:
        tools = await all_tools(connection)
        check("confirm" not in tools["danger_launch"].input_schema["properties"], tools["danger_launch"])
        check(tools["danger_launch"].annotations.destructive_hint, tools["danger_launch"])
        done = await connection.call_tool("danger_launch", {"id": "moon"})
        check(not done.is_error and len(asked) == 1 and "/danger/moon" in asked[0], done, asked)
    async with client(base, key, elicitation_callback=answering("decline")) as connection:
        refused_call = await connection.call_tool("danger_launch", {"id": "moon"})
        check(refused_call.is_error and "did not agree" in text(refused_call), refused_call)
    for mode in ("auto", "legacy"):
        # Without a user to ask, the model gets the token and has to send it.
        async with client(base, key, mode=mode) as connection:
            first = await connection.call_tool("danger_launch", {"id": "mars"})
            check(first.is_error and "confirmation.required" in text(first), first)
            token = token_of(first)
            other = await connection.call_tool("danger_launch", {"id": "sun", "confirm": token})
            check(other.is_error and "confirmation.mismatch" in text(other), other)
            done = await connection.call_tool("danger_launch", {"id": "mars", "confirm": token})
            check(not done.is_error, done)


async def cancel_by_leaving(base, key):
    async with client(base, key) as connection:
        with anyio.move_on_after(1) as scope:
            await connection.call_tool("danger_wait", {})
        check(scope.cancelled_caught, "this tool never answers")
        check("danger_wait" in await all_tools(connection))


async def main(base, admin, folder, next_hello):
    keys = {path.stem: path.read_text().strip() for path in Path(folder).glob("*.key")}
    for mode, version in [("auto", "2026-07-28"), ("2026-07-28", "2026-07-28"), ("legacy", "2025-11-25")]:
        await use_every_tool(base, keys, mode, version)
        await see_only_what_is_allowed(base, keys, mode)
    await ask_before_danger(base, keys["danger"])
    await cancel_by_leaving(base, keys["danger"])
    await hear_of_a_reload(base, admin, keys, next_hello)


asyncio.run(main(*sys.argv[1:]))
print("everything holds")
