"""A module that logs in its body, and waits there until the event is stored."""

from __future__ import annotations

import os
import sys
import threading

from audit_async import AuditLogger, events

NUMBER_OF_THREADS = threading.active_count()

if len(sys.argv) > 2:
    with AuditLogger(sys.argv[1], journal_dir=os.path.join(sys.argv[2], "second")) as own:
        own.log(events.custom("nasty.at_import"))
        assert own.flush_sync(20)


def begin(audit: AuditLogger) -> None:
    """Log with another one's logger."""
    audit.log(events.custom("nasty.imported"))
