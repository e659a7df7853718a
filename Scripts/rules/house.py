"""House rules: what STYLE and DESIGN ask of every file, as far as a pattern can tell."""

import re

from tree import Finding, line_of, without_comments_and_strings

OURS = ("Host/", "PluginAPI/", "Plugins/", "Tests/")
CODE = (".swift", ".c", ".h", ".cpp", ".hpp", ".rs", ".py", ".sh", ".lua", ".js")
TOP_LEVEL = {"Package.swift", "README.md", "Host", "PluginAPI", "Plugins", "Tests", "Scripts"}
MOST_LINES = 500

# `nonisolated(unsafe)` and `unowned(unsafe)` say in place which lock or owner makes them true.
UNSAFE = re.compile(
    r"(?<!nonisolated\()(?<!unowned\()\bunsafe\b|\b\w*Unsafe(?:Mutable|Raw|Buffer|Pointer)\w*"
    r"|\bwithUnsafe\w+|\bunsafe[A-Z]\w*|\bUnmanaged\b")
FOUNDATION = re.compile(
    r"^[^\n]*?\bimport[ \t]+(?:\w+[ \t]+)?(Foundation(?!Essentials\b)\w*)\b", re.MULTILINE)
ESSENTIALS = re.compile(r"^[^\n]*?\bimport[ \t]+(?:\w+[ \t]+)?(FoundationEssentials)\b", re.MULTILINE)
# The SDK has no Monitor, and no thread sanitizer looks at a plugin's locks through the host's.
LOCK = re.compile(r"\b(?:Synchronization\.)?(Mutex)[ \t]*[<(]|\bOSAllocatedUnfairLock\b")
# Spelled so that this file does not find itself.
UNFINISHED = re.compile(r"\b(?:TO[D]O|FIX[M]E|X[X]X|HA[C]K)\b")
MACHINE = re.compile(r"(?<![\w.~$}/-])/(?:(?:home|Users)/[A-Za-z]\w*/|root/[.\w]|work/[a-z]+/)")
EMPTY_NAMES = {
    "Util", "Utils", "Utility", "Utilities", "Common", "Helper", "Helpers", "Manager", "Managers", "Impl",
    "Misc",
}
EMPTY_ALONE = {"New", "Base"}
DECLARED = re.compile(r"\b(?:class|struct|enum|protocol|actor|typealias)[ \t]+(\w+)")
WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
PUBLIC = re.compile(r"^[ \t]*(?:@\w+[ \t]+)*(?:public|open)[ \t]+(?!import\b)", re.MULTILINE)


def findings(tree):
    for rule in (unsafe, foundation, lock, unfinished, length, top_level, machine, names, access):
        yield from rule(tree)


def in_code(tree, paths, pattern, rule, reason, group=0):
    """One finding per line of code that matches; comments and strings do not count."""
    for path in paths:
        code = without_comments_and_strings(tree.text(path) or "")
        seen = set()
        for found in pattern.finditer(code):
            line = line_of(code, found.start(group))
            if line not in seen:
                seen.add(line)
                yield Finding(rule, path, line, reason.format(found[group].strip()))


def unsafe(tree):
    """Pointers and `unsafe` live in Unsafe folders, where each has its proof."""
    swift = tree.matching(".swift", under=OURS)
    # A manifest's unsafeFlags are linker flags, no pointers.
    outside = [path for path in swift if "/Unsafe/" not in path and not path.endswith("/Package.swift")]
    yield from in_code(
        tree, outside, UNSAFE, "unsafe", "`{}` outside an Unsafe folder: wrap it there, lend a Span")
    for path in swift:
        text = tree.text(path) or ""
        code = without_comments_and_strings(text)
        found = "/Unsafe/" in path and re.search(r"(?<!\()\bunsafe\b", code)
        if found and not re.search(r"//+\s*Safe\b", text):
            yield Finding(
                "unsafe", path, line_of(code, found.start()), "`unsafe` without a proof: no `// Safe: …` in this file")


def foundation(tree):
    yield from in_code(
        tree, tree.matching(".swift", under=OURS), FOUNDATION, "foundation",
        "`{}` brings ICU along: import FoundationEssentials", group=1)
    yield from in_code(
        tree, tree.matching(".swift", under=("Host/",)), ESSENTIALS, "foundation",
        "`{}` costs each process of the host two MiB: Kernel has JSON and time", group=1)


def lock(tree):
    """The thread sanitizer does not see how the kernel hands over a contended Mutex: Kernel's Monitor says why."""
    yield from in_code(
        tree, tree.matching(".swift", under=("Host/", "Tests/")), LOCK, "lock",
        "`{}` is handed over by the kernel, unseen by the thread sanitizer: Kernel has Monitor")


def unfinished(tree):
    for path in tree.matching(*CODE, under=(*OURS, "Scripts/", "Package.swift")) + scripts(tree):
        text = tree.text(path) or ""
        for found in UNFINISHED.finditer(text):
            yield Finding(
                "unfinished", path, line_of(text, found.start()),
                f"`{found.group()}`: finish it, or open an issue")


def length(tree):
    for path in tree.matching(*CODE) + scripts(tree):
        lines = (tree.text(path) or "").count("\n")
        if lines > MOST_LINES:
            yield Finding("length", path, lines, f"{lines} lines: past {MOST_LINES} a file holds more than one idea")


def top_level(tree):
    seen = set()
    for path in tree.paths:
        entry = path.split("/")[0]
        if entry not in TOP_LEVEL and not entry.startswith(".") and entry not in seen:
            seen.add(entry)
            yield Finding("top-level", path, 1, f"`{entry}` is no top-level entry of DESIGN 8")


def machine(tree):
    for path in tree.paths:
        text = tree.text(path)
        for found in MACHINE.finditer(text or ""):
            yield Finding("machine", path, line_of(text, found.start()), f"`{found.group()}…` is a path of one machine")


def empty_name(name):
    """The word in a name that says nothing; None when each says something."""
    if name in EMPTY_ALONE:
        return name
    return next((word for word in WORDS.findall(name) if word.capitalize() in EMPTY_NAMES), None)


def names(tree):
    reason = "`{}` says nothing: name the thing in its caller's world"
    seen = set()
    for path in tree.paths:
        for part in path.split("/"):
            if empty_name(part.split(".")[0]) and (path, part) not in seen:
                seen.add((path, part))
                yield Finding("name", path, 1, reason.format(part))
    for path in tree.matching(".swift", under=OURS):
        code = without_comments_and_strings(tree.text(path) or "")
        for found in DECLARED.finditer(code):
            if empty_name(found[1]):
                yield Finding("name", path, line_of(code, found.start()), reason.format(found[1]))


# Swift inlines across modules only what is public: measured in Host/Kernel/JSON/JSONElement.swift and Unsafe/Arena.swift.
INLINED = {
    "Host/Kernel/JSON/JSONElement.swift",
    "Host/Kernel/Published.swift",
    "Host/Kernel/Unsafe/Arena.swift",
    "Host/Kernel/Unsafe/JSONTape.swift",
    "Host/Kernel/Unsafe/ThreadSlots.swift",
}


def access(tree):
    paths = [path for path in tree.matching(".swift", under=("Host/",)) if path not in INLINED]
    yield from in_code(
        tree, paths, PUBLIC, "access", "`{}` in the host: `package` is the widest access here")


def scripts(tree):
    """Scripts without an ending: what people call by name."""
    return [path for path in tree.matching("", under=("Scripts/", ".ci/")) if "." not in path.rsplit("/", 1)[-1]]
