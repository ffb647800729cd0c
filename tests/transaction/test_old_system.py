"""What a system whose service wrote into the request's own session gets here, side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from audit_async import AuditEvent, AuditLogger, events
from tests.transaction.shop import Order


def log_event(audit: AuditLogger, db: Session, event: AuditEvent) -> Any:
    """Do as the old `log_event(db, ...)`: in the caller's session, never committing."""
    return audit.add_sync(db, event)


def log_event_auto(audit: AuditLogger, event: AuditEvent, db: Session | None = None) -> Any:
    """Do as the old `log_event_auto(..., db=None)`: with a session as `log_event`, without one by itself."""
    return audit.log(event) if db is None else audit.add_sync(db, event)


def said(number: int, **fields: Any) -> AuditEvent:
    return events.custom("auth.login", resource_id=number, **fields)


def resources(engine: Engine) -> list[str]:
    with engine.connect() as connection:
        return sorted(connection.execute(text("SELECT resource_id FROM audit_logs")).scalars())


def test_a_request_that_commits_has_all_of_them(sync_engine: Engine, audit: AuditLogger) -> None:
    """In a request that commits every way leads to a row, in the session's transaction or beside it."""
    with Session(sync_engine) as db:
        log_event(audit, db, said(1))
        log_event_auto(audit, said(2), db)
        audit.within(db).log(said(3))
        db.commit()
    log_event_auto(audit, said(4))
    assert audit.flush_sync(10)
    assert ["1", "2", "3", "4"] == resources(sync_engine)


def test_a_request_that_rolls_back_keeps_its_failures(sync_engine: Engine, audit: AuditLogger) -> None:
    """Of a request that rolls back the old service lost the refused log-in as well: `within` keeps it."""
    with Session(sync_engine) as db:
        log_event(audit, db, said(1))
        audit.within(db).log(said(2))
        audit.within(db).log(said(3, success=False))
        db.rollback()
    # SQLite has one writer at a time: what does not belong to the request is logged beside it.
    log_event_auto(audit, said(4))
    assert audit.flush_sync(10)
    assert ["3", "4"] == resources(sync_engine)


@pytest.mark.parametrize("call", [log_event, lambda audit, db, event: log_event_auto(audit, event, db)])
def test_a_failed_row_leaves_the_session_usable(sync_engine: Engine, sync_url: str, tmp_path: Path, call: Any) -> None:
    """The old service caught the error and left a session that refused everything; here the request goes on."""
    with AuditLogger(sync_url, journal_dir=tmp_path / "journal", writer="none") as audit, Session(sync_engine) as db:
        db.execute(text("DROP TABLE audit_logs"))
        db.commit()
        db.add(Order(id=1, what="tea"))
        call(audit, db, said(1))
        db.commit()
        assert 1 == db.execute(text("SELECT count(*) FROM orders")).scalar_one()
        assert 1 == audit.stats().accepted
