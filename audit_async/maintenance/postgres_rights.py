"""The roles of our table on PostgreSQL, each with its rights and nothing beyond them."""

from __future__ import annotations

from collections.abc import Iterator

from audit_async.config import READER_STATEMENT_SECONDS
from audit_async.inspection import TableName
from audit_async.table.columns import COLUMNS
from audit_async.table.triggers import FUNCTION, do_block, literal, regclass

Commented = tuple[str, str]


def postgres_roles(name: TableName, owner: str, writer: str, reader: str, auditor: str) -> Iterator[Commented]:
    """Yield what makes the roles that are not there yet, and lets them reach the table's schema."""
    yield "The owner. Nobody logs in as it; whoever maintains the table is a member of it.", _role(owner, "NOLOGIN")
    # Where an administrator is no superuser, a role that he made is not yet his to use.
    yield (
        "So that the one who runs this, if no superuser, can hand the table over, and run this again.",
        do_block(
            f"\nBEGIN\n  IF NOT pg_has_role({literal(owner)}, 'USAGE') THEN\n"
            f"    GRANT {_quoted(owner)} TO CURRENT_USER;\n  END IF;\nEND\n"
        ),
    )
    yield (
        "The writer: the application logs in as it. Set its password: \\password, or ALTER ROLE ... PASSWORD.",
        _role(writer, "LOGIN"),
    )
    yield "The reader.", _role(reader, "LOGIN")
    yield "The auditor.", _role(auditor, "LOGIN")
    wanted = [(role, "USAGE") for role in (owner, writer, reader, auditor)] + [(owner, "CREATE")]
    values = ", ".join(f"({literal(role)}, {literal(right)})" for role, right in wanted)
    yield (
        "All of them reach the schema; the owner makes partitions in it.",
        do_block(_SCHEMA.format(root=regclass(name), values=values)),
    )


def postgres_ownership(name: TableName, owner: str) -> Iterator[Commented]:
    """Yield what hands the table over, with all that belongs to it, and closes the ways around it."""
    beside = (name.beside("_holds"), TableName(name.schema, "audit_schema"))
    yield (
        "The owner owns the table, its partitions, what lies beside it, and the function of the guard.",
        do_block(
            _OWNERSHIP.format(
                root=regclass(name),
                owner=literal(owner),
                beside=", ".join(f"to_regclass({literal(each.quoted())})" for each in beside),
            )
        ),
    )
    yield (
        "Nobody else has rights on a partition: rows are reached through the table.",
        do_block(_CLOSED_PARTITIONS.format(root=regclass(name))),
    )


def postgres_rights(name: TableName, writer: str, reader: str, auditor: str) -> Iterator[Commented]:
    """Yield what each role may with the table."""
    table, columns = name.quoted(), ", ".join(f'"{column}"' for column in COLUMNS)
    roles = ", ".join(map(_quoted, (writer, reader, auditor)))
    yield "Nobody may anything ...", f"REVOKE ALL ON TABLE {table} FROM PUBLIC, {roles}"
    yield (
        "... but the writer adds rows, without the columns that the database fills ...",
        f"GRANT INSERT ({columns}) ON TABLE {table} TO {_quoted(writer)}",
    )
    yield (
        "... and reader and auditor read.",
        f"GRANT SELECT ON TABLE {table} TO {_quoted(reader)}, {_quoted(auditor)}",
    )
    for role in (reader, auditor):
        yield "", f"ALTER ROLE {_quoted(role)} SET default_transaction_read_only = on"
        yield "", f"ALTER ROLE {_quoted(role)} SET statement_timeout = '{READER_STATEMENT_SECONDS:.0f}s'"


