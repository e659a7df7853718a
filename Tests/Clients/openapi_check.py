"""Reads the host's OpenAPI documents as their users do.

    openapi_check.py documents BASE ADMIN KEY [PATH …]   every document is valid, and names these paths
    openapi_check.py gpt BASE KEY LIMIT LIMIT LIMIT      the GPT's documents have texts of these lengths, and none is longer
    openapi_check.py refusals BASE KEY STRANGER ROUTE    what the host refuses is in the route's document
    openapi_check.py answers BASE ADMIN ADMIN_KEY        what the admin listener answers is what its document says
    openapi_check.py calls BASE KEY                      schemathesis over the whole public document

Exit code 0: everything holds. What does not is printed.
"""

import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request

from openapi_spec_validator import OpenAPIV30SpecValidator, OpenAPIV31SpecValidator

faults = []


def expect(holds, what):
    if not holds:
        faults.append(what)


def get(url, key=None, headers=None):
    request = urllib.request.Request(url, headers=headers or {})
    if key:
        request.add_header("Authorization", f"Bearer {key}")
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, dict(answer.headers), answer.read()
    except urllib.error.HTTPError as error:
        return error.code, dict(error.headers), error.read()


def document(url, key=None):
    status, headers, body = get(url, key)
    expect(status == 200, f"{url}: {status} {body[:300]!r}")
    if status != 200:
        return {"paths": {}}
    found = json.loads(body)
    validator = OpenAPIV30SpecValidator if found["openapi"].startswith("3.0") else OpenAPIV31SpecValidator
    for error in validator(found).iter_errors():
        expect(False, f"{url}: {error.message[:300]} at {list(getattr(error, 'absolute_path', []))}")
    again, _, _ = get(url, key, {"If-None-Match": headers["ETag"]})
    expect(again == 304, f"{url}: {again} where 304 was due")
    return found


def operations(found):
    for path, item in found["paths"].items():
        for method, operation in item.items():
            yield path, method, operation


def host(found):
    """What is the host's own on every route, and its own paths; statuses are exact where they can be known."""
    def parameters(operation):
        for parameter in operation.get("parameters", []):
            reference = parameter.get("$ref")
            yield found["components"]["parameters"][reference.split("/")[-1]] if reference else parameter

    for path, method, operation in operations(found):
        names = {(parameter["in"], parameter["name"]) for parameter in parameters(operation)}
        if operation["tags"] == ["council"]:
            continue
        wanted = {("query", name) for name in ("fields", "max_chars", "max_bytes", "max_tokens")} | {("header", "Prefer")}
        if method != "get":
            wanted.add(("header", "Idempotency-Key"))
        expect(wanted <= names, f"{method} {path}: {wanted - names} is not documented")
        expect("413" in operation["responses"], f"{method} {path}: 413 is not documented")
    too_large = found["components"]["responses"]["ContentTooLarge"]["description"]
    expect("answer.too_large" in too_large, too_large)
    for path, method, statuses in [
        ("/accounts", "get", {"200"}), ("/accounts", "post", {"201"}), ("/accounts/{id}", "get", {"200"}),
        ("/accounts/{id}", "patch", {"200"}), ("/accounts/{id}", "delete", {"204"}),
        ("/jobs/{id}", "delete", {"204"}), ("/mcp", "post", {"200", "202"}), ("/mcp", "get", {"200"}),
    ]:
        if path.startswith("/accounts") and path not in found["paths"]:
            continue
        got = {status for status in found["paths"][path][method]["responses"] if status.startswith("2")}
        expect(got == statuses, f"{method} {path} answers {got}")
    passed_on(found)
    changing = found["paths"].get("/accounts/{id}", {}).get("patch")
    if changing:
        names = {parameter["name"] for parameter in parameters(changing)}
        expect("If-Match" in names, f"If-Match is not documented: {names}")


def passed_on(found):
    """What passes on the answers of others names each of their statuses, and a range only where one of them does."""
    everybody = [operation for _, _, operation in operations(found) if operation["tags"] != ["council"]]
    lasting = [operation for operation in everybody if "202" in operation["responses"]]
    for path, method, whose in [("/functions/call", "post", everybody), ("/jobs/{id}", "get", lasting)]:
        theirs = {status for operation in whose for status in operation["responses"]}
        own = set(found["paths"][path][method]["responses"])
        if path == "/jobs/{id}":
            theirs |= {"202"}
        elif theirs & {"204", "205", "304"} or lasting:
            # An envelope has a body; that of a job's end, too.
            theirs = theirs - {"204", "205", "304"} | {"200"}
        expect(theirs <= own, f"{path} does not name {theirs - own}")
        # The host's own refusals come beside them, one by one.
        more = {status for status in own - theirs if status < "400" or not status.isdigit()}
        expect(not more, f"{path} names {more}, which nothing answers with")


