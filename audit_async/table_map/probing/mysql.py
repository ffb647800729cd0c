"""What MariaDB and MySQL say of a mapped table, by their information schema and the role's grants."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import inspect, text
from sqlalchemy.engine import Connection, Row

from audit_async.inspection import InspectedTable, TableName, inspect_now, quoted_name
from audit_async.table_map.mapping import TableMap
from audit_async.table_map.probing import looked
from audit_async.table_map.probing.wording import of_check, of_delivered_ids, of_foreign_key, of_trigger
from audit_async.table_map.review import ERROR, UNKNOWN, WARNING, Finding, key_of

_TABLE = """
SELECT found.table_type AS sort, found.engine AS engine, engine.transactions AS transactions,
       @@global.read_only AS is_read_only, current_user() AS role
  FROM information_schema.tables AS found
  LEFT JOIN information_schema.engines AS engine ON engine.engine = found.engine
 WHERE found.table_schema = coalesce(:schema, database()) AND found.table_name = :table
"""

_TEXTS = """
SELECT column_name AS name, character_set_name AS charset
  FROM information_schema.columns
 WHERE table_schema = coalesce(:schema, database()) AND table_name = :table AND character_set_name <> 'utf8mb4'
"""

_FOREIGN_KEYS = """
SELECT part.column_name AS name, part.referenced_table_name AS target, part.referenced_column_name AS target_column,
       part.constraint_name AS constraint_name, rule.delete_rule AS deletion
  FROM information_schema.key_column_usage AS part
  JOIN information_schema.referential_constraints AS rule
    ON rule.constraint_schema = part.constraint_schema AND rule.constraint_name = part.constraint_name
   AND rule.table_name = part.table_name
 WHERE part.table_schema = coalesce(:schema, database()) AND part.table_name = :table
   AND part.referenced_table_name IS NOT NULL
 ORDER BY part.constraint_name, part.ordinal_position
"""

_TRIGGERS = """
SELECT trigger_name AS name, lower(action_timing) AS timing
  FROM information_schema.triggers
 WHERE event_object_schema = coalesce(:schema, database()) AND event_object_table = :table
   AND event_manipulation = 'INSERT'
 ORDER BY action_order
