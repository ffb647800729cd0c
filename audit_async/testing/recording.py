"""A logger that keeps events, in the place of the default one."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager

from audit_async.default import made_by
from audit_async.testing.memory import MemoryAuditLogger
from audit_async.testing.recorded import AuditEvents


@contextmanager
def recording() -> Iterator[AuditEvents]:
    """Keep what the process default logger is given in this block, and give it as a list.

    Whatever the program calls `configure` with is checked, and its rules of redaction and `strict` hold; it may shut
    the logger down and configure it again. What it logs with a logger of its own is not in the list: hand that one in
    as a `MemoryAuditLogger`.
    """
    events = AuditEvents()
    with made_by(functools.partial(MemoryAuditLogger.into, events)):
        yield events
