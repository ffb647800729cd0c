"""The confirm mark: two slots, of which one is whole at any moment."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from audit_async.config import SLOT_BYTES
from audit_async.journal.confirm import ConfirmFile, Mark, read_mark

SALT = 1
OLD = Mark(seq=10, stored=10)
NEW = Mark(seq=20, stored=18, quarantined=1, dropped={"journal_damaged": 1}, recent_failed=(12, 15))


def write(path: Path, *marks: Mark) -> None:
    taken = ConfirmFile.take(path, SALT)
    assert taken is not None
    for mark in marks:
        taken[0].write(mark)
    taken[0].close()


@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_newest_mark_counts(count: int, tmp_path: Path) -> None:
    """Whichever slot it is in, the mark written last is read."""
    write(tmp_path / "confirm", *[Mark(seq=number, stored=number) for number in range(1, count + 1)])
    assert read_mark(tmp_path / "confirm", SALT) == Mark(seq=count, stored=count)


def test_everything_in_a_mark_is_read_back(tmp_path: Path) -> None:
    """Numbers, reasons and failed entries survive."""
    write(tmp_path / "confirm", OLD, NEW)
    assert read_mark(tmp_path / "confirm", SALT) == NEW


@pytest.mark.parametrize("length", range(0, 98, 7))
def test_a_torn_mark_leaves_the_one_before(length: int, tmp_path: Path) -> None:
    """A write that was cut off anywhere costs one mark, not both."""
    path = tmp_path / "confirm"
    write(path, OLD, NEW)
    whole = path.read_bytes()
    # The second mark is in the first slot.
    path.write_bytes(whole[:length].ljust(SLOT_BYTES, b"\0") + whole[SLOT_BYTES:])
    assert read_mark(path, SALT) == OLD


def test_garbage_is_no_mark(tmp_path: Path) -> None:
    """A file of random bytes is as good as none."""
    (tmp_path / "confirm").write_bytes(os.urandom(2 * SLOT_BYTES))
    assert read_mark(tmp_path / "confirm", SALT) == Mark()


def test_a_missing_file_is_the_first_mark(tmp_path: Path) -> None:
    """Where nothing was settled, nothing is."""
    assert read_mark(tmp_path / "confirm", SALT) == Mark()


def test_the_next_holder_goes_on_where_the_last_one_was(tmp_path: Path) -> None:
    """A mark written by a second holder is newer than those of the first."""
    write(tmp_path / "confirm", Mark(seq=1, stored=1), OLD)
    write(tmp_path / "confirm", NEW)
    assert read_mark(tmp_path / "confirm", SALT) == NEW


def test_a_mark_in_use_has_one_holder(tmp_path: Path) -> None:
    """Nobody else takes it until it is closed."""
    taken = ConfirmFile.take(tmp_path / "confirm", SALT)
    assert taken is not None
    assert ConfirmFile.take(tmp_path / "confirm", SALT) is None
    taken[0].close()


def test_entries_must_add_up() -> None:
    """A mark cannot move over an entry that nobody accounted for."""
    with pytest.raises(ValueError, match="2 entries are to be settled"):
        OLD.moved_to(12, stored=1, quarantined=0, dropped={}, failed=())


def test_the_fullest_mark_fits_its_slot(tmp_path: Path) -> None:
    """The longest list of failed numbers does not run into the other slot."""
    full = Mark().moved_to(2**53, stored=0, quarantined=2**53, dropped={}, failed=tuple(range(2**53 - 200, 2**53)))
    write(tmp_path / "confirm", OLD, full)
    assert read_mark(tmp_path / "confirm", SALT) == full
    write(tmp_path / "other", full, OLD)
    assert read_mark(tmp_path / "other", SALT) == OLD
