"""What the database itself says that is there: relations, columns, indexes, constraints, triggers, partitions."""

from __future__ import annotations

from typing import Any

from tests.tables import run_sql

_POSTGRES = {
    "relations": """
        SELECT relname, relkind::text, relispartition, relowner::regrole::text AS owner,
               pg_get_expr(relpartbound, oid) AS bound
          FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'i', 'I')
         ORDER BY relname""",
    "columns": """
        SELECT relname, attname, attnum, format_type(atttypid, atttypmod) AS type, attnotnull, attislocal, attinhcount,
               (SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef WHERE adrelid = attrelid AND adnum = attnum) AS init
          FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
         WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND attnum > 0
         ORDER BY relname, attnum""",
    "indexes": """
        SELECT pg_get_indexdef(indexrelid) AS definition, indisvalid, indisprimary,
               (SELECT inhparent::regclass::text FROM pg_inherits WHERE inhrelid = indexrelid) AS part_of
          FROM pg_index JOIN pg_class ON pg_class.oid = indrelid
         WHERE relnamespace = 'public'::regnamespace ORDER BY definition""",
    "constraints": """
        SELECT conrelid::regclass::text AS relation, conname, pg_get_constraintdef(oid) AS definition, convalidated,
               conislocal, coninhcount
          FROM pg_constraint WHERE connamespace = 'public'::regnamespace ORDER BY relation, conname""",
    "triggers": """
        SELECT tgrelid::regclass::text AS relation, tgname, tgtype, tgenabled::text
          FROM pg_trigger ORDER BY relation, tgname""",
}


_MARIADB = {
    "columns": """
        SELECT table_name, column_name, ordinal_position, column_default, is_nullable, column_type, collation_name,
               extra
          FROM information_schema.columns WHERE table_schema = database() ORDER BY table_name, ordinal_position""",
    "indexes": """
        SELECT table_name, index_name, seq_in_index, column_name, sub_part, non_unique
          FROM information_schema.statistics WHERE table_schema = database()
         ORDER BY table_name, index_name, seq_in_index""",
    "constraints": """
        SELECT table_name, constraint_name, check_clause FROM information_schema.check_constraints
         WHERE constraint_schema = database() ORDER BY table_name, constraint_name""",
    "triggers": """
        SELECT event_object_table, trigger_name, action_timing, event_manipulation, action_statement
          FROM information_schema.triggers WHERE trigger_schema = database() ORDER BY trigger_name""",
    "tables": """
        SELECT table_name, engine, row_format, table_collation FROM information_schema.tables
         WHERE table_schema = database() ORDER BY table_name""",
}


async def catalogue(url: str) -> dict[str, list[dict[str, Any]]]:
    """Return everything that makes up the tables of the database, in an order that does not vary."""
    if url.startswith("sqlite"):
        return {"all": await run_sql(url, "SELECT type, name, sql FROM sqlite_master ORDER BY type, name")}
    statements = _MARIADB if url.startswith(("mysql", "mariadb")) else _POSTGRES
    return {what: await run_sql(url, statement) for what, statement in statements.items()}
