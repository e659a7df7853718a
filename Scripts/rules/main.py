"""Runs the import rule and the house rules over a working copy; exits 1 when something was found."""

import argparse
import subprocess
import sys
from pathlib import Path

import arrows
import house
import self_test
from tree import Tree


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parents[2])
    parser.add_argument("--self-test", action="store_true", help="plant one violation of each rule in a copy")
    options = parser.parse_args()
    if options.self_test:
        return self_test.run(options.root)
    tree = Tree(options.root)
    found = [*arrows.findings(tree, arrows.dump_package(options.root)), *house.findings(tree)]
    for finding in sorted(found, key=lambda finding: (finding.path, finding.line)):
        print(finding)
    print(f"rules: {len(tree.paths)} files, {len(found)} finding(s)", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except subprocess.CalledProcessError as error:
        sys.exit(f"{' '.join(map(str, error.cmd))}:\n{(error.stderr or b'').decode(errors='replace')}")
