"""The guard of our table: triggers that refuse every change of a row that is there.

Three ways lead past a simple trigger, and each has its answer here.

On PostgreSQL a row trigger reaches every partition, also one that is made or attached later, and what a
replication applies; but it lets a TRUNCATE pass, and a statement that happens to touch no row. A statement
trigger stops both, but only for the relation that the statement names, so each partition gets its own. A
superuser's `session_replication_role = replica` skips triggers, save those that are ENABLE ALWAYS.

On SQLite `INSERT OR REPLACE` removes a row without a word to the triggers for DELETE. A trigger for INSERT
passes over a key that is there, as our own statement does.

On MariaDB and MySQL a repeated batch fires the trigger for UPDATE though it changes nothing: that may pass.

No trigger stops a DROP, a DETACH or an ALTER, by which whoever owns the table lifts the guard as well; on
MariaDB and MySQL a TRUNCATE is one of these. That is for the rights to forbid, see `maintenance.roles`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from audit_async.errors import ConfigurationError
from audit_async.inspection import TableName
from audit_async.table.columns import COLUMNS, KEY

ROW_TRIGGER = "audit_append_only"
STATEMENT_TRIGGER = "audit_append_only_statement"
FUNCTION = "audit_refuse_change"

_HINT = "old rows are removed by `audit-async maintain`"
_MYSQL = ("mysql", "mariadb")


def guard_statements(name: TableName, dialect: str) -> list[str]:
    """Return what guards our table *name*, on PostgreSQL with all its partitions. It may run again.

    Raises:
        ConfigurationError: *dialect* is of no database that our table is made on.
    """
    if dialect == "postgresql":
        return [_postgres(name)]
    if dialect == "sqlite":
        return [f"DROP TRIGGER IF EXISTS {quoted}" for quoted in _sqlite(name)] + list(_sqlite(name).values())
    if dialect in _MYSQL:
        return [f"DROP TRIGGER IF EXISTS {quoted}" for quoted in _mysql(name)] + list(_mysql(name).values())
    raise ConfigurationError(f"no table can be guarded on {dialect}", hint="use PostgreSQL, SQLite or MariaDB")


def guard_partition_statements(name: TableName, partition: TableName) -> list[str]:
    """Return what guards *partition* of the guarded table *name* on PostgreSQL, once it is made or attached.

    Its row trigger came from *name* by then; what it lacks is the one against a TRUNCATE.
    """
    return [_postgres(TableName(partition.schema or name.schema, partition.name), row_trigger="false")]


async def is_guarded(connection: AsyncConnection, name: TableName) -> bool:
    """Say whether the table *name* and each of its partitions refuse every change, as made by `guard`."""
    dialect = connection.dialect.name
    if dialect == "postgresql":
        bound = {"table": name.quoted(), "row": ROW_TRIGGER, "statement": STATEMENT_TRIGGER, "body": _BODY}
        return bool((await connection.execute(text(_IS_GUARDED), bound)).scalar())
    if dialect == "sqlite":
        master = TableName(name.schema, "sqlite_master").quoted()
        found = await connection.exec_driver_sql(f"SELECT sql FROM {master} WHERE type = 'trigger'")
        return set(_sqlite(name).values()) <= set(found.scalars())
    return set(_mysql(name)) <= await _mysql_triggers(connection, name)


async def has_guard(connection: AsyncConnection, name: TableName) -> bool:
    """Say whether *name* was ever guarded: a partition of it, or a trigger, may be missing by now."""
    if connection.dialect.name != "postgresql":
        return await is_guarded(connection, name)
    statement = "SELECT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = to_regclass(:table) AND tgname = :ours)"
    bound = {"table": name.quoted(), "ours": STATEMENT_TRIGGER}
    return bool((await connection.execute(text(statement), bound)).scalar())


async def guard(connection: AsyncConnection, name: TableName) -> None:
    """Guard the table *name* and all its partitions in the open transaction; do nothing where they are.

    On PostgreSQL writers wait until that transaction ends.
    """
    if await is_guarded(connection, name):
        return
    for statement in guard_statements(name, connection.dialect.name):
        await connection.exec_driver_sql(statement)


@asynccontextmanager
async def unguarded(connection: AsyncConnection, name: TableName) -> AsyncIterator[None]:
    """Lift the guard of *name* for the open transaction alone, and put it back before the block ends.

    A table that is not guarded stays so. *name* may be one partition: then the table itself, through which
    writers insert, is not locked. On PostgreSQL and SQLite the block is a savepoint: an exception undoes all of it,
    a crash leaves the guard on, and nobody else can write to *name* until the transaction ends. On MariaDB and
    MySQL the guard is lifted for this session alone, since dropping a trigger there would end the transaction.

    Raises:
        ConfigurationError: the block ended the transaction itself; the guard was off meanwhile, and is on again.
    """
    if not await has_guard(connection, name):
        yield
        return
    if connection.dialect.name in _MYSQL:
        async with _unguarded_session(connection, name):
            yield
        return
    await _begin(connection)
    nested = await connection.begin_nested()
    try:
        for statement in _lifting(name, connection.dialect.name):
            await connection.exec_driver_sql(statement)
        yield
    except BaseException:
        if nested.is_active:
            await nested.rollback()
        else:
            await guard(connection, name)
            await connection.commit()
        raise
    await guard(connection, name)
    if not nested.is_active:
        await connection.commit()
        raise ConfigurationError(
            f"the transaction in which {name} is unguarded ended too early", hint="commit behind the block"
        )
    await nested.commit()


def _lifting(name: TableName, dialect: str) -> list[str]:
    if dialect == "sqlite":
        return [f"DROP TRIGGER {quoted}" for quoted in _sqlite(name)]
    return [_do(_LIFT.format(root=_regclass(name)))]


async def _begin(connection: AsyncConnection) -> None:
    """Begin a transaction on SQLite where there is none: the driver begins one for a change of rows only."""
    if connection.dialect.name == "sqlite":
        raw = (await connection.get_raw_connection()).driver_connection
        if raw is not None and not raw.in_transaction:
            await connection.exec_driver_sql("BEGIN IMMEDIATE")


# --- PostgreSQL ----------------------------------------------------------------------------------------------

_BODY = f"""
BEGIN
  RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege', SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME,
    MESSAGE = 'table ' || quote_ident(TG_TABLE_NAME) || ' is append-only: ' || TG_OP || ' is refused',
    HINT = '{_HINT}';
