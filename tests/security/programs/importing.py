"""Load everything that is public and make a logger, and print what was done that an import may not do.

python -B -m tests.security.programs.importing JOURNAL_DIR
"""

from __future__ import annotations

import os
import sys
import threading
from typing import Any

_DEEDS = ("socket.", "subprocess.", "os.system", "os.exec", "os.fork", "os.mkdir", "os.rename", "os.remove", "os.rmdir")
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

done: list[str] = []


def watch(event: str, arguments: tuple[Any, ...]) -> None:
    if event.startswith(_DEEDS) and event not in ("socket.__new__", "socket.gethostname"):
        done.append(event)
    if event == "open" and (arguments[2] or 0) & _WRITING:
        done.append(f"open {arguments[0]}")


if __name__ == "__main__":
    sys.addaudithook(watch)
    import audit_async

    for name in audit_async.__all__:
        getattr(audit_async, name)
    audit_async.AuditLogger("postgresql+asyncpg://app@db.example/app", journal_dir=sys.argv[1])
    done += [thread.name for thread in threading.enumerate()[1:]]
    sys.stdout.write("".join(f"{each}\n" for each in done))
