"""Tables with something in the way of events, and what the probe has to say of each."""

from __future__ import annotations

from typing import Any

from audit_async import TableMap
from audit_async.table_map.probe import Probe
from audit_async.table_map.review import Finding

COLUMNS: dict[str, Any] = {"id": "id", "at": "created_at", "action": "action", "data": "details"}
MAP = TableMap(table="trail", columns=COLUMNS, fold_into="data")
USERS = "CREATE TABLE users (id text PRIMARY KEY)"
TRAIL = "CREATE TABLE trail (id text PRIMARY KEY, at timestamptz NOT NULL, action text NOT NULL, data jsonb"
FUNCTION = "CREATE FUNCTION watch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'"


def about(probe: Probe, *words: str) -> list[Finding]:
    """Return the findings that have all of *words* in them."""
    return [
        finding
        for finding in probe.findings
        if all(word in f"{finding.column} {finding.message} {finding.hint}" for word in words)
    ]


def levels(probe: Probe, *words: str) -> list[tuple[str, str]]:
    return [(finding.level, finding.column) for finding in about(probe, *words)]


WITH_USER = MAP.with_columns({"user_id": "user_id"})

SAID_BY_POSTGRES: dict[str, tuple[TableMap, list[str], tuple[str, str], tuple[str, ...]]] = {
    "foreign key": (
        WITH_USER,
        [USERS, f"{TRAIL}, user_id text REFERENCES users ON DELETE CASCADE)"],
        ("warning", "user_id"),
        ("points to users.id", "waits up to 60 s", "quarantine", "ON DELETE CASCADE", "deleted with it"),
    ),
    "foreign key without action": (
        WITH_USER,
        [USERS, f"{TRAIL}, user_id text REFERENCES users)"],
        ("warning", "user_id"),
        ("ON DELETE NO ACTION", "cannot be deleted"),
    ),
    "check": (
        MAP,
        [f"{TRAIL}, CONSTRAINT known CHECK (action IN ('a', 'b')))"],
        ("warning", "action"),
        ("check known", "'a'", "quarantine"),
    ),
    "check of a domain": (
        MAP.with_columns({"level": "severity"}),
        ["CREATE DOMAIN level AS text CONSTRAINT short CHECK (length(VALUE) < 5)", f"{TRAIL}, level level)"],
        ("warning", "level"),
        ("check short", "length"),
    ),
    "check of two": (
        MAP,
        [f"{TRAIL}, CHECK (action <> '' OR data IS NOT NULL))"],
        ("warning", ""),
        ("the table has the check", "data IS NOT NULL"),
    ),
    "trigger before": (
        MAP,
        [f"{TRAIL})", FUNCTION, "CREATE TRIGGER t1 BEFORE INSERT ON trail FOR EACH ROW EXECUTE FUNCTION watch()"],
        ("warning", ""),
        ("trigger t1", "function watch", "before each row", "drop it without a word"),
    ),
    "trigger after": (
        MAP,
        [f"{TRAIL})", FUNCTION, "CREATE TRIGGER t1 AFTER INSERT ON trail FOR EACH ROW EXECUTE FUNCTION watch()"],
        ("info", ""),
        ("trigger t1", "after each row"),
    ),
    "unlogged": (MAP, [f"{TRAIL})".replace("CREATE", "CREATE UNLOGGED")], ("warning", ""), ("unlogged", "SET LOGGED")),
    "rule": (
        MAP,
        [f"{TRAIL})", USERS, "CREATE RULE copied AS ON INSERT TO trail DO ALSO INSERT INTO users VALUES (NEW.id)"],
        ("error", ""),
        ("rule copied", "ON CONFLICT", "DROP RULE"),
    ),
    "rule instead": (
        MAP,
        [f"{TRAIL})".replace(" PRIMARY KEY", ""), "CREATE RULE quiet AS ON INSERT TO trail DO INSTEAD NOTHING"],
        ("error", ""),
        ("rule quiet", "vanish"),
    ),
    "rule without a key": (
        MAP,
        [
            f"{TRAIL})".replace(" PRIMARY KEY", ""),
            USERS,
            "CREATE RULE copied AS ON INSERT TO trail DO ALSO INSERT INTO users VALUES (NEW.id) ON CONFLICT DO NOTHING",
        ],
        ("warning", ""),
        ("rule copied", "COPY"),
    ),
    "deferred key": (
        MAP,
        [f"{TRAIL})".replace("PRIMARY KEY", "PRIMARY KEY DEFERRABLE")],
        ("error", ""),
        ("trail_pkey", "NOT DEFERRABLE"),
    ),
    "exclusion": (
        MAP,
        [f"{TRAIL}, CONSTRAINT apart EXCLUDE (action WITH =))"],
        ("warning", ""),
        ("constraint apart", "EXCLUDE"),
    ),
    "view": (
        MAP,
        [f"{TRAIL})".replace("trail", "t"), "CREATE VIEW trail AS SELECT * FROM t"],
        ("warning", ""),
        ("view",),
    ),
    "view of two": (
        MAP,
        [f"{TRAIL})".replace("trail", "t"), "CREATE VIEW trail AS SELECT * FROM t UNION SELECT * FROM t"],
        ("error", ""),
        ("a view that takes no rows",),
    ),
    "materialized view": (
        MAP,
        [f"{TRAIL})".replace("trail", "t"), "CREATE MATERIALIZED VIEW trail AS SELECT * FROM t"],
        ("error", ""),
        ("a materialized view that takes no rows",),
    ),
    "no partition": (
        MAP,
        [f"{TRAIL})".replace(" PRIMARY KEY", "") + " PARTITION BY RANGE (at)"],
        ("error", "at"),
        ("no partition for today", "PARTITION OF"),
    ),
    "old partition": (
        MAP,
        [
            f"{TRAIL})".replace(" PRIMARY KEY", "") + " PARTITION BY RANGE (at)",
            "CREATE TABLE p PARTITION OF trail FOR VALUES FROM ('2001-01-01') TO ('2002-01-01')",
        ],
        ("error", "at"),
        ("no partition for today",),
    ),
    "last partition": (
        MAP,
        [
            f"{TRAIL})".replace(" PRIMARY KEY", "") + " PARTITION BY RANGE (at)",
            "DO $$ BEGIN EXECUTE format('CREATE TABLE p PARTITION OF trail FOR VALUES FROM (MINVALUE) TO (%L)',"
            " now() + interval '9 days'); END $$",
        ],
        ("warning", "at"),
        ("last partition ends on",),
    ),
    "list partitions": (
        MAP,
        [
            f"{TRAIL})".replace(" PRIMARY KEY", "") + " PARTITION BY LIST (action)",
            "CREATE TABLE p PARTITION OF trail FOR VALUES IN ('a')",
        ],
        ("warning", "action"),
        ("decides the partition",),
    ),
    "generated": (
        MAP,
        [f"{TRAIL})".replace("action text NOT NULL", "action text GENERATED ALWAYS AS ('x') STORED")],
        ("error", "action"),
        ("made by the database", "take it off the map"),
    ),
    "delivered ids": (
        MAP.with_delivered_ids("seen"),
        [f"{TRAIL})".replace(" PRIMARY KEY", "")],
        ("error", ""),
        ("seen", "is not there", 'CREATE TABLE "seen" (id text PRIMARY KEY)', "GRANT SELECT, INSERT"),
    ),
    "delivered ids of another shape": (
        MAP.with_delivered_ids("seen"),
        [f"{TRAIL})".replace(" PRIMARY KEY", ""), "CREATE TABLE seen (id uuid PRIMARY KEY)"],
        ("error", ""),
        ("no column id of type text",),
    ),
    "missing table": (MAP, ["CREATE TABLE trails (id text)"], ("error", ""), ("there is no table trail", "'trails'")),
    "table elsewhere": (
        MAP,
        ["CREATE SCHEMA far", f"{TRAIL})".replace("trail", "far.trail")],
        ("error", ""),
        ("there is no table trail", "name it as far.trail"),
    ),
    "missing schema": (
        TableMap(table="far.trail", columns=COLUMNS),
        [],
        ("error", ""),
        ("there is no schema far",),
    ),
    "missing column": (
        MAP.with_columns({"acton": "action"}),
        [f"{TRAIL})"],
        ("error", "acton"),
        ("did you mean 'action'",),
    ),
}