END
"""

_TREE = "SELECT {root} UNION SELECT relid FROM pg_partition_tree({root})"

# What is named like ours but does another thing, or nothing, is none. Types: 27 is BEFORE UPDATE OR DELETE for
# each row, 58 is BEFORE UPDATE OR DELETE OR TRUNCATE for each statement.
_SOUND = """
  SELECT made.tgrelid, made.tgname, made.tgenabled
    FROM pg_trigger AS made
    JOIN pg_proc AS function ON function.oid = made.tgfoid AND function.prosrc = {body}
   WHERE (made.tgname, made.tgtype) IN (({row}, 27), ({statement}, 58))
     AND made.tgqual IS NULL AND cardinality(made.tgattr::int2[]) = 0
"""

_IS_GUARDED = f"""
WITH sound AS ({_SOUND.format(body=":body", row=":row", statement=":statement")})
SELECT count(*) > 0 AND bool_and(
         (SELECT count(*) FROM sound WHERE sound.tgrelid = part.relid AND sound.tgenabled = 'A') = 2)
  FROM ({_TREE.format(root="to_regclass(:table)")}) AS part (relid)
"""

_GUARD = f"""
DECLARE
  root CONSTANT regclass := {{root}};
  home CONSTANT text := (SELECT relnamespace::regnamespace FROM pg_class WHERE oid = root);
  body CONSTANT text := {{body}};
  part regclass;
  ours name;
BEGIN
  LOCK TABLE {{table}} IN SHARE ROW EXCLUSIVE MODE;
  IF NOT EXISTS (SELECT FROM pg_proc WHERE proname = '{FUNCTION}' AND pronamespace = home::regnamespace
                    AND prosrc = body) THEN
    EXECUTE 'CREATE OR REPLACE FUNCTION ' || home || '.{FUNCTION}() RETURNS trigger LANGUAGE plpgsql'
            ' SECURITY INVOKER SET search_path = pg_catalog, pg_temp AS ' || quote_literal(body);
    EXECUTE 'REVOKE ALL ON FUNCTION ' || home || '.{FUNCTION}() FROM PUBLIC';
  END IF;
  FOR part, ours IN
    SELECT found.relid, wanted.name
      FROM ({_TREE.format(root="root")}) AS found (relid)
      JOIN (VALUES ('{ROW_TRIGGER}'::name), ('{STATEMENT_TRIGGER}')) AS wanted (name)
        ON wanted.name = '{STATEMENT_TRIGGER}' OR found.relid = root AND {{has_own_row_trigger}}
     WHERE (found.relid, wanted.name) NOT IN (SELECT tgrelid, tgname FROM (
       {_SOUND.format(body="body", row=f"'{ROW_TRIGGER}'", statement=f"'{STATEMENT_TRIGGER}'")}) AS sound)
  LOOP
    EXECUTE 'DROP TRIGGER IF EXISTS ' || ours || ' ON ' || part;
    EXECUTE 'CREATE TRIGGER ' || ours || ' BEFORE UPDATE OR DELETE' ||
            CASE ours WHEN '{ROW_TRIGGER}' THEN ' ON ' || part || ' FOR EACH ROW'
                      ELSE ' OR TRUNCATE ON ' || part || ' FOR EACH STATEMENT' END ||
            ' EXECUTE FUNCTION ' || home || '.{FUNCTION}()';
  END LOOP;
  FOR part, ours IN
    SELECT tgrelid, tgname FROM pg_trigger
     WHERE tgrelid IN ({_TREE.format(root="root")})
       AND tgname IN ('{ROW_TRIGGER}', '{STATEMENT_TRIGGER}') AND tgenabled <> 'A'
  LOOP
    EXECUTE 'ALTER TABLE ' || part || ' ENABLE ALWAYS TRIGGER ' || ours;
  END LOOP;
