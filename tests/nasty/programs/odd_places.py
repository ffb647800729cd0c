"""Log one event from each place where a program is seldom looked at, and end.

python -m tests.nasty.programs.odd_places URL JOURNAL_DIR
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
import weakref
from types import FrameType, TracebackType

from audit_async import AuditLogger, events

audit: AuditLogger


class Collected:
    def __del__(self) -> None:
        audit.log(events.custom("nasty.del"))


class Plain:
    pass


def on_signal(number: int, frame: FrameType | None) -> None:
    audit.log(events.custom("nasty.signal"))


def on_error(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    audit.log(events.custom("nasty.excepthook", error_message=error))


def last() -> None:
    # Registered before the library was used: it runs after what the library does at the end.
    audit.log(events.custom("nasty.last"))


def main() -> None:
    global audit
    audit = AuditLogger(sys.argv[1], journal_dir=sys.argv[2])
    atexit.register(lambda: audit.log(events.custom("nasty.atexit")))
    sys.excepthook = on_error
    signal.signal(signal.SIGUSR1, on_signal)
    os.kill(os.getpid(), signal.SIGUSR1)
    Collected()
    watched = Plain()
    weakref.finalize(watched, audit.log, events.custom("nasty.finalize"))
    reference = weakref.ref(watched, lambda _: audit.log(events.custom("nasty.weakref")))
    del watched
    assert reference() is None
    raise ValueError("the end")


if __name__ == "__main__":
    atexit.register(last)
    main()
