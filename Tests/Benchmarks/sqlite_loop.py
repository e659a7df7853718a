"""The durable peer: inserts of one row, one commit each, in a loop, for some seconds; prints rows per second.

What an endpoint reaches that commits each request on its own: same durability (WAL, synchronous=FULL), same
columns and indexes as the accounts of the example plugin, prepared once, no HTTP at all.
"""

import sqlite3
import sys
import time
import uuid


def main(path, seconds):
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=FULL")
    database.execute(
        "CREATE TABLE IF NOT EXISTS accounts (id TEXT PRIMARY KEY, version INTEGER NOT NULL, name TEXT NOT NULL,"
        " email TEXT NOT NULL UNIQUE, balance INTEGER NOT NULL, currency TEXT NOT NULL,"
        " created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL)")
    rows, started = 0, time.monotonic()
    while (elapsed := time.monotonic() - started) < seconds:
        id = uuid.uuid4().hex
        database.execute("BEGIN IMMEDIATE")
        database.execute(
            "INSERT INTO accounts VALUES (?, 1, ?, ?, ?, ?, ?, ?)",
            (id, f"Account {rows}", f"{id}@example.com", rows, "EUR", rows, rows))
        database.execute("COMMIT")
        rows += 1
    print(rows / elapsed)


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