SERIAL = f"{TRAIL}, number serial NOT NULL)"
RLS = [f"{TRAIL})", "ALTER TABLE trail ENABLE ROW LEVEL SECURITY"]

SAID_OF_ROLES: dict[str, tuple[list[str], list[str], tuple[str, str], tuple[str, ...]]] = {
    "no right": ([f"{TRAIL})"], [], ("error", ""), ("may not insert into trail", 'GRANT INSERT ON "trail" TO "')),
    "no right to read": (
        [f"{TRAIL})"],
        ["GRANT SELECT ON trail TO {role}"],
        ("error", ""),
        ("may not insert into trail",),
    ),
    "a column": (
        [f"{TRAIL})"],
        ["GRANT INSERT (id, at, data) ON trail TO {role}"],
        ("error", "action"),
        ("may not insert into it", 'GRANT INSERT ("action")'),
    ),
    "sequence": (
        [SERIAL],
        ["GRANT INSERT ON trail TO {role}"],
        ("error", "number"),
        ("sequence trail_number_seq", "GRANT USAGE ON SEQUENCE trail_number_seq"),
    ),
    "function": (
        [
            "CREATE FUNCTION mine() RETURNS text LANGUAGE sql AS $$ SELECT 'x' $$",
            "REVOKE EXECUTE ON FUNCTION mine FROM PUBLIC",
            f"{TRAIL}, extra text DEFAULT mine())",
        ],
        ["GRANT INSERT ON trail TO {role}"],
        ("error", "extra"),
        ("function mine()", "GRANT EXECUTE"),
    ),
    "another key": (
        [f"{TRAIL}, UNIQUE (action))"],
        ["GRANT INSERT ON trail TO {role}"],
        ("error", "id"),
        ("may not read it", 'GRANT SELECT ("id")'),
    ),
    "no policy": (RLS, ["GRANT INSERT ON trail TO {role}"], ("error", ""), ("row-level security has no policy",)),
    "a policy": (
        [*RLS, "CREATE POLICY own ON trail FOR INSERT WITH CHECK (action <> 'secret')"],
        ["GRANT INSERT ON trail TO {role}"],
        ("warning", ""),
        ("policy own", "'secret'"),
    ),
    "an open policy": (
        [*RLS, "CREATE POLICY own ON trail FOR INSERT WITH CHECK (true)"],
        ["GRANT INSERT ON trail TO {role}"],
        ("info", ""),
        ("row-level security applies", "COPY"),
    ),
    "a policy of others": (
        [*RLS, "CREATE POLICY own ON trail FOR INSERT TO pg_monitor WITH CHECK (true)"],
        ["GRANT INSERT ON trail TO {role}"],
        ("error", ""),
        ("no policy that lets",),
    ),
    "read-only": (
        [f"{TRAIL})"],
        ["GRANT INSERT ON trail TO {role}", "ALTER ROLE {role} SET default_transaction_read_only = on"],
        ("error", ""),
        ("read-only", "default_transaction_read_only"),
    ),
}
