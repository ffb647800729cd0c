"""A real logger into a SQLite file, and what came into its table."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from audit_async import AuditLogger
from tests.tables import parsed


class Log:
    """A logger, and the file of its table."""

    def __init__(self, folder: Path, **options: Any) -> None:
        self.file = folder / "audit.db"
        self.audit = AuditLogger(f"sqlite+aiosqlite:///{self.file}", journal_dir=folder / "journal", **options)

    def rows(self) -> list[dict[str, Any]]:
        """Return every row, once all that was logged is there, in the order in which it was."""
        assert self.audit.flush_sync(20)
        if not self.file.exists():
            return []
        connection = sqlite3.connect(self.file)
        try:
            connection.row_factory = sqlite3.Row
            return [parsed(dict(row)) for row in connection.execute("SELECT * FROM audit_logs ORDER BY writer_seq")]
        finally:
            connection.close()

    def row(self) -> dict[str, Any]:
        """Return the only row."""
        (row,) = self.rows()
        return row

    def told(self, *names: str) -> tuple[Any, ...]:
        """Return the values of *names* in the only row."""
        row = self.row()
        return tuple(row[name] for name in names)


@contextmanager
def logging_to(folder: Path, **options: Any) -> Iterator[Log]:
    """Give a log, which is closed behind the block."""
    log = Log(folder, **options)
    with log.audit:
        yield log
