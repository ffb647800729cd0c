"""What a table on PostgreSQL demands of a row beside its columns: foreign keys, checks, triggers, rewrite rules."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import text
from sqlalchemy.engine import Connection

from audit_async.inspection import InspectedTable, TableName, quoted_name
from audit_async.table_map.mapping import TableMap
from audit_async.table_map.probing import looked
from audit_async.table_map.probing.wording import of_check, of_foreign_key, of_trigger
from audit_async.table_map.review import ERROR, WARNING, Finding, key_of

_FOREIGN_KEYS = """
SELECT fk.confrelid::regclass::text AS target,
       fk.confdeltype::text AS deletion,
       ARRAY(SELECT attribute.attname::text FROM unnest(fk.conkey) WITH ORDINALITY AS part (number, place)
               JOIN pg_attribute AS attribute
                 ON attribute.attrelid = fk.conrelid AND attribute.attnum = part.number
              ORDER BY part.place) AS columns,
       ARRAY(SELECT attribute.attname::text FROM unnest(fk.confkey) WITH ORDINALITY AS part (number, place)
               JOIN pg_attribute AS attribute
                 ON attribute.attrelid = fk.confrelid AND attribute.attnum = part.number
              ORDER BY part.place) AS target_columns
  FROM pg_constraint AS fk
 WHERE fk.conrelid = to_regclass(:table) AND fk.contype = 'f'
 ORDER BY fk.conname
"""

# Those of a column's domain beside the table's own.
_CHECKS = """
SELECT rule.conname::text AS name, pg_get_constraintdef(rule.oid, true) AS definition, rule.contype::text AS sort,
       ARRAY(SELECT attribute.attname::text FROM pg_attribute AS attribute
              WHERE attribute.attrelid = to_regclass(:table) AND NOT attribute.attisdropped
                AND (attribute.attnum = ANY(rule.conkey)
                     OR (rule.contypid <> 0 AND attribute.atttypid = rule.contypid))) AS columns
  FROM pg_constraint AS rule
 WHERE (rule.conrelid = to_regclass(:table) AND rule.contype IN ('c', 'x'))
    OR (rule.contype = 'c' AND rule.contypid IN
         (SELECT atttypid FROM pg_attribute WHERE attrelid = to_regclass(:table) AND attnum > 0))
 ORDER BY rule.conname
"""

# Bits of `tgtype`, as the server's `pg_trigger.h` has them.
_ROW, _BEFORE, _INSERT, _INSTEAD = 1, 2, 4, 64

_TRIGGERS = f"""
SELECT DISTINCT here.tgname::text AS name, here.tgtype::int AS kind, function.oid::regproc::text AS function
  FROM pg_trigger AS here
  JOIN pg_proc AS function ON function.oid = here.tgfoid
 WHERE (here.tgrelid = to_regclass(:table)
        OR here.tgrelid IN (SELECT relid FROM pg_partition_tree(to_regclass(:table))))
   AND NOT here.tgisinternal AND here.tgenabled IN ('O', 'A') AND here.tgtype & {_INSERT} <> 0
 ORDER BY name
"""

_RULES = """
SELECT rule.rulename::text AS name, rule.ev_type::text = '3' AS is_of_insert, rule.is_instead
  FROM pg_rewrite AS rule
 WHERE rule.ev_class = to_regclass(:table) AND rule.ev_type IN ('2', '3') AND rule.ev_enabled IN ('O', 'A')
 ORDER BY rule.rulename
"""

_DEFERRED = """
SELECT key.indexrelid::regclass::text AS name
  FROM pg_index AS key
 WHERE key.indrelid = to_regclass(:table) AND (key.indisunique OR key.indisexclusion) AND NOT key.indimmediate
"""

_DELETIONS = {"c": "CASCADE", "n": "SET NULL", "d": "SET DEFAULT", "r": "RESTRICT", "a": "NO ACTION"}


def rules(connection: Connection, table_map: TableMap, found: InspectedTable) -> Iterator[Finding]:
    """Yield what may refuse, change or redirect a row."""
    bound = {"table": TableName(found.schema, found.name).quoted()}

    def foreign_keys() -> Iterator[Finding]:
        for key in connection.execute(text(_FOREIGN_KEYS), bound):
            deletion = _DELETIONS[key.deletion]
            yield from of_foreign_key(table_map, tuple(key.columns), key.target, tuple(key.target_columns), deletion)

    def checks() -> Iterator[Finding]:
        for rule in connection.execute(text(_CHECKS), bound):
            if rule.sort == "c":
                yield from of_check(table_map, rule.name, rule.definition, tuple(rule.columns))
            else:
                yield Finding(
                    WARNING, "", f"the table has the constraint {rule.name}, {rule.definition}: rows may be refused"
                )

    def triggers() -> Iterator[Finding]:
        for row in connection.execute(text(_TRIGGERS), bound):
            when = "instead of" if row.kind & _INSTEAD else "before" if row.kind & _BEFORE else "after"
            yield of_trigger(row.name, when, f"the function {row.function}", is_for_rows=bool(row.kind & _ROW))

    yield from looked(connection, "foreign keys", foreign_keys)
    yield from looked(connection, "checks", checks)
    yield from looked(connection, "triggers", triggers)
    yield from looked(connection, "rules", lambda: _rewrites(connection, table_map, found, bound))
    yield from looked(connection, "deferred keys", lambda: _deferred(connection, table_map, found, bound))


def _rewrites(
    connection: Connection, table_map: TableMap, found: InspectedTable, bound: dict[str, str]
) -> Iterator[Finding]:
    for rule in connection.execute(text(_RULES), bound):
        hint = f"DROP RULE {quoted_name(rule.name)} ON {bound['table']}; what it does a trigger does better"
        if rule.is_of_insert and rule.is_instead:
            yield Finding(
                ERROR,
                "",
                f"the rule {rule.name} puts something else in the place of an INSERT into the table: events would "
                "vanish, or go elsewhere, without a word",
                hint,
            )
        elif key_of(table_map, found):
            yield Finding(
                ERROR,
                "",
                f"the rule {rule.name} of the table forbids ON CONFLICT, by which a row that is there already is "
                "passed over",
                hint,
            )
        elif rule.is_of_insert:
            yield Finding(
                WARNING,
                "",
                f"the rule {rule.name} does something beside an INSERT into the table; rows that come by COPY pass it "
                "by",
                hint,
            )


def _deferred(
    connection: Connection, table_map: TableMap, found: InspectedTable, bound: dict[str, str]
) -> Iterator[Finding]:
    if not key_of(table_map, found):
        return
    for key in connection.execute(text(_DEFERRED), bound):
        yield Finding(
            ERROR,
            "",
            f"the unique key {key.name} can be deferred, which ON CONFLICT does not take: a repetition is refused",
            "make it NOT DEFERRABLE",
        )
