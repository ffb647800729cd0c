"""A process that runs jobs, and comes to its end inside of one.

    python -m tests.jobs.working_child URL JOURNAL_DIR (wait | fork | exit)

Ends one job, begins another with one more inside, and prints the ids of the two. Then it waits for its death, or forks
a child that leaves both, or leaves them by an exit.
"""

from __future__ import annotations

import os
import signal
import sys

from audit_async import AuditLogger, events


def main() -> None:
    url, journal_dir, way = sys.argv[1:]
    audit = AuditLogger(url, journal_dir=journal_dir)
    with audit.job("org.sync", tenant_id="t-1"):
        pass
    with audit.job("schedule.execute", tenant_id="t-1") as outer, audit.job("org.sync", each=0) as inner:
        os.write(1, f"{outer.id}\n{inner.id}\n".encode())
        if way == "wait":
            signal.pause()
        if way == "fork" and (child := os.fork()):
            os.waitpid(child, 0)
        elif way == "fork":
            inner.log(events.org_sync("org.member_create", member_id="of-the-child"))
            sys.exit(3)
        if way == "exit":
            sys.exit(3)


if __name__ == "__main__":
    main()
