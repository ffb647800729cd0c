"""Redaction where it counts: what a logger puts on disk, into the table and into the log."""

from __future__ import annotations

import base64
import contextlib
import sqlite3
from pathlib import Path
from typing import Any

import msgspec
import pytest

from audit_async import AuditLogger, audit_context, configure, events, shutdown
from audit_async.errors import ConfigurationError
from audit_async.redact import Redaction
from tests.logs import heard
from tests.redact.shapes import SHAPES
from tests.tables import all_rows

CANARY = "CANARY-7f3a"
LOGIN = "canary@example.com"
DETAILS: tuple[Any, ...] = (
    *({"note": shape} for shape in SHAPES),
    *({key: CANARY} for key in ("password", "X-Api-Key", "clientSecret", "ｔｏｋｅｎ", "id_token", "iban")),
    {"password": CANARY.encode()},
    {"headers": [(b"cookie", CANARY.encode())]},
    {"headers": [["Authorization", CANARY]]},
    {"a": [{"b": ({"pwd": [CANARY]},)}]},
    {"json": msgspec.json.encode({"a": {"secret": CANARY}}).decode()},
    {"twice": msgspec.json.encode(msgspec.json.encode({"secret": CANARY}).decode()).decode()},
    [("password", CANARY)],
    "password=" + CANARY,
    ValueError(f"cannot connect to mysql://app:{CANARY}@db"),
)
RULES = Redaction(keys={"iban"}, pseudonymise={"email"}, pseudonym_key="k" * 32)


def log_canaries(audit: AuditLogger, kept: tuple[str, ...]) -> int:
    """Log each shape as details, and as every text there is; return how many events. *kept* keys are left out."""
    shapes = [details for details in DETAILS if not (type(details) is dict and set(details) & set(kept))]
    for details in shapes:
        audit.log(events.custom("a", details=details, old_values=details, description="Login attempt"))
    for shape in SHAPES:
        with audit_context(user_agent=shape):
            audit.log(events.custom("a", description=shape, error_message=shape, actor_name=shape, tags=[shape]))
    audit.log(events.custom("a", details={"pwd": CANARY}, description=f"typed {CANARY}"))
    audit.log(
        msgspec.structs.replace(events.custom("a"), description={"password": CANARY}, details={1: {"pwd": CANARY}})
    )
    return len(shapes) + len(SHAPES) + 2


@pytest.mark.parametrize(("rules", "kept"), [(None, ("iban", "email")), (RULES, ())], ids=["built-in", "own"])
def test_no_secret_reaches_a_disk(
    rules: Redaction | None, kept: tuple[str, ...], sqlite_url: str, tmp_path: Path, journal_dir: Path
) -> None:
    """Whatever shape it comes in, a secret is in no file of journal, quarantine or database, and in no log line."""
    with heard() as lines, AuditLogger(sqlite_url, journal_dir=journal_dir, redact=rules) as audit:
        count = log_canaries(audit, kept)
        audit.log(
            events.custom("a", details={} if kept else {"email": LOGIN}, description=None if kept else f"for {LOGIN}")
        )
        journal = b"".join(path.read_bytes() for path in journal_dir.rglob("*") if path.is_file())
        assert audit.flush_sync(20)
        found = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    encoded = base64.b64encode(CANARY.encode())[:12]
    sought = (CANARY.encode(), LOGIN.encode(), encoded, b"CANARYCANARY", b"4111111111111111", b"4111-1111")
    assert [] == [each for each in sought if each in journal + found + "".join(lines).encode()]
    with contextlib.closing(sqlite3.connect(tmp_path / "audit.db")) as database:
        assert [(count + 1,)] == database.execute("SELECT count(*) FROM audit_logs").fetchall()


async def test_what_a_rule_logs_is_refused(sqlite_url: str, journal_dir: Path) -> None:
    """A rule that logs an event about each value ends, its events are refused and counted, and told of once."""
    refused: list[Any] = []

    def rule(key: str, value: Any) -> Any:
        refused.append(audit.log(events.custom("rule.asked", details={"key": key})).refused)
        return value

    audit = AuditLogger(sqlite_url, journal_dir=journal_dir, redact=rule)
    async with audit:
        assert audit.log(events.custom("a", details={"a": 1})).is_accepted
        assert await audit.flush(10)
        assert audit.log(events.custom("a", details={"b": 2})).is_accepted
        assert await audit.flush(10)
    assert {"recursion"} == set(refused)
    assert {"recursion": len(refused)} == audit.stats().refused_by_reason
    rows = await all_rows(sqlite_url)
    assert 2 == [row["action"] for row in rows].count("a")
    assert sum(row["details"]["count"] for row in rows if row["action"] == "audit.gap") <= 2


def test_failures_of_a_rule_are_counted(sqlite_url: str, journal_dir: Path) -> None:
    """`stats()` says on how many values a rule failed, and one line says so without the value."""

    def rule(key: str, value: Any) -> Any:
        raise ValueError(value)

    with heard() as lines, AuditLogger(sqlite_url, journal_dir=journal_dir, redact=rule) as audit:
        for _ in range(3):
            audit.log(events.custom("a", details={"a": "hunter2"}))
        assert 3 == audit.stats().redaction_failed
    assert [
        "ERROR audit_async: the rule given to redact= failed on a value (builtins.ValueError), which is removed\n"
    ] == lines


def test_rules_are_a_setting(sqlite_url: str, journal_dir: Path) -> None:
    """`configure` takes rules in every form, and keeps its logger while they are equal."""
    try:
        first = configure(sqlite_url, journal_dir=journal_dir, redact={"keys": ["iban"]})
        assert first is configure(sqlite_url, journal_dir=journal_dir, redact=Redaction(keys={"IBAN"}))
        assert first is not configure(sqlite_url, journal_dir=journal_dir)
        with pytest.raises(ConfigurationError, match="no redaction"):
            configure(sqlite_url, journal_dir=journal_dir, redact=5)  # type: ignore[arg-type]  # the slip
    finally:
        shutdown()
