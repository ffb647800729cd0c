"""Log one event with everything odd in it, say something as well, and close: in surroundings that lack something.

    python -m tests.nasty.programs.surroundings URL JOURNAL_DIR|- [close-output] [locale] [nobody]

With `-` the journal is where the library puts it by itself. With `nobody` the program becomes a user that no passwd
knows, once everything is loaded: the interpreter itself may lie where only root may read.
"""

from __future__ import annotations

import asyncio
import locale
import os
import sys
import tempfile

NOBODY = 54_321


def main() -> None:
    url, journal_dir, *wants = sys.argv[1:]
    if "close-output" in wants:
        os.close(1)
        os.close(2)
    if "locale" in wants:
        set_comma_locale()
    if "nobody" in wants:
        with tempfile.TemporaryDirectory() as elsewhere:
            log(f"sqlite+aiosqlite:///{elsewhere}/audit.db", elsewhere)
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    # The interpreter itself fails to flush an output that is closed.
    os._exit(0 if log(url, None if journal_dir == "-" else journal_dir) else 3)


def log(url: str, journal_dir: str | None) -> bool:
    from audit_async import AuditLogger, create_table, events
    from audit_async.diagnostics import forget_all, report

    asyncio.run(create_table(url))
    forget_all()
    with AuditLogger(url, journal_dir=journal_dir) as audit:
        report("test", "a line of our own, with 审计 in it")
        audit.log(events.custom("nasty.place", actor_name="审\udcff", duration_ms=1.5, details={"a": 0.25}))
        return audit.flush_sync(20)


def set_comma_locale() -> None:
    """Take a locale that writes 1,5, if the system has one."""
    for name in ("de_DE.UTF-8", "fr_FR.UTF-8", "ru_RU.UTF-8", ""):
        try:
            locale.setlocale(locale.LC_ALL, name)
            return
        except locale.Error:
            continue


if __name__ == "__main__":
    main()
