"""Holds the functions of a running host against the rules of strict mode, without any code of the host.

    strict_check.py BASE KEY NAME …      /functions.json of BASE as KEY and as nobody, in both APIs' shapes;
                                         the functions NAME … must be there and strict

The rules (developers.openai.com, "Structured Outputs" and "Function calling"): names of 64 letters, digits, '_' and '-'; the
root an object and no anyOf; every object closed, every property required; no keyword beyond those named; at most 5 levels,
5,000 properties, 1,000 values of enums, 15,000 characters in an enum of more than 250, 120,000 characters together; the
alternatives of an anyOf begin with different properties.

Exit code 0: everything holds. What does not is printed.
"""

import json
import re
import sys
import urllib.error
import urllib.request

ANY = {"description"}
BY_TYPE = {
    "string": ANY | {"type", "enum", "pattern", "format"},
    "number": ANY | {"type", "enum", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"},
    "integer": ANY | {"type", "enum", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"},
    "boolean": ANY | {"type", "enum"},
    "null": ANY | {"type"},
    "object": ANY | {"type", "properties", "required", "additionalProperties"},
    "array": ANY | {"type", "items", "minItems", "maxItems"},
}
FORMATS = {"date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"}
IS = {
    "string": lambda v: isinstance(v, str),
    "integer": lambda v: isinstance(v, int) and not isinstance(v, bool),
    "number": lambda v: isinstance(v, (int, float)) and not isinstance(v, bool),
    "boolean": lambda v: isinstance(v, bool),
    "null": lambda v: v is None,
}


class Checker:
    """Collects what is wrong with one schema."""

    def __init__(self, text):
        # As it stands in the document: order matters where alternatives are told apart.
        self.faults = []
        self.properties = 0
        self.values = 0
        if len(text) > 120_000:
            self.faults.append(f"{len(text)} characters")
        schema = json.loads(text)
        if schema.get("type") != "object" or "anyOf" in schema:
            self.faults.append("the root is no object")
        else:
            self.look(schema, "", 1)
        if self.properties > 5000:
            self.faults.append(f"{self.properties} properties")
        if self.values > 1000:
            self.faults.append(f"{self.values} values of enums")

    def fault(self, at, what):
        self.faults.append(f"{at or '/'}: {what}")

    def look(self, schema, at, depth):
        if not isinstance(schema, dict):
            return self.fault(at, "is no schema that says a type")
        if "anyOf" in schema:
            return self.alternatives(schema, at, depth)
        types = schema.get("type")
        types = types if isinstance(types, list) else [types]
        if not all(isinstance(one, str) and one in BY_TYPE for one in types):
            return self.fault(at, f"has the type {types}")
        if len(types) > 2 or (len(types) == 2 and "null" not in types):
            return self.fault(at, f"has the types {types}: an anyOf")
        allowed = set().union(*(BY_TYPE[one] for one in types))
        for keyword in schema.keys() - allowed:
            self.fault(at, f"has '{keyword}'")
        if schema.get("format", "uuid") not in FORMATS:
            self.fault(at, f"has the format {schema['format']}")
        if re.search(r"\(\?[=!<]|\\[1-9]|\\[pPkbB]", schema.get("pattern", "")):
            self.fault(at, f"has the pattern {schema['pattern']}")
        if "enum" in schema:
            self.enum(schema["enum"], types, at)
        if "object" in types or "array" in types:
            if depth > 5:
                self.fault(at, f"is level {depth}")
            if len(types) > 1:
                self.fault(at, "is an object or list beside null: an anyOf")
        if "object" in types:
            self.object(schema, at, depth)
        if "array" in types:
            self.look(schema.get("items"), at + "/items", depth + 1)

    def object(self, schema, at, depth):
        properties = schema.get("properties")
        if not isinstance(properties, dict):
            return self.fault(at, "has no properties")
        self.properties += len(properties)
        if schema.get("additionalProperties") is not False:
            self.fault(at, "is open")
        if sorted(schema.get("required", [])) != sorted(properties):
            self.fault(at, "does not require each of its properties")
        for name, property in properties.items():
            self.look(property, f"{at}/properties/{name}", depth + 1)

    def enum(self, values, types, at):
        self.values += len(values)
        if not values or len({json.dumps(value) for value in values}) != len(values):
            self.fault(at, "has an enum that is empty or repeats a value")
        for value in values:
            if not any(IS[one](value) for one in types if one in IS):
                self.fault(at, f"has {value!r} in the enum of {types}")
        characters = sum(len(value) for value in values if isinstance(value, str))
        if len(values) > 250 and characters > 15_000:
            self.fault(at, f"has {characters} characters in an enum of {len(values)}")

    def alternatives(self, schema, at, depth):
        for keyword in schema.keys() - ANY - {"anyOf"}:
            self.fault(at, f"has '{keyword}' beside anyOf")
        if not isinstance(schema["anyOf"], list) or len(schema["anyOf"]) < 2:
            return self.fault(at, "has an anyOf that leaves no choice")
        first = []
        for number, choice in enumerate(schema["anyOf"]):
            self.look(choice, f"{at}/anyOf/{number}", depth)
            if isinstance(choice, dict) and choice.get("type") == "object":
                first.append(next(iter(choice.get("properties") or {}), None))
        if len(set(first)) != len(first):
            self.fault(at, "has alternatives that begin alike")


def faults(schema):
    return Checker(json.dumps(schema)).faults


def closed(properties):
    return {
        "type": "object", "properties": properties, "required": sorted(properties), "additionalProperties": False,
    }


def itself():
    """A checker that finds nothing proves nothing."""
    def nested(depth):
        return closed({"leaf": {"type": "string"}} if depth == 1 else {"in": nested(depth - 1)})

    good = [
        closed({}), nested(5), closed({f"p{n}": {"type": "null"} for n in range(3000)}),
        closed({"e": {"type": ["string", "null"], "enum": ["a", None]}}),
        closed({"n": {"type": "integer", "enum": list(range(1000))}}),
        closed({"a": {"anyOf": [closed({"x": {"type": "null"}}), closed({"y": {"type": "null"}}), {"type": "null"}]}}),
    ]
    bad = [
        {"type": "array", "items": {"type": "string"}}, {"anyOf": [closed({}), {"type": "null"}]}, nested(6),
        closed({f"p{n}": {"type": "null"} for n in range(5001)}),
        closed({"n": {"type": "integer", "enum": list(range(1001))}}),
        closed({"s": {"type": "string", "enum": [f"{n:060}" for n in range(251)]}}),
        closed({"d": {"type": "string", "description": "d" * 120_000}}),
        {**closed({"a": {"type": "string"}}), "required": []},
        {**closed({"a": {"type": "string"}}), "additionalProperties": True},
        closed({"a": {}}), closed({"a": True}), closed({"a": {"type": "object"}}), closed({"a": {"type": "array"}}),
        closed({"a": {"type": ["string", "integer"]}}), closed({"a": {"enum": ["a"]}}),
        closed({"a": {"type": "string", "enum": ["a", None]}}),
        closed({"a": {"anyOf": [closed({"x": {"type": "null"}}), closed({"x": {"type": "string"}})]}}),
    ] + [
        closed({"a": {"type": "string", **more}})
        for more in [
            {"minLength": 1}, {"default": "a"}, {"examples": ["a"]}, {"format": "uri"}, {"pattern": "(?=a)"},
            {"title": "A"}, {"not": {}}, {"allOf": []}, {"$ref": "#"},
        ]
    ]
    for schema in good:
        assert not faults(schema), (faults(schema), json.dumps(schema)[:200])
    for schema in bad:
        assert faults(schema), json.dumps(schema)[:200]


def read(base, query, key):
    request = urllib.request.Request(f"{base}/functions.json{query}")
    if key:
        request.add_header("Authorization", f"Bearer {key}")
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.loads(answer.read())


def main(base, key, *names):
    itself()
    found = []
    for query in ("", "?api=chat", "?api=responses"):
        for caller in (key, None):
            document = read(base, query, caller)
            strict = set()
            for tool in document["tools"]:
                assert tool["type"] == "function"
                function = tool if query.endswith("responses") else tool["function"]
                name = function["name"]
                extra = function.keys() - {"type", "name", "description", "parameters", "strict"}
                if extra or not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name):
                    found.append(f"{name}: {extra}")
                if not function["description"] or len(function["description"]) > 1024:
                    found.append(f"{name}: a description of {len(function['description'])} characters")
                if function["strict"]:
                    strict.add(name)
                    found += [f"{name} {fault}" for fault in faults(function["parameters"])]
            reasons = {one["name"]: one["obstacles"] for one in document["not_strict"]}
            listed = {(tool.get("function") or tool)["name"] for tool in document["tools"]}
            if reasons.keys() != listed - strict or not all(reasons.values()):
                found.append(f"{query}: not strict without a reason: {listed - strict - reasons.keys()}")
            found += [f"{query}: {name} is not there, or not strict" for name in set(names) - strict]
    print("\n".join(found) or f"{len(listed)} functions, {len(strict)} strict")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