def postgres_tenants(name: TableName, writer: str, reader: str, auditor: str) -> Iterator[Commented]:
    """Yield what shows the reader one tenant's rows.

    Not FORCEd: the owner, as which the table is maintained, has to see every row. The tenant's policy is
    restrictive, so that no other policy that somebody adds shows the reader more.
    """
    table = name.quoted()
    policies = {
        "audit_write": f"FOR INSERT TO {_quoted(writer)} WITH CHECK (true)",
        "audit_read": f"FOR SELECT TO {_quoted(reader)}, {_quoted(auditor)} USING (true)",
        "audit_read_tenant": f"AS RESTRICTIVE FOR SELECT TO {_quoted(reader)}"
        " USING (tenant_id = nullif(current_setting('audit.tenant_id', true), ''))",
    }
    yield (
        "Tenants: a reader says SET LOCAL audit.tenant_id = '...' in each transaction, and sees nothing without.\n"
        "With this PostgreSQL refuses COPY to the writer, who falls back on INSERT. A superuser can give COPY back:\n"
        f"  ALTER ROLE {_quoted(writer)} BYPASSRLS",
        do_block(_ENABLE.format(root=regclass(name), table=table)),
    )
    for policy, meaning in policies.items():
        yield "", f"DROP POLICY IF EXISTS {policy} ON {table}"
        yield "", f"CREATE POLICY {policy} ON {table} {meaning}"


OTHERS = """
SELECT CASE entry.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(entry.grantee)::text END AS role,
       string_agg(DISTINCT entry.privilege_type, ', ' ORDER BY entry.privilege_type) AS rights
  FROM (SELECT relacl FROM pg_class WHERE oid = to_regclass(:table)
        UNION ALL
        SELECT attacl FROM pg_attribute WHERE attrelid = to_regclass(:table)) AS lists (list),
       aclexplode(lists.list) AS entry
 WHERE entry.grantee = 0 OR pg_get_userbyid(entry.grantee) <> ALL (CAST(:known AS text[]))
 GROUP BY 1 ORDER BY 1
"""
"""Roles beside ours that have rights on the table."""

_SCHEMA = """
DECLARE
  home CONSTANT regnamespace := (SELECT relnamespace FROM pg_class WHERE oid = {root});
  role text;
  permission text;
BEGIN
  FOR role, permission IN VALUES {values} LOOP
    IF NOT has_schema_privilege(role::name, home::oid, permission) THEN
      EXECUTE 'GRANT ' || permission || ' ON SCHEMA ' || home::text || ' TO ' || quote_ident(role);
    END IF;
  END LOOP;
END
"""

_OWNERSHIP = f"""
DECLARE
  root CONSTANT regclass := {{root}};
  owner CONSTANT oid := (SELECT oid FROM pg_roles WHERE rolname = {{owner}});
  relation regclass;
  function regprocedure;
BEGIN
  FOR relation IN
    SELECT oid FROM pg_class
     WHERE relowner <> owner
       AND (oid IN (root, {{beside}}) OR oid IN (SELECT relid FROM pg_partition_tree(root)))
  LOOP
    EXECUTE 'ALTER TABLE ' || relation::text || ' OWNER TO ' || owner::regrole::text;
  END LOOP;
  FOR function IN
    SELECT pg_proc.oid FROM pg_proc JOIN pg_class ON relnamespace = pronamespace
     WHERE pg_class.oid = root AND proname = '{FUNCTION}' AND pronargs = 0 AND proowner <> owner
  LOOP
    EXECUTE 'ALTER FUNCTION ' || function::text || ' OWNER TO ' || owner::regrole::text;
  END LOOP;
END
"""

_CLOSED_PARTITIONS = """
DECLARE
  root CONSTANT regclass := {root};
  part regclass;
  other oid;
BEGIN
  FOR part, other IN
    SELECT DISTINCT relation.oid, entry.grantee
      FROM pg_class AS relation, aclexplode(relation.relacl) AS entry
     WHERE relation.oid IN (SELECT relid FROM pg_partition_tree(root)) AND relation.oid <> root
       AND entry.grantee <> relation.relowner
  LOOP
    EXECUTE 'REVOKE ALL ON ' || part::text || ' FROM ' ||
            CASE other WHEN 0 THEN 'PUBLIC' ELSE other::regrole::text END;
  END LOOP;
END
"""

_ENABLE = """
BEGIN
  IF NOT (SELECT relrowsecurity FROM pg_class WHERE oid = {root}) THEN
    ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
  END IF;
END
"""


def _role(name: str, options: str) -> str:
    return do_block(
        f"\nBEGIN\n  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = {literal(name)}) THEN\n"
        f"    CREATE ROLE {_quoted(name)} {options};\n  END IF;\nEND\n"
    )


def _quoted(name: str) -> str:
    return f'"{name}"'