def documents(base, admin, key, *paths):
    whole = document(f"{base}/openapi.json", key)
    for path in paths:
        expect(path in whole["paths"], f"{path} is not in the document: {list(whole['paths'])}")
    names = [operation["operationId"] for _, _, operation in operations(whole)]
    expect(names and len(set(names)) == len(names), f"operation ids: {names}")
    expect(whole["openapi"].startswith("3.1"), whole["openapi"])
    older = document(f"{base}/openapi.json?version=3.0", key)
    expect(older["openapi"].startswith("3.0"), older["openapi"])
    expect(older["paths"].keys() == whole["paths"].keys(), "3.0 has other paths than 3.1")
    confirmed = {
        operation["operationId"] for _, _, operation in operations(whole) if "428" in operation["responses"]
    } - {"council_call_function"}
    for path, method, operation in operations(document(f"{base}/openapi.json?profile=gpt", key)):
        asks = operation["operationId"] in confirmed
        names = [parameter["name"] for parameter in operation.get("parameters", [])]
        expect(
            operation["x-openai-isConsequential"] == (method != "get" or asks), f"{method} {path} is consequential or not"
        )
        expect(("confirm" in names) == asks, f"{method} {path} is confirmed or not: {names}")
    document(f"{base}/openapi.json?profile=gpt&version=3.0", key)
    document(f"{base}/openapi.json")
    for found in (whole, older):
        host(found)
    for tag in {operation["tags"][0] for _, _, operation in operations(whole)} - {"council"}:
        one = document(f"{base}/openapi.json?automation={tag}", key)
        version = re.fullmatch(r"(.+)-v(\d+)", tag)
        root = f"/v{version[2]}/{version[1]}" if version else f"/{tag}"
        inside = [path == root or path.startswith(root + "/") for path in one["paths"]]
        expect(inside and all(inside), f"{tag}: {list(one['paths'])} are not below {root}")
    described = document(f"{admin}/admin/v1/openapi.json")
    expect("/admin/v1/keys/{id}/rotate" in described["paths"], "the admin document lacks a path")
    for page in (f"{base}/docs", f"{admin}/admin/v1/docs"):
        status, headers, body = get(page)
        elsewhere = re.search(rb"""(?:src|href|action)\s*=\s*["']?(?:[a-z]+:)?//|url\(|@import""", body, re.I)
        expect(status == 200 and b"<h1>" in body and not elsewhere, f"{page}: {status} {elsewhere} {body[:200]!r}")
        expect("default-src 'none'" in headers.get("Content-Security-Policy", ""), f"{page} has no policy")


class Texts:
    """The longest texts of a GPT's document, by kind."""

    LIMITS = {"summary": 300, "description": 300, "parameter": 700}

    def __init__(self, found):
        self.longest = dict.fromkeys(self.LIMITS, 0)
        self.found, self.seen = found, set()
        for path, method, operation in operations(found):
            at = f"{method} {path}"
            self.measure("summary", operation.get("summary"), at)
            self.measure("description", operation.get("description"), at)
            for parameter in operation.get("parameters", []):
                self.measure("parameter", parameter.get("description"), f"{at} {parameter['name']}")
                self.schema(parameter["schema"], f"{at} {parameter['name']}")
            # The members of a body are parameters, too.
            for media in operation.get("requestBody", {}).get("content", {}).values():
                self.schema(media["schema"], f"{at} body")

    def measure(self, kind, text, at):
        length = len(text or "")
        self.longest[kind] = max(self.longest[kind], length)
        expect(length <= self.LIMITS[kind], f"{at}: a {kind} of {length} characters")

    def schema(self, schema, at):
        """Every description inside; a property may be called so, too."""
        if not isinstance(schema, dict):
            return
        reference = schema.get("$ref")
        if reference and reference not in self.seen:
            self.seen.add(reference)
            self.schema(self.found["components"]["schemas"][reference.split("/")[-1]], reference)
        self.measure("parameter", schema.get("description"), at)
        for keyword, value in schema.items():
            if keyword in ("properties", "patternProperties", "$defs"):
                inside = list(value.items())
            elif keyword in ("allOf", "anyOf", "oneOf", "prefixItems"):
                inside = enumerate(value)
            elif keyword in ("items", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames"):
                inside = [("", value)]
            else:
                continue
            for name, one in inside:
                self.schema(one, f"{at}/{keyword}/{name}")


def gpt(base, key, *limits):
    """The GPT's documents, part by part, within the limits of GPT Actions (developers.openai.com, actions/production):
    texts of 300 and 700 characters, 30 operations. A text of each kind is exactly as long as `limits` say."""
    whole = {operation["operationId"] for _, _, operation in operations(document(f"{base}/openapi.json", key))}
    for version in ("3.1", "3.0"):
        names, longest, part, parts = [], dict.fromkeys(Texts.LIMITS, 0), 1, 1
        while part <= parts:
            found = document(f"{base}/openapi.json?profile=gpt&part={part}&version={version}", key)
            parts = found.get("x-parts", 0)
            here = [operation["operationId"] for _, _, operation in operations(found)]
            expect(1 <= len(here) <= 30, f"part {part} has {len(here)} operations")
            names += here
            longest = {kind: max(length, longest[kind]) for kind, length in Texts(found).longest.items()}
            part += 1
        expect(parts >= 2, f"{len(names)} operations in {parts} part(s)")
        # Of the host's own paths a GPT gets what it needs.
        missing = {name for name in whole - set(names) if not name.startswith("council_")}
        expect(not missing and len(set(names)) == len(names), f"missing: {missing}, in {names}")
        expect(list(longest.values()) == [int(limit) for limit in limits], f"the longest texts: {longest}")


def raw(base, request):
    """The status of an answer to bytes that no client library would send."""
    host, port = base.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=30) as line:
        line.sendall(request)
        answer = b""
        while b"\r\n" not in answer:
            piece = line.recv(4096)
            if not piece:
                break
            answer += piece
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/") else None


