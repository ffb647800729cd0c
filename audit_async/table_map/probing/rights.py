"""What the role may do with a mapped table on PostgreSQL, asked of the server itself."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import text
from sqlalchemy.engine import Connection

from audit_async.inspection import InspectedTable, TableName, inspect_now, quoted_name
from audit_async.table_map.mapping import TableMap
from audit_async.table_map.probing import looked
from audit_async.table_map.probing.wording import of_delivered_ids
from audit_async.table_map.review import ERROR, INFO, WARNING, Finding, key_of, other_keys_of

_COLUMNS = """
SELECT attname::text AS name,
       has_column_privilege(attrelid, attnum, 'INSERT') AS may_insert,
       has_column_privilege(attrelid, attnum, 'SELECT') AS may_select
  FROM pg_attribute
 WHERE attrelid = to_regclass(:table) AND attnum > 0 AND NOT attisdropped
"""

# Sequences and functions that the default of a column calls; those of the server itself are open to all.
_DEFAULTS = """
SELECT attribute.attname::text AS column,
       coalesce(sequence.oid::regclass::text, function.oid::regprocedure::text) AS name,
       sequence.oid IS NOT NULL AS is_sequence
  FROM pg_attrdef AS preset
  JOIN pg_attribute AS attribute ON attribute.attrelid = preset.adrelid AND attribute.attnum = preset.adnum
  JOIN pg_depend AS need ON need.classid = 'pg_attrdef'::regclass AND need.objid = preset.oid
  LEFT JOIN pg_class AS sequence
    ON need.refclassid = 'pg_class'::regclass AND sequence.oid = need.refobjid AND sequence.relkind = 'S'
  LEFT JOIN pg_proc AS function ON need.refclassid = 'pg_proc'::regclass AND function.oid = need.refobjid
 WHERE preset.adrelid = to_regclass(:table) AND attribute.attgenerated = ''
   AND CASE WHEN sequence.oid IS NOT NULL THEN NOT has_sequence_privilege(sequence.oid, 'USAGE, UPDATE')
            WHEN function.oid IS NOT NULL THEN NOT has_function_privilege(function.oid, 'EXECUTE')
            ELSE false END
"""

_POLICIES = """
SELECT policy.polname::text AS name,
       policy.polpermissive AS is_permissive,
       coalesce(pg_get_expr(policy.polwithcheck, policy.polrelid), pg_get_expr(policy.polqual, policy.polrelid))
         AS condition
  FROM pg_policy AS policy
 WHERE policy.polrelid = to_regclass(:table) AND policy.polcmd IN ('a', '*')
   AND (policy.polroles = '{0}'::oid[]
        OR EXISTS (SELECT FROM unnest(policy.polroles) AS role WHERE pg_has_role(role, 'USAGE')))
 ORDER BY policy.polname
"""


def rights(connection: Connection, table_map: TableMap, found: InspectedTable, role: str) -> Iterator[Finding]:
    """Yield what *role* lacks to write rows of the map."""
    table = TableName(found.schema, found.name).quoted()
    yield from looked(connection, "rights", lambda: _of_columns(connection, table_map, found, table, role))
    yield from looked(connection, "defaults", lambda: _of_defaults(connection, table_map, table, role))
    yield from looked(connection, "policies", lambda: _of_policies(connection, table, role))


def _of_columns(
    connection: Connection, table_map: TableMap, found: InspectedTable, table: str, role: str
) -> Iterator[Finding]:
    columns = {row.name: row for row in connection.execute(text(_COLUMNS), {"table": table})}
    filled = [name for name in table_map.sources if name in columns]
    refused = [name for name in filled if not columns[name].may_insert]
    if filled and refused == filled:
        yield Finding(ERROR, "", f"{role} may not insert into {found.name}", f'GRANT INSERT ON {table} TO "{role}"')
    else:
        for name in refused:
            yield Finding(
                ERROR,
                name,
                f"{role} may not insert into it",
                f'GRANT INSERT ({quoted_name(name)}) ON {table} TO "{role}", or take it off the map',
            )
    # With other unique keys about, the statement names its key as the target, which is read then.
    if not other_keys_of(table_map, found):
        return
    for name in key_of(table_map, found):
        if name in columns and not columns[name].may_select:
            yield Finding(
                ERROR,
                name,
                f"{role} may not read it: with a further unique key on the table, a row that is there already is "
                "recognised by reading it",
                f'GRANT SELECT ({quoted_name(name)}) ON {table} TO "{role}"',
            )


def _of_defaults(connection: Connection, table_map: TableMap, table: str, role: str) -> Iterator[Finding]:
    for need in connection.execute(text(_DEFAULTS), {"table": table}):
        if need.column in table_map.sources:
            continue
        if need.is_sequence:
            yield Finding(
                ERROR,
                need.column,
                f"is numbered by the sequence {need.name}, which {role} may not use: every row is refused",
                f'GRANT USAGE ON SEQUENCE {need.name} TO "{role}"',
            )
        else:
            yield Finding(
                ERROR,
                need.column,
                f"takes its default from the function {need.name}, which {role} may not call: every row is refused",
                f'GRANT EXECUTE ON FUNCTION {need.name} TO "{role}"',
            )


def _of_policies(connection: Connection, table: str, role: str) -> Iterator[Finding]:
    """Yield what row-level security lets the role write; it is asked whether it applies to this very role."""
    if not connection.scalar(text("SELECT row_security_active(cast(to_regclass(:table) AS oid))"), {"table": table}):
        return
    policies = connection.execute(text(_POLICIES), {"table": table}).all()
    hint = f'CREATE POLICY audit_insert ON {table} FOR INSERT TO "{role}" WITH CHECK (true)'
    if not any(policy.is_permissive for policy in policies):
        yield Finding(
            ERROR, "", f"row-level security has no policy that lets {role} insert: every row is refused", hint
        )
        return
    yield Finding(
        INFO, "", f"row-level security applies to {role}, so rows are inserted by INSERT; COPY, which is faster, is not"
    )
    for policy in policies:
        if policy.condition not in (None, "true"):
            yield Finding(
                WARNING,
                "",
                f"the policy {policy.name} lets {role} insert only rows with {policy.condition}: an event of another "
                "kind is refused, and all behind it wait",
                hint,
            )


def delivered_ids(connection: Connection, name: str, role: str) -> Iterator[Finding]:
    """Yield what the table *name* lacks that is to remember the ids of what was delivered."""
    there = TableName.parse(name)
    found, table = inspect_now(connection, there), there.quoted()
    create = f'CREATE TABLE {table} (id text PRIMARY KEY); GRANT SELECT, INSERT ON {table} TO "{role}"'
    unfit = list(of_delivered_ids(name, found, create))
    if unfit:
        yield from unfit
        return
    needed = connection.execute(
        text(
            "SELECT has_column_privilege(to_regclass(:table)::oid, 'id', 'INSERT') AS may_insert,"
            " has_column_privilege(to_regclass(:table)::oid, 'id', 'SELECT') AS may_select"
        ),
        {"table": table},
    ).one()
    lacking = [right for right, is_given in zip(("INSERT", "SELECT"), needed, strict=True) if not is_given]
    if lacking:
        yield Finding(
            ERROR,
            "",
            f"{role} lacks {' and '.join(lacking)} on {name}, which remembers the ids of what was delivered",
            f'GRANT SELECT, INSERT ON {table} TO "{role}"',
        )
