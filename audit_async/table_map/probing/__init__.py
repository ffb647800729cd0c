"""What only the live database can say of a mapped table, for the role that writes. One file a database:

    postgres    the table itself, the session, its partitions
    rights      of PostgreSQL: grants, sequences, row-level security
    rules       of PostgreSQL: foreign keys, checks, triggers, rewrite rules
    sqlite      the file, triggers, foreign keys, checks
    mysql       MySQL and MariaDB, by their information schema

Each reads catalogues only, in a transaction that may not write, and asks about one thing at a time: what it is refused
to look at is a finding of its own, and hides nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError

from audit_async.diagnostics import describe
from audit_async.table_map.review import UNKNOWN, Finding

Look = Callable[[], Iterable[Finding]]


def looked(connection: Connection, what: str, look: Look) -> Iterator[Finding]:
    """Yield what *look* finds; a finding that it cannot be told, where the database refuses.

    Args:
        what: is looked for, as the finding names it.
    """
    try:
        # A refused statement would end the transaction that the other looks need.
        with connection.begin_nested():
            found = list(look())
    except DBAPIError as error:
        if error.connection_invalidated:
            raise
        cause = describe(error.orig) if error.orig is not None else describe(error)
        found = [
            Finding(
                UNKNOWN,
                "",
                f"{what} cannot be looked at, so nothing is said of them here: {cause}",
                "let the role read the database's catalogue, or check as an administrator",
            )
        ]
    yield from found
