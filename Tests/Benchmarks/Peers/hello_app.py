"""The FastAPI peers: one route behind an API key and a limit, and one that reads SQLite by id.

Written to be as fast as FastAPI goes: uvloop and httptools, async handlers that never hop to a thread,
a bytes answer that skips the response model.
"""

import hashlib
import os
import sqlite3
import time

from fastapi import Depends, FastAPI, HTTPException, Request, Response

LIMIT, WINDOW_S = 1_000_000_000, 60.0

app = FastAPI()
principals = {}
counts = {}
with open(os.environ["BENCH_KEYS"], encoding="ascii") as lines:
    for number, line in enumerate(lines):
        principals[hashlib.sha256(line.strip().encode()).digest()] = f"principal-{number}"


async def admitted(request: Request) -> str:
    header = request.headers.get("authorization", "")
    if not header.startswith("Bearer "):
        raise HTTPException(401)
    principal = principals.get(hashlib.sha256(header[7:].encode()).digest())
    if principal is None:
        raise HTTPException(401)
    now = time.monotonic()
    window_end, left = counts.get(principal, (0.0, 0))
    if now >= window_end:
        window_end, left = now + WINDOW_S, LIMIT
    if left == 0:
        raise HTTPException(429)
    counts[principal] = (window_end, left - 1)
    return principal


@app.get("/hello/{name}")
async def hello(name: str, principal: str = Depends(admitted)):
    return Response(b'{"message":"Hello, ' + name.encode() + b'!"}', media_type="application/json")


database = sqlite3.connect(os.environ["BENCH_DATABASE"]) if "BENCH_DATABASE" in os.environ else None


@app.get("/accounts/{id}")
async def account(id: str, principal: str = Depends(admitted)):
    row = database.execute(
        "SELECT json_object('id', id, 'name', name, 'email', email, 'balance', balance,"
        " 'currency', currency) FROM accounts WHERE id = ?",
        (id,),
    ).fetchone()
    if row is None:
        raise HTTPException(404)
    return Response(row[0], media_type="application/json")
