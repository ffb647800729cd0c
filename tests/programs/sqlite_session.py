"""Be another process that uses a SQLite file, with nothing of the library.

    python -m tests.programs.sqlite_session FILE STATEMENT...

Executes the statements, prints `done`, and ends at a line on stdin, or when killed, with whatever is open then.
"""

from __future__ import annotations

import os
import sqlite3
import sys

WAIT_SECONDS = 30  # for the transactions of others


def run(file: str, *statements: str) -> None:
    """Do it."""
    connection = sqlite3.connect(file, isolation_level=None, timeout=WAIT_SECONDS)
    for statement in statements:
        connection.execute(statement).fetchall()
    os.write(1, b"done\n")
    sys.stdin.readline()


if __name__ == "__main__":
    run(*sys.argv[1:])
