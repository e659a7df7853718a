"""Who may import whom: DESIGN, section 8, on every import and on every dependency in Package.swift."""

import json
import re
import subprocess

from tree import Finding, line_of, without_comments_and_strings

IMPORT = re.compile(
    r"^[ \t]*(?:@\w+(?:\([^)\n]*\))?[ \t]+)*(?:(?:public|package|internal|fileprivate|private)[ \t]+)?"
    r"import[ \t]+(?:(?:struct|class|enum|protocol|typealias|func|let|var)[ \t]+)?(\w+)", re.MULTILINE)
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]+["<]council\.h[">]', re.MULTILINE)

# The room a folder belongs to; the longest match decides.
ROOMS = {
    "Host/Kernel": "Kernel",
    "Host/Domain": "Domain",
    "Host/Application": "Application",
    "Host/Infrastructure/SystemLibraries": "a system library",
    "Host/Infrastructure": "Infrastructure",
    "Host/Interfaces": "Interfaces",
    "Host/Executable": "Executable",
    "PluginAPI/C": "the plugin header",
    "PluginAPI/Swift": "the SDK",
    "PluginAPI/FakeHost": "the fake host",
    "Plugins": "a plugin",
    "Tests": "Tests",
}

HOST_CORE = {"Kernel", "Domain", "Application"}
# An arrow to the own room is in the set only where targets of that room may know each other.
ALLOWED = {
    "Kernel": {"Kernel"},
    "Domain": {"Kernel"},
    "Application": {"Kernel", "Domain"},
    "a system library": set(),
    "Infrastructure": HOST_CORE | {"a system library", "the plugin header"},
    "Interfaces": HOST_CORE | {"Interfaces"},
    "Executable": HOST_CORE | {"Infrastructure", "Interfaces", "a system library", "the plugin header"},
    "the plugin header": set(),
    "the SDK": {"the plugin header"},
    "the fake host": {"the plugin header", "the SDK"},
    "a plugin": {"the plugin header", "the SDK"},
    "Tests": set(ROOMS.values()),
}


def dump_package(root):
    command = ["swift", "package", "--package-path", str(root), "dump-package"]
    return json.loads(subprocess.run(command, check=True, capture_output=True, timeout=300).stdout)


def room_of(path):
    rooms = [folder for folder in ROOMS if path == folder or path.startswith(folder + "/")]
    return ROOMS[max(rooms, key=len)] if rooms else None


def forbidden(importer, imported, folders):
    """Why target `importer` may not know target `imported`; None when it may."""
    if importer == imported:
        return None
    from_path, to_path = folders[importer], folders[imported]
    if to_path.startswith(from_path + "/"):
        return None  # a C part inside the folder of the target that wraps it
    source, target = room_of(from_path), room_of(to_path)
    if source is None or target in ALLOWED[source]:
        return None
    if source == target == "Infrastructure":
        return f"adapter {importer} knows adapter {imported}: a port in Application stands between two adapters"
    may = ", ".join(sorted(ALLOWED[source])) or "nothing of ours"
    return f"{importer} ({source}) knows {imported} ({target}); allowed there: {may}"


def findings(tree, package):
    folders = {target["name"]: target["path"] for target in package["targets"] if target.get("path")}
    yield from of_imports(tree, folders)
    yield from of_manifest(tree, package, folders)


def owner_of(path, folders):
    owners = [name for name, folder in folders.items() if path.startswith(folder + "/")]
    return max(owners, key=lambda name: len(folders[name])) if owners else None


def of_imports(tree, folders):
    for path in tree.matching(".swift", under=("Host/", "PluginAPI/", "Plugins/", "Tests/")):
        owner = owner_of(path, folders)
        if owner is None:
            continue
        code = without_comments_and_strings(tree.text(path) or "")
        for found in IMPORT.finditer(code):
            reason = found[1] in folders and forbidden(owner, found[1], folders)
            if reason:
                yield Finding("arrow", path, line_of(code, found.start(1)), reason)
    for path in tree.matching(".c", ".h", ".cpp", ".hpp", under=("Host/",)):
        text = tree.text(path) or ""
        found = INCLUDE.search(text)
        room = room_of(path)
        if found and room and "the plugin header" not in ALLOWED[room]:
            yield Finding(
                "arrow", path, line_of(text, found.start()), f"{room} includes council.h, the plugin header")


def of_manifest(tree, package, folders):
    text = tree.text("Package.swift") or ""
    for target in package["targets"]:
        for dependency in target["dependencies"]:
            name = (dependency.get("byName") or dependency.get("target") or [None])[0]
            if name in folders and target["name"] in folders:
                reason = forbidden(target["name"], name, folders)
                if reason:
                    at = text.find(f'"{target["name"]}"')
                    yield Finding("arrow", "Package.swift", line_of(text, max(at, 0)), reason)
