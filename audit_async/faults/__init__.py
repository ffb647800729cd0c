"""What a database's error means for the batch: wait, mend, leave a row out, or replay.

    place      where a batch was to go, as messages name it
    causes     what an error wraps, and what of it may be told on
    postgres   by the five characters of the SQL standard, which asyncpg and psycopg give
    mysql      by MySQL's and MariaDB's own numbers
    sqlite     by SQLite's names
    verdict    which of them is to judge; and errors without a code

The class of an exception says little: a refused connection is a bare `OSError`, a lost one a plain
`DBAPIError`, a time-out has no text at all. Of an error about a row only its kind and the column are told on:
what else the database says may quote the row.
"""

from __future__ import annotations

from audit_async.faults.place import Place
from audit_async.faults.verdict import raise_verdict, translate

__all__ = ["Place", "raise_verdict", "translate"]
