"""Plants one violation of each rule in a small copy of the repository and proves that the rule finds it there."""

import json
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import arrows
import house
from tree import Tree


@dataclass(frozen=True)
class Plant:
    """A file with a violation: which rule must name it, at which line."""

    rule: str
    what: str
    path: str
    text: str
    line: int = 1


# Words that the rules look for are put together here, so that this file is clean itself.
TO_DO = "TO" + "DO"
HOME = "/ho" + "me/someone/project"
PLANTS = [
    Plant("arrow", "Kernel imports Domain", "Host/Kernel/Planted.swift", "\nimport Domain\n", 2),
    Plant("arrow", "Domain imports Application", "Host/Domain/Planted.swift", "package import Application\n"),
    Plant("arrow", "Application imports an adapter", "Host/Application/Planted.swift", "import SQLiteStore\n"),
    Plant("arrow", "an adapter imports an adapter", "Host/Infrastructure/Audit/Planted.swift", "import Cryptography\n"),
    Plant("arrow", "an interface imports an adapter", "Host/Interfaces/Gateway/Planted.swift", "import HTTPServer\n"),
    Plant("arrow", "an interface imports a C library", "Host/Interfaces/AdminAPI/Planted.swift", "import CSQLite\n"),
    Plant("arrow", "the host imports the SDK", "Host/Executable/Planted.swift", "import CouncilPlugin\n"),
    Plant("arrow", "an import with attributes", "Host/Domain/Planted.swift", "@preconcurrency import struct Application.X\n"),
    Plant("arrow", "the SDK imports the host", "PluginAPI/Swift/Planted.swift", "public import Kernel\n"),
    Plant("arrow", "a plugin imports the host", "Plugins/Accounts/Planted.swift", "import Domain\n"),
    Plant("arrow", "a C file of the host includes the header", "Host/Kernel/CThreads/planted.c", '#include "council.h"\n'),
    Plant("unsafe", "an unsafe expression", "Host/Domain/Planted.swift", "// unsafe in words is fine\nlet x = unsafe y\n", 2),
    Plant("unsafe", "a pointer", "Plugins/Accounts/Planted.swift", "func f(_ p: UnsafePointer<Int>) {}\n"),
    Plant("unsafe", "a pointer lent to a closure", "Tests/Domain/Planted.swift", "a.withUnsafeBytes { _ in }\n"),
    Plant("unsafe", "no proof", "Host/Kernel/Unsafe/Planted.swift", "\nlet x = unsafe y\n", 2),
    Plant("foundation", "the whole Foundation", "Tests/Domain/Planted.swift", "import Foundation\n"),
    Plant("lock", "a lock that the sanitizer cannot see", "Host/Domain/Planted.swift", "let planted = Mutex<Int>(0)\n"),
    Plant("lock", "the same in a test", "Tests/Domain/Planted.swift", "private let planted = Mutex([1])\n"),
    Plant("foundation", "the rest of it in the host", "Host/Kernel/Planted.swift", "import FoundationEssentials\n"),
    Plant("foundation", "a part of it", "Host/Domain/Planted.swift", "@_exported import FoundationNetworking\n"),
    Plant("unfinished", "unfinished work", "Host/Domain/Planted.swift", f"// {TO_DO}: later\n"),
    Plant("unfinished", "in a script", "Scripts/planted", f"#!/bin/sh\n# {TO_DO}\n", 2),
    Plant("length", "a long file", "Host/Domain/Planted.swift", "\n" * (house.MOST_LINES + 1), house.MOST_LINES + 1),
    Plant("top-level", "a new top-level folder", "Sources/planted.txt", "x\n"),
    Plant("machine", "a path of one machine", "Tests/Domain/planted.txt", f"see {HOME}\n"),
    Plant("name", "a file", "Host/Domain/StringUtils.swift", "\n"),
    Plant("name", "a folder", "Host/Domain/Helpers/Planted.swift", "\n"),
    Plant("name", "a type", "Host/Domain/Planted.swift", "\nstruct RouteManager {}\n", 2),
    Plant("access", "public in the host", "Host/Domain/Planted.swift", "public struct Planted {}\n"),
]

# What looks like a violation and is none: rules that cry wolf get switched off.
CLEAN = {
    "Tests/Domain/PlantedClean.swift": "import FoundationEssentials\n",
    "Host/Domain/PlantedClean.swift": (
        "// An import Domain in words, an UnsafePointer in words.\n"
        'let text = "import Application; unsafe; public struct"\n'
        "nonisolated(unsafe) let counted = 0\nstruct Managerial {}\nstruct Base64 {}\n"),
    "Host/Kernel/Unsafe/PlantedClean.swift": "// Safe: nobody else holds it.\nlet x = unsafe y\n",
    "Host/Interfaces/CommandLine/PlantedClean.swift": "import Kernel\nimport Domain\nimport Application\nimport Glibc\n",
}

# One dependency of each kind that Package.swift must not declare: (target, what it would depend on).
EDGES = [("Domain", "Application"), ("Audit", "Cryptography"), ("Gateway", "Audit"), ("Accounts", "Kernel")]


def copy_of(root, folder):
    """One file of each folder: every rule runs over the whole copy for every violation."""
    seen = set()
    for path in Tree(root).paths:
        parent = Path(path).parent
        if parent in seen and parent != Path("."):
            continue
        seen.add(parent)
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(root / path, target)
    subprocess.run(["git", "init", "-q", folder], check=True, timeout=60)


def everything(folder, package):
    tree = Tree(folder)
    return {(one.rule, one.path, one.line) for one in [*arrows.findings(tree, package), *house.findings(tree)]}


def run(root):
    faults = []

    def expect(truth, what):
        print(f"  {'ok  ' if truth else 'FAIL'} {what}")
        if not truth:
            faults.append(what)

    with tempfile.TemporaryDirectory(prefix="rules-") as temporary:
        folder = Path(temporary)
        copy_of(root, folder)
        package = arrows.dump_package(root)
        before = everything(folder, package)
        for plant in PLANTS:
            planted = folder / plant.path
            planted.parent.mkdir(parents=True, exist_ok=True)
            planted.write_text(plant.text)
            added = everything(folder, package) - before
            expect((plant.rule, plant.path, plant.line) in added, f"{plant.rule}: {plant.what}")
            planted.unlink()
        for path, text in CLEAN.items():
            planted = folder / path
            planted.write_text(text)
            expect(everything(folder, package) == before, f"nothing found in {path}")
            planted.unlink()
        for target, dependency in EDGES:
            changed = json.loads(json.dumps(package))
            for one in changed["targets"]:
                if one["name"] == target:
                    one["dependencies"].append({"byName": [dependency, None]})
            added = everything(folder, changed) - before
            expect(
                any(one[:2] == ("arrow", "Package.swift") for one in added),
                f"arrow: Package.swift lets {target} depend on {dependency}")
        planted = folder / "Host/Domain/Planted.swift"
        planted.write_text("struct   Planted{}\n")
        lint = ["swift", "format", "lint", "--strict", "--configuration", folder / ".swift-format", planted]
        found = subprocess.run(lint, capture_output=True, timeout=120)
        expect(found.returncode != 0, "format: a file out of format")
    print(f"self-test: {len(faults)} of the rules failed" if faults else "self-test: every rule finds what it is for")
    return 1 if faults else 0