END
"""

_LIFT = f"""
DECLARE
  root CONSTANT regclass := {{root}};
  part regclass;
  ours name;
BEGIN
  FOR part, ours IN
    SELECT tgrelid, tgname FROM pg_trigger
     WHERE tgrelid IN ({_TREE.format(root="root")}) AND tgname IN ('{ROW_TRIGGER}', '{STATEMENT_TRIGGER}')
  LOOP
    EXECUTE 'ALTER TABLE ' || part || ' DISABLE TRIGGER ' || ours;
  END LOOP;
END
"""


_IS_NO_PARTITION = "NOT (SELECT relispartition FROM pg_class WHERE oid = root)"


def _postgres(name: TableName, *, row_trigger: str = _IS_NO_PARTITION) -> str:
    return _do(
        _GUARD.format(root=_regclass(name), table=name.quoted(), body=_literal(_BODY), has_own_row_trigger=row_trigger)
    )


def _regclass(name: TableName) -> str:
    return f"{_literal(name.quoted())}::regclass"


def _do(block: str) -> str:
    """Return *block* as a statement. A name may hold dollars, so the quotes around it are longer than any."""
    tag = "$audit$"
    while tag in block:
        tag = f"{tag[:-1]}_$"
    return f"DO {tag}{block}{tag}"


def _literal(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


# --- SQLite --------------------------------------------------------------------------------------------------


def _sqlite(name: TableName) -> dict[str, str]:
    """Return the triggers by their quoted names. Triggers share their names with all tables of the file."""
    table = f'"{name.name}"'
    same_key = " AND ".join(f"{column} = NEW.{column}" for column in KEY)
    # Without a rowid of its own a new row has -1 here.
    is_there = f"EXISTS (SELECT 1 FROM {table} WHERE rowid = NEW.rowid AND NEW.rowid <> -1)"
    bodies = {
        "update": f"BEFORE UPDATE ON {table} BEGIN SELECT {_abort(name, 'UPDATE')}; END",
        "delete": f"BEFORE DELETE ON {table} BEGIN SELECT {_abort(name, 'DELETE')}; END",
        "insert": f"BEFORE INSERT ON {table} BEGIN"
        f" SELECT RAISE(IGNORE) WHERE EXISTS (SELECT 1 FROM {table} WHERE {same_key});"
        f" SELECT {_abort(name, 'REPLACE')} WHERE {is_there}; END",
    }
    return {
        trigger: f"CREATE TRIGGER {trigger} {body}"
        for trigger, body in ((_beside(name, change).quoted(), body) for change, body in bodies.items())
    }


def _abort(name: TableName, change: str) -> str:
    return f"RAISE(ABORT, {_literal(f'table {name.name} is append-only: {change} is refused')})"


def _beside(name: TableName, change: str) -> TableName:
    return name.beside(f"_append_only_{change}")


# --- MariaDB and MySQL ---------------------------------------------------------------------------------------


def _mysql(name: TableName) -> dict[str, str]:
    """Return the triggers by their quoted names. Triggers share their names with all tables of the database."""
    is_same = " AND ".join(f"CAST(NEW.`{column}` AS BINARY) <=> CAST(OLD.`{column}` AS BINARY)" for column in COLUMNS)
    conditions = {"update": f"NOT ({is_same}) AND", "delete": ""}
    return {
        trigger: f"CREATE TRIGGER {trigger} BEFORE {change.upper()} ON {name.quoted('`')} FOR EACH ROW BEGIN"
        f" IF {condition} NOT (@audit_unguarded <=> {_literal(name.name)}) THEN"
        f" SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT ="
        f" {_literal(f'table {name.name} is append-only: {change.upper()} is refused')}; END IF; END"
        for trigger, change, condition in (
            (_beside(name, change).quoted("`"), change, condition) for change, condition in conditions.items()
        )
    }


async def _mysql_triggers(connection: AsyncConnection, name: TableName) -> set[str]:
    statement = (
        "SELECT trigger_name FROM information_schema.triggers"
        " WHERE event_object_table = :table AND event_object_schema = coalesce(:schema, database())"
    )
    found = await connection.execute(text(statement), {"table": name.name, "schema": name.schema})
    return {f"{TableName(name.schema, str(trigger)).quoted('`')}" for trigger in found.scalars()}


@asynccontextmanager
async def _unguarded_session(connection: AsyncConnection, name: TableName) -> AsyncIterator[None]:
    await connection.execute(text("SET @audit_unguarded = :table"), {"table": name.name})
    try:
        yield
    finally:
        await connection.execute(text("SET @audit_unguarded = NULL"))
