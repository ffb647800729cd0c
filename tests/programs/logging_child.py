"""Log events one after another and report each on standard output after `log` has returned, until killed.

    python -m tests.programs.logging_child URL JOURNAL_DIR FIRST COUNT [writer]

Prints `ready`, then one number a line; `done` when all are logged and delivered.
"""

from __future__ import annotations

import os
import sys

from audit_async import AuditLogger, events


def main() -> None:
    url, journal_dir, first, count = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    writer = sys.argv[5] if len(sys.argv) > 5 else "thread"
    audit = AuditLogger(url, journal_dir=journal_dir, writer=writer)  # type: ignore[arg-type]
    os.write(1, b"ready\n")
    for number in range(first, first + count):
        if audit.log(events.custom("report.print", details={"number": number})).is_accepted:
            os.write(1, b"%d\n" % number)
    if audit.flush_sync(30):
        os.write(1, b"done\n")
    audit.close_sync()


if __name__ == "__main__":
    main()
