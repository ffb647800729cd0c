"""Reading at the very moment that a disk is found."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from audit_async.journal.journal import Journal
from tests.journal.journals import numbered

Open = Callable[..., Journal]


class LockThatHealsFirst:
    """The journal's lock; the first time it is taken by the reader a disk has just been found."""

    def __init__(self, lock: Any, heal: Callable[[], None]) -> None:
        self._lock = lock
        self._heal: Callable[[], None] | None = heal

    def __enter__(self) -> None:
        heal, self._heal = self._heal, None
        if heal is not None:
            heal()
        self._lock.__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lock.__exit__(kind, error, trace)

    def acquire(self, *arguments: Any, **options: Any) -> bool:
        return bool(self._lock.acquire(*arguments, **options))

    def release(self) -> None:
        self._lock.release()


def test_a_disk_that_is_found_during_a_read_takes_nothing_from_it(tmp_path: Path, opened: Open) -> None:
    """Entries that move from memory to disk between the two looks of a read are read, not taken for lost."""
    (tmp_path / "journal").write_text("in the way")
    journal = opened(tmp_path / "journal")
    # The journal's own thread must not find the disk first, nor at the same time.
    assert journal._sync.stop()
    payloads = [b"entry %d" % number for number in range(5)]
    for payload in payloads:
        journal.append(payload)

    def heal() -> None:
        (tmp_path / "journal").unlink()
        journal._back_to_disk()

    journal._lock = LockThatHealsFirst(journal._lock, heal)  # type: ignore[assignment]
    batch = journal.read(100, 10_000)
    assert batch is not None
    read = [(record.seq, record.payload) for record in batch.records]
    assert ((), numbered(payloads)) == (batch.missing, read)
