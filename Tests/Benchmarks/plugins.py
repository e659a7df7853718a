"""Compiles the shared libraries that exist only to be measured."""

import json
import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
COMPILE_TIMEOUT_S = 120


def compile_plugin(output, sources, include=(), *flags):
    """One `cc` line, the recipe that the README gives to authors."""
    command = ["cc", "-shared", "-fPIC", "-O2", "-fvisibility=hidden", "-Wl,-Bsymbolic", "-Wl,-z,now"]
    command += [f"-Wl,--version-script={ROOT / 'PluginAPI/Recipes/plugin.map'}"]
    command += [f"-I{ROOT / 'PluginAPI/C/include'}", *(f"-I{path}" for path in include), *flags]
    command += ["-o", str(output), *map(str, sources)]
    subprocess.run(command, check=True, timeout=COMPILE_TIMEOUT_S)
    return output


def routes_plugin(folder, count):
    """A plugin with `count` routes `/bench/r<n>/{id}`; returns it and one path per route."""
    folder = folder / f"routes-{count}"
    folder.mkdir(parents=True, exist_ok=True)
    routes = [
        {"method": "GET", "path": f"/r{n}/{{id}}", "operation": f"r{n}", "execution": "inline"}
        for n in range(count)
    ]
    manifest = {"id": "bench", "version": "1.0.0", "routes": routes}
    text = json.dumps(manifest, separators=(",", ":"))
    # One literal per kilobyte: neighbours are one string to the compiler.
    pieces = [json.dumps(text[at : at + 1024]) for at in range(0, len(text), 1024)]
    header = "static const char manifest_text[] =\n  " + "\n  ".join(pieces) + ";\n"
    (folder / "routes_manifest.h").write_text(header)
    library = compile_plugin(folder / f"routes-{count}.so", [HERE / "Plugins/routes.c"], [folder])
    paths = folder / "paths.txt"
    paths.write_text("".join(f"/bench/r{n}/{n + 17}\n" for n in range(count)))
    return library, paths


def hello_variants(folder, count=2, padding=100 * 1024):
    """Hello, `count` times, each a file of its own and about 100 KB: what DESIGN 11 reloads."""
    folder.mkdir(parents=True, exist_ok=True)
    hello = ROOT / "Plugins/Examples/Hello/hello.c"
    variants = []
    for number in range(1, count + 1):
        source = folder / f"padding-{number}.c"
        # `used` keeps the bytes although nothing reads them; a first byte that is not zero keeps them in the file.
        source.write_text(f"__attribute__((used)) static const char padding[{padding}] = {{{number}}};\n")
        variants.append(compile_plugin(folder / f"hello-{number}.so", [hello, source]))
    return variants
