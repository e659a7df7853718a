"""The servers that Council is compared with, each set up to be as fast as it goes."""

import os
import subprocess
import sys
from pathlib import Path

from servers import Failed, Server, free_port

HERE = Path(__file__).resolve().parent
MODULES = Path("/usr/lib/nginx/modules")
WORKERS = 2

NGINX = """
worker_processes {workers};
daemon off;
pid {folder}/{name}.pid;
error_log {folder}/{name}.log warn;
{modules}
events {{ worker_connections 8192; }}
http {{
  access_log off;
  # A connection closed after 1,000 requests, the default, would count against nginx.
  keepalive_requests 1000000000;
  client_body_temp_path {folder}/{name}-body;
  proxy_temp_path {folder}/{name}-proxy;
  fastcgi_temp_path {folder}/{name}-fastcgi;
  uwsgi_temp_path {folder}/{name}-uwsgi;
  scgi_temp_path {folder}/{name}-scgi;
  default_type application/json;
  {http}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{ {location} }}
  }}
}}
"""


def quoted(text):
    """A string of nginx's configuration. `$` starts a variable there, without an escape: refuse it."""
    if "$" in text:
        raise ValueError("'$' cannot stand in an nginx string")
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def nginx(name, folder, location, http="", modules="", ready_headers=None, ready_path="/ready"):
    port = free_port()
    configuration = folder / f"{name}.conf"
    configuration.write_text(NGINX.format(
        workers=WORKERS, folder=folder, name=name, modules=modules, http=http, port=port,
        location=location))
    command = ["nginx", "-e", folder / f"{name}.log", "-c", configuration]
    server = Server(name, command, folder, f"http://127.0.0.1:{port}{ready_path}", headers=ready_headers)
    server.root = f"http://127.0.0.1:{port}"
    return server


def nginx_return(name, folder, body):
    """The ceiling: `return 200` with the very bytes that Council answers."""
    return nginx(name, folder, f"return 200 {quoted(body)};")


LUA = "".join(
    f"load_module {MODULES / name};\n" for name in ("ndk_http_module.so", "ngx_http_lua_module.so"))
LUA_TABLES = (
    f"lua_package_path '{HERE / 'Peers'}/?.lua;;';\n  lua_shared_dict keys 32m;\n"
    "  lua_shared_dict counts 32m;\n  lua_shared_dict scopes 32m;\n")


def nginx_lua(folder, body, keys, a_key):
    """A gateway: key look-up by SHA-256, a limit in shared memory, then the answer."""
    http = LUA_TABLES + f"  init_by_lua_block {{ require('key_limit').load({quoted(str(keys))}) }}"
    # With its length said, the answer is not chunked: one write less.
    location = (
        "access_by_lua_block { require('key_limit').admit() }\n"
        f"      content_by_lua_block {{ ngx.header.content_length = {len(body)} ngx.print({quoted(body)}) }}")
    return nginx("nginx_lua", folder, location, http, LUA, {"Authorization": f"Bearer {a_key}"})


# What Council's trail says of a call.
AUDIT_ROW = (
    '{"time":"$msec","request_id":"$request_id","principal":"$principal","method":"$request_method",'
    '"path":"$uri","automation":"hello","operation":"greet","status":$status,"duration":$request_time,'
    '"address":"$remote_addr"}')


def nginx_lua_gateway(folder, keys, a_key, ready_path):
    """The same, and what else Council does for each call: permission, rules, headers, an audit row. The rows are written
    as often as Council's, without its chain of hashes, and nobody waits until they are on the disk."""
    http = (
        LUA_TABLES + f"  init_by_lua_block {{ require('gateway').load({quoted(str(keys))}) }}\n"
        "  init_worker_by_lua_block { require('gateway').seed() }\n"
        f"  log_format audit escape=json '{AUDIT_ROW}';")
    location = (
        f"access_log {folder}/nginx_lua_gateway.audit audit buffer=4m flush=40ms;\n      set $principal '';\n"
        "      content_by_lua_block { require('gateway').answer() }")
    return nginx("nginx_lua_gateway", folder, location, http, LUA, {"Authorization": f"Bearer {a_key}"}, ready_path)


def python_environment(folder):
    """A virtual environment with FastAPI, made once; returns its bin folder."""
    programs = folder / "bin"
    if (programs / "uvicorn").exists():
        return programs
    print("  installing fastapi, uvicorn, uvloop, httptools …", file=sys.stderr, flush=True)
    subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True, timeout=120)
    install = [programs / "pip", "install", "--quiet", "fastapi", "uvicorn", "uvloop", "httptools"]
    subprocess.run(install, check=True, timeout=300, stdout=sys.stderr)
    return programs


def fastapi(name, programs, folder, keys, a_key, ready_path, workers, database=None):
    port = free_port()
    command = [programs / "uvicorn", "--app-dir", HERE / "Peers", "hello_app:app", "--host", "127.0.0.1"]
    command += ["--port", str(port), "--workers", str(workers), "--loop", "uvloop", "--http", "httptools"]
    command += ["--no-access-log", "--log-level", "warning"]
    environment = {"BENCH_KEYS": str(keys), "PYTHONDONTWRITEBYTECODE": "1"}
    if database:
        environment["BENCH_DATABASE"] = str(database)
    server = Server(
        name, command, folder, f"http://127.0.0.1:{port}{ready_path}", ready_s=40,
        headers={"Authorization": f"Bearer {a_key}"}, environment=environment)
    server.root = f"http://127.0.0.1:{port}"
    return server


def sqlite_loop(folder, seconds):
    """Rows per second of the loop in sqlite_loop.py, on the file system that Council writes to."""
    database = folder / "loop.db"
    command = [sys.executable, HERE / "sqlite_loop.py", database, str(seconds)]
    try:
        done = subprocess.run(command, check=True, timeout=seconds + 30, capture_output=True, text=True)
    except subprocess.SubprocessError as error:
        raise Failed(f"the SQLite loop: {error}") from error
    return float(done.stdout)


def versions(programs):
    """What was compared, for the report."""

    def first_line(*command):
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=20, env={**os.environ, "LC_ALL": "C"})
        except (OSError, subprocess.SubprocessError):
            return "unknown"
        return next(iter((done.stdout + done.stderr).splitlines()), "unknown").strip()

    script = "import fastapi, uvicorn; print('fastapi', fastapi.__version__, 'uvicorn', uvicorn.__version__)"
    return {
        "nginx": first_line("nginx", "-v"),
        "fastapi": first_line(str(programs / "python"), "-c", script),
        "wrk": first_line("wrk", "-v"),
        "python": sys.version.split()[0],
        "kernel": os.uname().release,
        "cores": os.cpu_count(),
    }