"""

_GRANT = re.compile(r"GRANT (.+?) ON (?:TABLE )?(`(?:[^`]|``)+`|\*)\.(`(?:[^`]|``)+`|\*) TO ", re.IGNORECASE)
_ROLE = re.compile(r"GRANT `?[^ ]+`? TO ", re.IGNORECASE)
_RIGHT = re.compile(r"([A-Z][A-Z ]*[A-Z])\s*(?:\(([^)]*)\))?")
_JSON_CHECK = re.compile(r"^\(*\s*json_valid\(`[^`]+`\)\s*\)*$", re.IGNORECASE)


@dataclass(slots=True)
class Granted:
    """What a role may do with a table.

    Attributes:
        rights: on the whole of it.
        columns: on single columns, by right.
        has_unread_roles: it has roles besides, whose grants are not shown.
    """

    rights: set[str] = field(default_factory=set)
    columns: dict[str, set[str]] = field(default_factory=dict)
    has_unread_roles: bool = False

    def may(self, right: str, column: str | None = None) -> bool:
        return bool(self.rights & {right, "ALL PRIVILEGES"}) or column in self.columns.get(right, ())


def begin(connection: Connection) -> None:
    """See that nothing can be changed through *connection*."""
    connection.execute(text("SET SESSION TRANSACTION READ ONLY"))


def look(connection: Connection, table_map: TableMap, found: InspectedTable) -> Iterator[Finding]:
    """Yield what the database says of the table *found*."""
    bound = {"schema": found.schema, "table": found.name}
    table = connection.execute(text(_TABLE), bound).one()
    quoted = TableName(found.schema, found.name).quoted("`")
    yield from _of_table(table, found, quoted)
    granted = read_grants(
        list(connection.scalars(text("SHOW GRANTS"))),
        found.schema or connection.scalar(text("SELECT database()")),
        found.name,
    )
    yield from _of_rights(table_map, found, granted, table.role, quoted)
    yield from looked(connection, "character sets", lambda: _narrow(connection, table_map, bound, quoted))
    yield from looked(connection, "foreign keys", lambda: _foreign_keys(connection, table_map, bound))
    yield from looked(connection, "checks", lambda: _checks(connection, table_map, found))
    yield from looked(connection, "triggers", lambda: _triggers(connection, bound, granted, table.role))
    if table_map.delivered_ids is not None and not key_of(table_map, found):
        yield from looked(
            connection, "delivered_ids", lambda: _delivered_ids(connection, table_map.delivered_ids or "")
        )


def _of_table(table: Row[Any], found: InspectedTable, quoted: str) -> Iterator[Finding]:
    if table.sort != "BASE TABLE":
        yield Finding(
            WARNING,
            "",
            f"{found.name} is a view: what of a row arrives, and whether it is there already, only the table behind "
            "it knows",
            "map the table behind it",
        )
    elif table.transactions != "YES":
        yield Finding(
            WARNING,
            "",
            f"the table's engine {table.engine} has no transactions: of a batch that fails in the middle some rows "
            "stay, and a crash of the server can take rows that were confirmed",
            f"ALTER TABLE {quoted} ENGINE = InnoDB",
        )
    if table.is_read_only:
        yield Finding(
            ERROR,
            "",
            "the server is read-only (read_only), as a replica is: events wait",
            "give the URL of the primary",
        )


def read_grants(lines: list[str], database: str, table: str) -> Granted:
    """Return what the lines of SHOW GRANTS allow on *table*, by grants on it, its database and the server."""
    granted = Granted()
    for line in lines:
        found = _GRANT.match(line)
        if found is None:
            granted.has_unread_roles |= bool(_ROLE.match(line))
            continue
        on_database, on_table = _unquoted(found.group(2)), _unquoted(found.group(3))
        if not _covers(on_database, database, is_pattern=on_table == "*") or on_table not in ("*", table):
            continue
        for right, columns in _RIGHT.findall(found.group(1)):
            if columns:
                names = {_unquoted(name.strip()) for name in columns.split(",")}
                granted.columns.setdefault(right, set()).update(names)
            else:
                granted.rights.add(right)
    return granted


def _unquoted(name: str) -> str:
    return name[1:-1].replace("``", "`") if name.startswith("`") else name


def _covers(granted: str, database: str, *, is_pattern: bool) -> bool:
    """Return whether a grant on *granted* is one on *database*: `%` and `_` stand for others there."""
    if granted in ("*", database) or not is_pattern:
        return granted in ("*", database)
    parts = re.findall(r"\\.|.", granted, re.DOTALL)
    wild = {"%": ".*", "_": "."}
    pattern = "".join(wild[part] if part in wild else re.escape(part.removeprefix("\\")) for part in parts)
    return re.fullmatch(pattern, database, re.DOTALL) is not None


def _of_rights(
    table_map: TableMap, found: InspectedTable, granted: Granted, role: str, quoted: str
) -> Iterator[Finding]:
    user, _, host = role.rpartition("@")
    to = f"{quoted_name(user, '`')}@{quoted_name(host, '`')}"
    filled = [name for name in table_map.sources if found.column(name) is not None]
    refused = [name for name in filled if not granted.may("INSERT", name)]
    if refused and granted.has_unread_roles:
        yield Finding(UNKNOWN, "", f"whether {role} may insert depends on its roles, whose grants are not shown to it")
    elif filled and refused == filled:
        yield Finding(ERROR, "", f"{role} may not insert into {found.name}", f"GRANT INSERT ON {quoted} TO {to}")
    else:
        for name in refused:
            yield Finding(
                ERROR,
                name,
                f"{role} may not insert into it",
                f"GRANT INSERT ({quoted_name(name, '`')}) ON {quoted} TO {to}, or take it off the map",
            )


def _narrow(
    connection: Connection, table_map: TableMap, bound: dict[str, str | None], quoted: str
) -> Iterator[Finding]:
    for column in connection.execute(text(_TEXTS), bound):
        if column.name in table_map.sources:
            yield Finding(
                WARNING,
                column.name,
                f"has the character set {column.charset}: an event with a character that it has not, such as an emoji, "
                "is refused and goes to quarantine",
                f"ALTER TABLE {quoted} CONVERT TO CHARACTER SET utf8mb4",
            )


def _foreign_keys(connection: Connection, table_map: TableMap, bound: dict[str, str | None]) -> Iterator[Finding]:
    keys: dict[str, list[Row[Any]]] = {}
    for part in connection.execute(text(_FOREIGN_KEYS), bound):
        keys.setdefault(part.constraint_name, []).append(part)
    for parts in keys.values():
        columns, targets = tuple(part.name for part in parts), tuple(part.target_column for part in parts)
        yield from of_foreign_key(table_map, columns, parts[0].target, targets, parts[0].deletion)


def _checks(connection: Connection, table_map: TableMap, found: InspectedTable) -> Iterator[Finding]:
    for check in inspect(connection).get_check_constraints(found.name, schema=found.schema):
        definition = str(check["sqltext"])
        # MariaDB has one of these on each JSON column, which JSON always holds.
        if _JSON_CHECK.match(definition):
            continue
        columns = tuple(column.name for column in found.columns if quoted_name(column.name, "`") in definition)
        yield from of_check(table_map, str(check["name"] or ""), f"CHECK ({definition})", columns)


def _triggers(connection: Connection, bound: dict[str, str | None], granted: Granted, role: str) -> Iterator[Finding]:
    found = connection.execute(text(_TRIGGERS), bound).all()
    for trigger in found:
        yield of_trigger(trigger.name, trigger.timing, "its statements")
    if not found and not granted.may("TRIGGER"):
        yield Finding(
            UNKNOWN,
            "",
            f"whether triggers fire on INSERT is not shown to {role}, which lacks the right TRIGGER",
            "check once with a role that has it",
        )


def _delivered_ids(connection: Connection, name: str) -> Iterator[Finding]:
    there = TableName.parse(name)
    # Compared byte by byte: ids that differ in case are two.
    create = f"CREATE TABLE {there.quoted('`')} (id varchar(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PRIMARY KEY)"
    yield from of_delivered_ids(name, inspect_now(connection, there), create)
