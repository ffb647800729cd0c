"""For the tests of those who log: what was logged, as a list, and a database that fails when it is told.

    from audit_async.testing import Partial, assert_audited, recording

    with recording() as audit_events:
        log_in("u-17")
    assert_audited(action="auth.login", user_id="u-17", details=Partial(login_method="password"), times=1)

Under pytest the fixture `audit_events` does what `recording` does. Nothing here stands in for the logger: an event goes
its real way, with context, redaction and limits, and only its last steps, the disk and the database, are left out.
The parts:

    recorded       events, as a list that grows
    memory         a logger that keeps them there
    adding         what that does in a transaction of the caller's
    recording      that logger in the place of the default one
    comparison     a value beside what was expected of it; a part of what it must be
    expectation    an event beside what was expected of it
    assertions     what a test says
    told           what a test is told when it was not so
    flaky          a logger whose database fails when it is told
    must_audit     actions that no test has emitted, for the pytest plugin
"""

from __future__ import annotations

from audit_async.testing.assertions import assert_audited, assert_not_audited
from audit_async.testing.comparison import Partial
from audit_async.testing.flaky import FlakyDatabase
from audit_async.testing.memory import MemoryAuditLogger
from audit_async.testing.recorded import AuditEvents
from audit_async.testing.recording import recording

__all__ = [
    "AuditEvents",
    "FlakyDatabase",
    "MemoryAuditLogger",
    "Partial",
    "assert_audited",
    "assert_not_audited",
    "recording",
]
