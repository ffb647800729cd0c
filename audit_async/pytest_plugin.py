"""What pytest finds by itself where this package is installed: the fixture `audit_events` and `--must-audit`.

Every run of every user loads this file, whether or not it has to do with audit events. So it loads nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from audit_async.testing import AuditEvents


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add what can be asked for."""
    parser.getgroup("audit_async").addoption(
        "--must-audit",
        action="store_true",
        help="fail a run in which an action on the list `must_audit` of the configuration was never emitted",
    )
    parser.addini(
        "must_audit",
        type="args",
        help="actions that the tests have to emit, for --must-audit: names, families, patterns (auth.*)",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Begin to note which actions are emitted, where that was asked for."""
    if config.getoption("--must-audit"):
        from audit_async.testing.must_audit import MustAudit

        noting = MustAudit(config.getini("must_audit"), is_worker=hasattr(config, "workerinput"))
        config.pluginmanager.register(noting, "audit-must-audit")


@pytest.fixture
def audit_events() -> Iterator[AuditEvents]:
    """What the process default logger was given in this test, as a list; nothing goes to a disk or a database."""
    from audit_async.testing import recording

    with recording() as events:
        yield events
