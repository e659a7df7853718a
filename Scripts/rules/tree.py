"""The files of the repository, and their code without comments and strings."""

import re
import subprocess
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

# Ended by its own kind of quote; a comment inside a string and a quote inside a comment are what the order is for.
NOT_CODE = re.compile(
    r'//[^\n]*|/\*.*?\*/|(#+)""".*?"""\1|"""(?:\\.|[^\\])*?"""|(#+)"[^\n]*?"\2|"(?:\\.|[^"\\\n])*"', re.DOTALL)


@dataclass(frozen=True)
class Finding:
    rule: str
    path: str
    line: int
    reason: str

    def __str__(self):
        return f"{self.path}:{self.line}: {self.reason} [{self.rule}]"


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


@cache
def without_comments_and_strings(text):
    """The same text with comments and strings blanked, so that offsets and lines stay. Several rules ask."""
    return NOT_CODE.sub(lambda found: re.sub(r"[^\n]", " ", found.group()), text)


class Tree:
    """Everything that git tracks or would track."""

    def __init__(self, root):
        self.root = Path(root)

    @cached_property
    def paths(self):
        command = ["git", "-C", self.root, "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        listed = subprocess.run(command, check=True, capture_output=True, timeout=60).stdout.decode()
        return sorted({path for path in listed.split("\0") if path and (self.root / path).is_file()})

    def matching(self, *endings, under=("",)):
        return [path for path in self.paths if path.endswith(endings) and path.startswith(tuple(under))]

    def text(self, path):
        """The file's text; None when it is not text."""
        try:
            text = (self.root / path).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            return None
        return None if "\0" in text else text
