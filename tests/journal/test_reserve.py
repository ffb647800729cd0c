"""The last of a budget is for urgent entries, and whoever found a journal full is told when there is room."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from audit_async.config import KIB, URGENT_SHARE
from audit_async.errors import JournalFullError
from audit_async.journal.journal import Journal
from tests.journal.journals import SMALL_SEGMENT, adopt_all, fill, payload_of, read_all
from tests.polling import eventually_sync

Open = Callable[..., Journal]
SIZE = 200
HANGS_SECONDS = 30  # far above what a wake takes

BUDGETS = pytest.mark.parametrize("segments", [2, 3, 4, 8, 20, 50])


def append_until_full(journal: Journal, *, is_urgent: bool = False) -> int:
    """Append until one is refused, and return how many were taken."""
    taken = 0
    while True:
        try:
            journal.append(payload_of(journal.last_seq + 1, SIZE), is_urgent=is_urgent)
        except JournalFullError:
            return taken
        taken += 1


def take_one(journal: Journal) -> bool:
    """Say whether an entry that is not urgent is taken."""
    try:
        return journal.append(payload_of(0, SIZE)) > 0
    except JournalFullError:
        return False


def settle_all(journal: Journal) -> None:
    """Settle everything, and wait until its room is there again."""
    room = journal.room.value
    read_all(journal)
    eventually_sync(lambda: journal.room.value > room)


@BUDGETS
@pytest.mark.usefixtures("small_segments")
def test_urgent_entries_are_refused_last(segments: int, tmp_path: Path, opened: Open) -> None:
    """When others are refused there is the promised share left for urgent ones; of all that was taken nothing goes."""
    budget = segments * SMALL_SEGMENT
    journal = opened(tmp_path / "journal", max_bytes=budget)
    ordinary, urgent = append_until_full(journal), append_until_full(journal, is_urgent=True)
    assert urgent * SIZE > 0.8 * budget * URGENT_SHARE  # beside the frames' own headers
    assert ordinary > 2 * urgent
    assert (0, 0) == (append_until_full(journal), append_until_full(journal, is_urgent=True))
    assert [seq for seq, _ in read_all(journal)] == list(range(1, ordinary + urgent + 1))


@BUDGETS
@pytest.mark.usefixtures("small_segments")
def test_a_journal_with_nothing_pending_refuses_nothing(segments: int, tmp_path: Path, opened: Open) -> None:
    """However often it was full, and for whom: what is settled makes room for entries that are not urgent."""
    journal = opened(tmp_path / "journal", max_bytes=segments * SMALL_SEGMENT)
    for is_urgent in (False, True, True, False):
        append_until_full(journal, is_urgent=is_urgent)
        settle_all(journal)
        assert take_one(journal)


@pytest.mark.usefixtures("small_segments")
def test_it_says_how_full_it_is(tmp_path: Path, opened: Open) -> None:
    """Its fullness goes from nothing to one, and refusing begins where only the reserve is left."""
    journal = opened(tmp_path / "journal", max_bytes=20 * SMALL_SEGMENT)
    assert (journal.fullness < 0.01, journal.is_refusing) == (True, False)
    fill(journal, 2000, size=SIZE)
    assert 0.2 < journal.fullness < 0.6
    append_until_full(journal)
    assert 0.85 < journal.fullness < 1
    assert journal.is_refusing
    append_until_full(journal, is_urgent=True)
    assert journal.fullness > 0.98
    settle_all(journal)
    # Segments are removed in as many turns as it takes, and there is room from the first one on.
    eventually_sync(lambda: journal.fullness < 0.1)
    assert not journal.is_refusing


def test_memory_keeps_its_last_for_urgent_entries(tmp_path: Path, opened: Open) -> None:
    """Without a disk the same holds for the budget in memory."""
    (tmp_path / "journal").touch()
    journal = opened(tmp_path / "journal", memory_max_bytes=100 * KIB)
    ordinary, urgent = append_until_full(journal), append_until_full(journal, is_urgent=True)
    assert (95 * KIB // SIZE, 100 * KIB // SIZE) == (ordinary, ordinary + urgent)
    settle_all(journal)
    assert take_one(journal)


def test_an_urgent_entry_from_inside_another_call_is_one(tmp_path: Path, opened: Open) -> None:
    """An entry out of a `__del__` that waits for the outer call keeps its urgency."""
    (tmp_path / "journal").touch()
    journal = opened(tmp_path / "journal", memory_max_bytes=100 * KIB)
    append_until_full(journal)
    numbers: list[int] = []
    real = journal._append_to_memory

    def collecting(seq: int, payload: bytes, is_urgent: bool) -> None:
        if payload == b"outer":
            journal.append(b"u" * SIZE, numbers.append, is_urgent=True)
            journal.append(b"o" * SIZE, numbers.append)
        real(seq, payload, is_urgent)

    journal._append_to_memory = collecting  # type: ignore[method-assign]
    journal.append(b"outer", is_urgent=True)
    assert numbers == [journal.last_seq, -1]


@pytest.mark.usefixtures("small_segments")
def test_what_waited_in_memory_may_take_the_last_of_the_disk(tmp_path: Path, opened: Open) -> None:
    """Entries that were accepted go to a disk that was found again, beyond where new ones are refused."""
    (tmp_path / "journal").touch()
    journal = opened(tmp_path / "journal", max_bytes=8 * SMALL_SEGMENT)
    payloads = fill(journal, 7 * SMALL_SEGMENT // SIZE, size=SIZE)  # with their headers 7.7 segments
    (tmp_path / "journal").unlink()
    journal._sync.hurry()
    eventually_sync(lambda: journal.is_on_disk)
    assert not take_one(journal)
    assert append_until_full(journal, is_urgent=True) > 0
    assert [payload for _, payload in read_all(journal)][: len(payloads)] == payloads


# --- those who wait ----------------------------------------------------------------------------------


def waiting_for_room(journal: Journal) -> threading.Thread:
    """Start a thread that waits for room and then takes it, as a caller does."""

    def wait() -> None:
        number = journal.room.value + 1
        while not take_one(journal):
            if not journal.room.wait_sync(number, HANGS_SECONDS):
                return
            number = journal.room.value + 1

    thread = threading.Thread(target=wait)
    thread.start()
    eventually_sync(lambda: journal.room.is_awaited)
    return thread


def has_ended(thread: threading.Thread) -> bool:
    thread.join(HANGS_SECONDS / 2)
    return not thread.is_alive()


@pytest.mark.usefixtures("small_segments")
def test_settling_wakes_who_waits(tmp_path: Path, opened: Open) -> None:
    """Whoever waits for room goes on when entries are settled, and no sooner."""
    journal = opened(tmp_path / "journal", max_bytes=4 * SMALL_SEGMENT)
    accepted = append_until_full(journal)
    thread = waiting_for_room(journal)
    assert journal.last_seq == accepted
    read_all(journal)
    assert has_ended(thread)
    assert (accepted + 1, False) == (journal.last_seq, journal.room.is_awaited)


@pytest.mark.parametrize("memory_max_bytes", [0, KIB])
def test_a_disk_that_is_found_wakes_who_waits(memory_max_bytes: int, tmp_path: Path, opened: Open) -> None:
    """Whoever waits because there is neither disk nor memory goes on as soon as there is a disk."""
    (tmp_path / "journal").touch()
    journal = opened(tmp_path / "journal", memory_max_bytes=memory_max_bytes)
    accepted = append_until_full(journal)
    thread = waiting_for_room(journal)
    (tmp_path / "journal").unlink()
    assert has_ended(thread)
    assert (accepted + 1, True) == (journal.last_seq, journal.is_on_disk)


@pytest.mark.usefixtures("small_segments")
def test_a_drain_wakes_who_waits(tmp_path: Path, opened: Open) -> None:
    """In a process that only journals, whoever waits goes on when another process has uploaded."""
    journal = opened(tmp_path / "journal", is_consumed_here=False, max_bytes=4 * SMALL_SEGMENT)
    append_until_full(journal)
    thread = waiting_for_room(journal)
    [orphan] = adopt_all(tmp_path / "journal", with_living=True)
    read_all(orphan)
    assert has_ended(thread)
    orphan.close(is_done=False)


@pytest.mark.usefixtures("small_segments")
def test_closing_lets_nobody_wait(tmp_path: Path, opened: Open) -> None:
    """Whoever waits for room is told no when the journal is closed."""
    journal = opened(tmp_path / "journal", max_bytes=4 * SMALL_SEGMENT)
    append_until_full(journal)
    told: list[bool] = []
    number = journal.room.value + 1
    thread = threading.Thread(target=lambda: told.append(journal.room.wait_sync(number, HANGS_SECONDS)))
    thread.start()
    eventually_sync(lambda: journal.room.is_awaited)
    journal.close()
    assert has_ended(thread)
    assert told == [False]
