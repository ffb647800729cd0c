"""File sets: names, and locks that have one owner at most."""

from __future__ import annotations

import fcntl
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from audit_async.journal.file_set import FileSet, Lock, service_slug

WRITER = "0123456789abcdef" * 2


def test_a_lock_has_one_owner(tmp_path: Path) -> None:
    """A lock that is held cannot be taken, not even by its own process."""
    lock = Lock.make(tmp_path / "a.lock")
    other = Lock.take(tmp_path / "a.lock")
    lock.close()
    assert other is None


def test_a_closed_lock_can_be_taken(tmp_path: Path) -> None:
    """What was given up is free."""
    Lock.make(tmp_path / "a.lock").close()
    lock = Lock.take(tmp_path / "a.lock")
    assert lock is not None
    lock.close()


def test_a_lock_on_a_removed_file_is_none(tmp_path: Path) -> None:
    """Who opened the file before it was removed and made again does not own the new one."""
    path = tmp_path / "a.lock"
    lock = Lock.make(path)
    path.unlink()
    renewed = Lock.make(path)
    assert (lock.is_in_place, renewed.is_in_place) == (False, True)
    lock.close()
    renewed.close()


def test_a_file_removed_between_open_and_lock_is_not_owned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who gets the lock of a file that has just lost its name gets nothing."""
    Lock.make(tmp_path / "a.lock").close()
    real = fcntl.flock

    def removing(descriptor: int, operation: int) -> None:
        (tmp_path / "a.lock").unlink()
        real(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", removing)
    assert Lock.take(tmp_path / "a.lock") is None


def test_a_missing_lock_is_not_made_by_looking(tmp_path: Path) -> None:
    """Looking for an orphan leaves no file behind."""
    assert Lock.take(tmp_path / "a.lock") is None
    assert list(tmp_path.iterdir()) == []


def test_a_dead_owner_owns_nothing(tmp_path: Path) -> None:
    """The lock of a process that has ended is free, whatever has its number now."""
    code = "import sys; from pathlib import Path; from audit_async.journal.file_set import Lock; "
    code += "Lock.make(Path(sys.argv[1]))"
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "a.lock")], check=True, timeout=30)
    lock = Lock.take(tmp_path / "a.lock")
    assert lock is not None
    lock.close()


def test_of_many_who_take_one_lock_one_gets_it(tmp_path: Path) -> None:
    """Threads that take the same lock at the same moment never both have it."""
    path = tmp_path / "a.lock"
    Lock.make(path).close()
    gate, taken = threading.Barrier(8), []

    def take() -> None:
        gate.wait()
        if (lock := Lock.take(path)) is not None:
            taken.append(lock)

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for lock in taken:
        lock.close()
    assert len(taken) <= 1


def test_a_forked_child_holds_no_lock(tmp_path: Path) -> None:
    """When a process gives its lock up, its children do not keep it."""
    lock = Lock.make(tmp_path / "a.lock")
    here, there = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        there.send(b"i am here")
        there.recv(1)
        os._exit(0)
    here.recv(20)
    lock.close()
    again = Lock.take(tmp_path / "a.lock")
    here.send(b"x")
    os.waitpid(pid, 0)
    here.close()
    there.close()
    assert again is not None
    again.close()


def test_a_file_set_is_known_by_its_lock(tmp_path: Path) -> None:
    """Other files in the directory are nobody's."""
    for name in (f"app-{WRITER}.lock", f"app-{WRITER}-000001.audj", "notes.txt", "app-short.lock"):
        (tmp_path / name).touch()
    assert FileSet.all_in(tmp_path) == [FileSet(tmp_path, "app", WRITER)]


def test_segments_are_found_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    """More than six digits, and other files, do not confuse it."""
    file_set = FileSet(tmp_path, "app", WRITER)
    for number in (2, 1_000_000, 10):
        file_set.segment_path(number).touch()
    file_set.confirm_path.touch()
    assert file_set.segment_numbers() == [2, 10, 1_000_000]


def test_damage_outlives_its_file_set(tmp_path: Path) -> None:
    """Everything is removed but what was kept to be looked at."""
    file_set = FileSet(tmp_path, "app", WRITER)
    file_set.lock_path.touch()
    file_set.segment_path(1).touch()
    file_set.keep_damage(1, 4096, b"garbage")
    file_set.remove()
    assert [path.name for path in tmp_path.iterdir()] == [f"app-{WRITER}-000001-4096.corrupt"]


@pytest.mark.parametrize(
    ("service", "slug"), [("My App!", "my_app"), ("../..", "app"), ("", "app"), ("x" * 99, "x" * 40)]
)
def test_a_service_name_is_safe_in_a_file_name(service: str, slug: str) -> None:
    """No name of a service leads out of the directory."""
    assert service_slug(service) == slug
