"""The statements of the guard, one set for each database. What they are for is said in `guard`."""

from __future__ import annotations

from audit_async.inspection import TableName
from audit_async.table.columns import KEY

ROW_TRIGGER = "audit_append_only"
STATEMENT_TRIGGER = "audit_append_only_statement"
FUNCTION = "audit_refuse_change"

_HINT = "old rows are removed by `audit-async maintain`"

# What is put together is cast to text: an operator that somebody made for other types is never found.

# --- PostgreSQL ----------------------------------------------------------------------------------------------

BODY = f"""
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
     AND made.tgqual IS NULL AND made.tgattr::text = ''
"""

IS_GUARDED = f"""
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
     WHERE (found.relid, wanted.name) NOT IN (SELECT tgrelid, tgname FROM ({
    _SOUND.format(body="body", row=f"'{ROW_TRIGGER}'", statement=f"'{STATEMENT_TRIGGER}'")
}) AS sound)
  LOOP
    EXECUTE 'DROP TRIGGER IF EXISTS ' || ours::text || ' ON ' || part::text;
    EXECUTE 'CREATE TRIGGER ' || ours::text || ' BEFORE UPDATE OR DELETE' ||
            CASE ours WHEN '{ROW_TRIGGER}' THEN ' ON ' || part::text || ' FOR EACH ROW'
                      ELSE ' OR TRUNCATE ON ' || part::text || ' FOR EACH STATEMENT' END ||
            ' EXECUTE FUNCTION ' || home || '.{FUNCTION}()';
  END LOOP;
  FOR part, ours IN
    SELECT tgrelid, tgname FROM pg_trigger
     WHERE tgrelid IN ({_TREE.format(root="root")})
       AND tgname IN ('{ROW_TRIGGER}', '{STATEMENT_TRIGGER}') AND tgenabled <> 'A'
  LOOP
    EXECUTE 'ALTER TABLE ' || part::text || ' ENABLE ALWAYS TRIGGER ' || ours::text;
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
    EXECUTE 'ALTER TABLE ' || part::text || ' DISABLE TRIGGER ' || ours::text;
  END LOOP;
END
"""

_PARTITION_RIGHTS = """
DECLARE
  root CONSTANT regclass := {root};
  part CONSTANT regclass := {part};
  owner CONSTANT oid := (SELECT relowner FROM pg_class WHERE oid = root);
  other oid;
BEGIN
  IF owner <> (SELECT relowner FROM pg_class WHERE oid = part) THEN
    EXECUTE 'ALTER TABLE ' || part::text || ' OWNER TO ' || owner::regrole::text;
  END IF;
  FOR other IN
    SELECT DISTINCT entry.grantee FROM pg_class, aclexplode(relacl) AS entry
     WHERE oid = part AND entry.grantee <> owner
  LOOP
    EXECUTE 'REVOKE ALL ON ' || part::text || ' FROM ' || CASE other WHEN 0 THEN 'PUBLIC' ELSE other::regrole::text END;
  END LOOP;
END
"""

_IS_NO_PARTITION = "NOT (SELECT relispartition FROM pg_class WHERE oid = root)"


def postgres_guard(name: TableName) -> str:
    """Return what makes the guard of *name* whole, a table with its partitions or a partition alone."""
    return _postgres_guard(name, _IS_NO_PARTITION)


def postgres_partition_guard(partition: TableName) -> str:
    """Return what makes the guard of a partition whole that has its row trigger, or will have when attached."""
    return _postgres_guard(partition, "false")


def _postgres_guard(name: TableName, row_trigger: str) -> str:
    return do_block(
        _GUARD.format(root=regclass(name), table=name.quoted(), body=literal(BODY), has_own_row_trigger=row_trigger)
    )


def postgres_lift(name: TableName) -> str:
    """Return what switches the guard of *name* off, all of it."""
    return do_block(_LIFT.format(root=regclass(name)))


def regclass(name: TableName) -> str:
    return f"{literal(name.quoted())}::regclass"


def postgres_partition_rights(name: TableName, partition: TableName) -> str:
    """Return what gives *partition* the owner of *name*, and leaves nobody else a right on it."""
    return do_block(_PARTITION_RIGHTS.format(root=regclass(name), part=regclass(partition)))


def do_block(block: str) -> str:
    """Return *block* as a statement. A name may hold dollars, so the quotes around it are longer than any."""
    tag = "$audit$"
    while tag in block:
        tag = f"{tag[:-1]}_$"
    return f"DO {tag}{block}{tag}"


def literal(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


# --- SQLite --------------------------------------------------------------------------------------------------


def sqlite_triggers(name: TableName) -> dict[str, str]:
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
    return f"RAISE(ABORT, {literal(f'table {name.name} is append-only: {change} is refused')})"


def _beside(name: TableName, change: str) -> TableName:
    return name.beside(f"_append_only_{change}")


# --- MariaDB and MySQL ---------------------------------------------------------------------------------------


MYSQL_PUT_BACK = "SET @audit_unguarded = NULL"


def mysql_triggers(name: TableName) -> dict[str, str]:
    """Return the triggers by their quoted names. Triggers share their names with all tables of the database."""
    return {
        trigger: mysql_trigger(
            name,
            trigger,
            f"BEFORE {change}",
            f"BEGIN IF NOT (@audit_unguarded <=> {literal(name.name)}) THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT ="
            f" {literal(f'table {name.name} is append-only: {change} is refused')}; END IF; END",
        )
        for trigger, change in ((_beside(name, change.lower()).quoted("`"), change) for change in ("UPDATE", "DELETE"))
    }


def mysql_trigger(name: TableName, trigger: str, moment: str, body: str) -> str:
    """Return the statement that makes the *trigger*, quoted, of the table *name*."""
    return f"CREATE TRIGGER {trigger} {moment} ON {name.quoted('`')} FOR EACH ROW {body}"


def mysql_lift(name: TableName) -> str:
    """Return what lifts the guard of *name* for this session."""
    return f"SET @audit_unguarded = {literal(name.name)}"