def refusals(base, key, stranger, route):
    """`route` is a POST with a body, not to be confirmed, in the host's own process; `stranger` is a key that may not
    call it."""
    responses = document(f"{base}/openapi.json", key)["paths"][route]["post"]["responses"]

    def head(*lines, method="POST", target=route, version="1.1", body=b"{}"):
        usual = [f"{method} {target} HTTP/{version}", "Host: localhost", "Connection: close"]
        length = [] if any(line.lower().startswith(("content-length", "transfer")) for line in lines) else [
            f"Content-Length: {len(body)}"]
        return "\r\n".join([*usual, *lines, *length]).encode() + b"\r\n\r\n" + body

    authorization = f"Authorization: Bearer {key}"
    long = "x" * 20_000
    for status, request in [
        (400, head(authorization, target=route + "?%zz")),
        (401, head()),
        (403, head(f"Authorization: Bearer {stranger}")),
        (404, head(authorization, target="/nothing-here")),
        (413, head(authorization, "Content-Length: 999999999", body=b"")),
        (414, head(authorization, target=route + "?a=" + long)),
        (415, head(authorization, "Content-Type: text/plain")),
        (415, head(authorization, "Content-Encoding: gzip")),
        (417, head(authorization, "Expect: other")),
        (422, head(authorization, "Content-Type: application/json")),
        (431, head(authorization, f"X-Long: {long}")),
        (501, head(authorization, method="BREW")),
        (501, head(authorization, method="QUERY")),
        (501, head(authorization, "Transfer-Encoding: gzip", body=b"")),
        (505, head(authorization, version="3.0")),
    ]:
        got = raw(base, request)
        expect(got == status, f"{request[:60]!r}…: {got}, not {status}")
        expect(str(status) in responses, f"{status} is not documented")
    # These need a slow client, a second call, a handler that fails: the tests of each provoke them.
    for status in (408, 409, 429, 500, 503, 504):
        expect(str(status) in responses, f"{status} is not documented")
    # And these another route.
    for status in (428, 502):
        expect(str(status) not in responses, f"{status} is documented, and cannot come")


def answers(base, admin, key):
    """Every admin endpoint that only reads, as far as it needs no name."""
    from jsonschema import Draft202012Validator

    described = document(f"{admin}/admin/v1/openapi.json")
    asked = 0
    for path, method, operation in operations(described):
        if method != "get":
            continue
        status, headers, body = get(admin + path.replace("{id}", "accounts"), key)
        response = operation["responses"].get(str(status))
        expect(response is not None, f"{method} {path}: {status} is not documented")
        content = (response or {}).get("content", {})
        kind = headers["Content-Type"].split(";")[0]
        expect(kind in content, f"{method} {path}: {kind} is not documented")
        if kind == "application/json" and kind in content:
            asked += 1
            for error in Draft202012Validator(content[kind]["schema"]).iter_errors(json.loads(body)):
                expect(False, f"{method} {path}: {error.message[:200]}")
    expect(asked > 10, f"only {asked} endpoints answered")


def calls(base, key):
    with tempfile.TemporaryDirectory() as folder:
        command = [
            os.path.join(os.path.dirname(sys.executable), "st"),
            "--config-file", os.path.join(os.path.dirname(os.path.abspath(__file__)), "schemathesis.toml"), "--no-color", "run", f"{base}/openapi.json",
            "--header", f"Authorization: Bearer {key}", "--seed", "7", "--max-examples", "30",
            "--checks", "all", "--continue-on-failure",
        ]
        environment = {**os.environ, "HYPOTHESIS_STORAGE_DIRECTORY": folder}
        result = subprocess.run(command, capture_output=True, text=True, cwd=folder, env=environment, timeout=240)
        expect(result.returncode == 0, result.stdout[-12_000:] + result.stderr[-2000:])
        print(result.stdout[-1500:])


if __name__ == "__main__":
    {"documents": documents, "gpt": gpt, "refusals": refusals, "answers": answers, "calls": calls}[sys.argv[1]](*sys.argv[2:])
    for fault in faults:
        print(fault)
    sys.exit(1 if faults else 0)
