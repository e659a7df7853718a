"""A loop around OpenAI's function calling, with a made-up model, against a running host.

    function_loop.py BASE KEY NAME …     every function that KEY may call is called until it succeeds; NAME … are among them

The loop is what an application writes: read /functions.json, give `tools` to the model, send each tool call that comes back to
/functions/call, give the body of the answer back as a tool message. The model reads no more than a model gets: names,
descriptions, schemas, and the messages so far. It first leaves out what may be null, then says all it can; ids and tokens
it takes from earlier answers. Arguments are JSON text, as the APIs return them.

Exit code 0: everything holds. What does not is printed.
"""

import itertools
import json
import re
import sys
import urllib.error
import urllib.request


def post(base, path, body, key):
    request = urllib.request.Request(base + path, data=body.encode(), method="POST")
    request.add_header("Content-Type", "application/json")
    if key:
        request.add_header("Authorization", f"Bearer {key}")
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def tools(base, query, key):
    request = urllib.request.Request(f"{base}/functions.json{query}", headers={"Authorization": f"Bearer {key}"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.loads(answer.read())["tools"]


class Model:
    """Chooses arguments by what a schema says; remembers what answers said."""

    def __init__(self, tools):
        self.schemas = {tool["function"]["name"]: tool["function"]["parameters"] for tool in tools}
        self.numbers = itertools.count(1)
        self.ids = {}
        self.versions = {}
        self.token = self.key = None

    def call(self, name, generous):
        arguments = self.value(self.schemas[name], name, "", generous)
        return {
            "id": f"call_{next(self.numbers)}", "type": "function",
            "function": {"name": name, "arguments": json.dumps(arguments)},
        }

    def hear(self, name, message):
        answer = json.loads(message["content"])
        result = answer.get("result")
        automation = name.split("_")[0]
        for record in [result] + (result.get("items", []) if isinstance(result, dict) else []):
            if isinstance(record, dict) and isinstance(record.get("id"), str):
                self.ids.setdefault(automation, []).append(record["id"])
                self.versions[record["id"]] = record.get("version")
        self.token = (answer.get("problem") or {}).get("confirm")
        if answer["ok"] and "delete" in name:
            self.ids[automation] = []
        return answer

    def value(self, schema, function, name, generous):
        choices = schema.get("anyOf", [schema])
        types = [one for choice in choices for one in self.types(choice)]
        if name == "confirm":
            return self.token
        if "null" in types and (not generous or name == "after"):
            return None
        schema = next(choice for choice in choices if self.types(choice) != ["null"])
        if name == "idempotency_key":
            # One for each operation, as its description says: what is confirmed is the same one.
            self.key = self.key if self.token else f"key-{next(self.numbers)}"
            return self.key
        if name == "if_match":
            ids = self.ids.get(function.split("_")[0], [None])
            version = self.versions.get(ids[-1])
            return None if version is None else str(version)
        said = re.search(r"Example: (.+?)\.(?: |$)", schema.get("description", ""))
        if name == "id" and self.ids.get(function.split("_")[0]):
            return self.ids[function.split("_")[0]][-1]
        if "enum" in schema:
            return schema["enum"][0]
        if said:
            example = json.loads(said[1])
            # Two records may not share an address.
            return example.replace("@", f"+{next(self.numbers)}@") if isinstance(example, str) else example
        match next(one for one in self.types(schema) if one != "null"):
            case "object":
                required = schema.get("required", [])
                return {
                    key: self.value(part, function, key, generous)
                    for key, part in schema["properties"].items()
                    if generous or key in required
                }
            case "array":
                return [self.value(schema["items"], function, name, generous) for _ in range(schema.get("minItems", 1))]
            case "string":
                return "2026-11-20T12:00:00Z" if schema.get("format") == "date-time" else "text"
            case "boolean":
                return False
            case _:
                return schema.get("minimum", 1)

    @staticmethod
    def types(schema):
        types = schema.get("type", [])
        return types if isinstance(types, list) else [types]


def main(base, key, *names):
    faults = []
    listed = tools(base, "", key)
    known = [tool["function"]["name"] for tool in listed]
    faults += [f"{name} is not listed" for name in set(names) - set(known)]
    model, messages, succeeded = Model(listed), [], {}

    def run(call, shape=lambda function: json.dumps(function)):
        messages.append({"role": "assistant", "tool_calls": [call]})
        status, body = post(base, "/functions/call", shape(call["function"]), key)
        message = {"role": "tool", "tool_call_id": call["id"], "content": body}
        messages.append(message)
        name = call["function"]["name"]
        try:
            answer = model.hear(name, message)
            if answer["status"] != status and not (status == 200 and answer["status"] in (204, 205, 304)):
                faults.append(f"{name}: HTTP {status} for {body[:200]}")
            if answer["ok"] != (answer["status"] < 400) or ("result" in answer) != answer["ok"]:
                faults.append(f"{name}: {body[:200]}")
            if status >= 500:
                faults.append(f"{name}: {status} {body[:300]}")
        except (ValueError, KeyError) as error:
            faults.append(f"{name}: {error!r} in {body[:200]}")
            return {"ok": False}
        return answer

    # What makes comes before what needs it, and what deletes last.
    order = sorted(known, key=lambda name: ("delete" in name, "id" in model.schemas[name]["properties"], name))
    for generous in (False, True):
        for name in [one for one in order if "create" in one] + [one for one in order if "create" not in one]:
            answer = run(model.call(name, generous))
            if answer.get("status") == 428:
                answer = run(model.call(name, generous))
            if answer["ok"]:
                succeeded[name] = succeeded.get(name, 0) + 1
            elif not (answer.get("status") == 422 and "at least 1" in json.dumps(answer).lower()):
                # A change of nothing may be refused; nothing else.
                faults.append(f"{name}: {messages[-2]} answered {messages[-1]['content'][:500]}")
    faults += [f"{name} never succeeded" for name in known if name not in succeeded]

    # What a model does wrong, it is told, and can mend.
    for name in known:
        for wrong, arguments in [("text that is no JSON", '{"a":'), ("an argument too many", '{"no_such_argument":1}')]:
            call = {"id": "call_w", "type": "function", "function": {"name": name, "arguments": arguments}}
            answer = run(call)
            problem = answer.get("problem", {})
            if answer["ok"] or answer["status"] != 422 or not problem.get("code") or not problem.get("detail"):
                faults.append(f"{name}: {wrong} is answered {answer}")
    answer = run({"id": "call_n", "type": "function", "function": {"name": "no_such_function", "arguments": "{}"}})
    if answer.get("status") != 404:
        faults.append(f"an unknown function is answered {answer}")

    # The other API: its item goes in whole, and the functions are the same.
    items = {tool["name"]: tool for tool in tools(base, "?api=responses", key)}
    if list(items) != known or any(items[t["function"]["name"]]["parameters"] != t["function"]["parameters"] for t in listed):
        faults.append("the two APIs have other functions")
    for name in [one for one in known if one.split("_", 1)[1].startswith(("list", "greet"))]:
        call = model.call(name, False)
        answer = run(
            call,
            lambda function: json.dumps(
                {"type": "function_call", "id": "fc_1", "call_id": "call_1", "status": "completed", **function}),
        )
        if not answer["ok"]:
            faults.append(f"{name} as an item: {answer}")

    print("\n".join(faults) or f"{len(known)} functions, {len(messages) // 2} calls")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
