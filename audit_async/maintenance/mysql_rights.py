"""The rights on our table on MariaDB and MySQL. The accounts must be there: who makes one chooses its password."""

from __future__ import annotations

from collections.abc import Iterator

from audit_async.inspection import TableName
from audit_async.table.columns import COLUMNS
from audit_async.table.triggers import literal


def mysql_rights(name: TableName, writer: str, reader: str, auditor: str) -> Iterator[tuple[str, str]]:
    """Yield what each account may. None has DROP, without which there is no TRUNCATE, nor ALTER or TRIGGER."""
    table = name.quoted("`")
    columns = ", ".join(f"`{column}`" for column in COLUMNS)
    yield (
        "The writer adds rows, without the columns that the database fills, and sees what columns there are: for a\n"
        "table SHOW VIEW means no more than that.",
        f"GRANT SHOW VIEW, INSERT ({columns}) ON {table} TO {_account(writer)}",
    )
    for role, account in (("reader", reader), ("auditor", auditor)):
        yield f"The {role} reads.", f"GRANT SELECT ON {table} TO {_account(account)}"


def _account(name: str) -> str:
    """Return `user` or `user@host` for a statement."""
    user, _, host = name.partition("@")
    return f"{literal(user)}@{literal(host or '%')}"
