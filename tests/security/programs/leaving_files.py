"""Leave a file of every kind in a directory, as a process that is killed does.

    python -m tests.security.programs.leaving_files DIRECTORY UMASK UID

Run by root it becomes user UID first. Prints whether events go to the disk: `disk` or `memory`.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from pathlib import Path

from audit_async import AuditLogger, events
from audit_async.journal.file_set import FileSet
from audit_async.journal.place import default_directory
from audit_async.store.quarantine import Quarantine


def run_all_code_once() -> None:
    """Load what is loaded late: another user may not be able to read it."""
    with (
        tempfile.TemporaryDirectory() as directory,
        AuditLogger(f"sqlite+aiosqlite:///{directory}/audit.db", journal_dir=f"{directory}/journal") as audit,
    ):
        audit.log(events.custom("a"))
        audit.flush_sync()


def become(uid: int) -> None:
    if os.geteuid() == 0 and uid:
        os.setgroups([])
        os.setgid(uid)
        os.setuid(uid)


def main() -> None:
    directory, umask, uid = Path(sys.argv[1]), int(sys.argv[2], 8), int(sys.argv[3])
    run_all_code_once()
    os.umask(umask)
    become(uid)
    os.chdir(directory)
    os.environ["XDG_STATE_HOME"] = str(directory / "state" / "of" / "user")
    stored = AuditLogger(f"sqlite+aiosqlite:///{directory}/audit.db", journal_dir=directory / "journal")
    stored.log(events.custom("a"))
    stored.flush_sync(20)
    waiting = AuditLogger(f"sqlite+aiosqlite:///{directory}/audit.db", journal_dir=default_directory(), writer="none")
    for _ in range(100):  # so that a reserve is made as well
        waiting.log(events.custom("a", description="x" * 10_000))
    waiting.flush_sync(1)
    Quarantine(directory / "journal", "destination").add("0" * 32, 1, b"{}", "reason", None)
    for file_set in FileSet.all_in(directory / "journal"):
        file_set.keep_damage(1, 4096, b"damaged")
    os.write(1, b"disk\n" if stored.stats().is_on_disk and waiting.stats().is_on_disk else b"memory\n")
    signal.pause()


if __name__ == "__main__":
    main()
