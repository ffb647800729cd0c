"""What a process says of itself beside its journal files: there while it lives, true, and in nobody's way."""

from __future__ import annotations

import json
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from audit_async import AuditLogger, events
from audit_async import status as status_module
from audit_async.drain import drain
from audit_async.journal import sync
from audit_async.journal.file_set import FileSet, Lock
from audit_async.settings import read_settings
from audit_async.status import Seen, Status, look_around, read_status
from tests.children import Child
from tests.polling import eventually, eventually_sync


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let rounds and writes come quickly one after another."""
    monkeypatch.setattr(sync, "ROUND_INTERVAL_SECONDS", 0.01)
    monkeypatch.setattr(status_module, "STATUS_INTERVAL_SECONDS", 0.01)


@pytest.fixture
def audit(sqlite_url: str, journal_dir: Path) -> Iterator[AuditLogger]:
    """A logger that has logged, and delivered, three events."""
    logger = AuditLogger(sqlite_url, journal_dir=journal_dir, service="web")
    log_some(logger)
    assert logger.flush_sync(20)
    yield logger
    logger.close_sync()


def log_some(audit: AuditLogger, count: int = 3) -> None:
    for number in range(count):
        audit.log(events.custom("report.print", details={"number": number}))


def statuses(directory: Path) -> list[Path]:
    return sorted(directory.glob("*.status*"))


def settled(directory: Path, stored: int) -> Seen | None:
    """Return the only process there, once its file says that *stored* events are in the table."""
    seen = look_around(directory)
    return seen[0] if len(seen) == 1 and seen[0].status and seen[0].status.stats.stored == stored else None


def let_it_look(audit: AuditLogger) -> None:
    """Wait until it has looked whether there is something to write, several times."""
    looks: set[float] = set()

    def has_looked() -> bool:
        looks.add(audit._process._status._due_at)
        return len(looks) > 5

    eventually_sync(has_looked)


def test_it_tells_all_that_the_process_knows_of_itself(audit: AuditLogger, journal_dir: Path) -> None:
    """The numbers are those of `stats()`, the health that of `health()`; the file is for its owner alone."""
    seen = eventually_sync(lambda: settled(journal_dir, 3))
    assert seen is not None
    assert seen.status is not None
    assert ("living", "web", audit.stats(), audit.health()) == (
        seen.state,
        seen.status.service,
        seen.status.stats,
        seen.status.health,
    )
    assert (os.getpid(), seen.writer_id, 1) == (seen.status.pid, seen.status.writer_id, seen.status.format)
    (path,) = statuses(journal_dir)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_it_is_written_only_when_something_changed(audit: AuditLogger, journal_dir: Path) -> None:
    """While nothing happens the file is left alone, and a new event changes it."""
    assert eventually_sync(lambda: settled(journal_dir, 3))
    (path,) = statuses(journal_dir)
    with path.open("rb"):  # as long as it is open, no later file gets its number
        before = path.stat().st_ino
        let_it_look(audit)
        assert before == path.stat().st_ino
        log_some(audit)
        assert eventually_sync(lambda: settled(journal_dir, 6))
        assert before != path.stat().st_ino


def test_it_goes_with_a_process_that_ends_well(audit: AuditLogger, journal_dir: Path) -> None:
    """After a close with nothing pending no file is left."""
    assert eventually_sync(lambda: settled(journal_dir, 3))
    assert audit.close_sync()
    assert [] == list(journal_dir.iterdir())


async def test_what_waits_after_a_close_is_told_until_it_is_delivered(sqlite_url: str, journal_dir: Path) -> None:
    """A process that was closed with events pending is shown as closed; who delivers them removes its file."""
    left = AuditLogger(sqlite_url, journal_dir=journal_dir, writer="none")
    log_some(left)
    left.close_sync()
    (seen,) = look_around(journal_dir)
    assert seen.status is not None
    assert ("closed", 3, 3) == (seen.state, seen.status.stats.pending, seen.status.stats.accepted)
    assert (await drain(read_settings(sqlite_url, journal_dir=journal_dir))).is_complete
    assert [] == list(journal_dir.iterdir())


async def test_a_killed_process_is_shown_as_dead(sqlite_url: str, journal_dir: Path) -> None:
    """What a killed process said last is kept and marked until its events are delivered, with its lock or without."""
    with Child("logging_child", sqlite_url, journal_dir, 0, 50, "none") as child:
        assert child.lines(51)
        await eventually(lambda: statuses(journal_dir))
        assert ["living"] == [seen.state for seen in look_around(journal_dir)]
    assert ["dead"] == [seen.state for seen in look_around(journal_dir)]
    next(journal_dir.glob("*.lock")).unlink()
    assert ["dead"] == [seen.state for seen in look_around(journal_dir)]
    assert (await drain(read_settings(sqlite_url, journal_dir=journal_dir))).is_complete
    assert [] == list(journal_dir.iterdir())


async def test_one_that_only_delivers_is_seen_as_well(sqlite_url: str, journal_dir: Path) -> None:
    """A process that logs nothing itself and delivers what others left says how much."""
    left = AuditLogger(sqlite_url, journal_dir=journal_dir, writer="none")
    log_some(left)
    left.close_sync()

    def has_said() -> bool:
        found = [seen.status for seen in look_around(journal_dir) if seen.state == "living"]
        return [3] == [status.stats.adopted_stored for status in found if status is not None]

    with AuditLogger(sqlite_url, journal_dir=journal_dir):
        await eventually(has_said)


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_has_its_own(audit: AuditLogger, journal_dir: Path) -> None:
    """A child writes a file of its own, and its parent's stays the parent's."""
    assert eventually_sync(lambda: settled(journal_dir, 3))
    (path,) = statuses(journal_dir)
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            log_some(audit, 5)
            eventually_sync(
                lambda: os.getpid() in [seen.status.pid for seen in look_around(journal_dir) if seen.status]
            )
            code = 0
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    parents = read_status(path)
    assert isinstance(parents, Status)
    assert (os.getpid(), 3) == (parents.pid, parents.stats.accepted)


def test_it_comes_back_into_a_directory_that_was_emptied(audit: AuditLogger, journal_dir: Path) -> None:
    """Whoever removes the journal's files finds the status again with them, and never without."""
    assert eventually_sync(lambda: settled(journal_dir, 3))
    for path in journal_dir.iterdir():
        path.unlink(missing_ok=True)  # a draft of the status, which has got its name
    log_some(audit)
    assert eventually_sync(lambda: settled(journal_dir, 6))


def test_where_it_cannot_be_written_nothing_else_suffers(sqlite_url: str, journal_dir: Path) -> None:
    """With something in its way the file is left out: events arrive, and health says nothing of it."""
    audit = AuditLogger(sqlite_url, journal_dir=journal_dir, writer="none")
    log_some(audit)
    (path,) = eventually_sync(lambda: [one for one in statuses(journal_dir) if one.suffix == ".status"])
    eventually_sync(lambda: is_made(path.with_suffix(".status.new")))
    path.unlink()
    log_some(audit)
    let_it_look(audit)
    assert (6, True, False) == (audit.stats().accepted, audit.health().is_healthy, path.exists())
    path.with_suffix(".status.new").rmdir()
    audit.close_sync()


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"null", b"[]", b"{}", b'"text"', b"\xff\xfe", b"[" * 60_000, b'{"stats": "' + b"x" * 100_000],
    ids=["empty", "torn", "null", "list", "nothing in it", "text", "no utf-8", "deep", "long"],
)
def test_a_damaged_file_is_unreadable_and_no_more(content: bytes, tmp_path: Path) -> None:
    """Whatever stands in a status file, reading it raises nothing."""
    with orphan(tmp_path) as file_set:
        file_set.status_path.write_bytes(content)
        (seen,) = look_around(tmp_path)
    assert ("living", None, True) == (seen.state, seen.status, str(seen.fault).startswith("unreadable"))


@pytest.mark.parametrize("kind", ["pipe", "folder", "link"])
def test_what_is_no_file_is_not_waited_for(kind: str, tmp_path: Path) -> None:
    """A pipe, a folder or a link in its place is not followed."""
    with orphan(tmp_path) as file_set:
        match kind:
            case "pipe":
                os.mkfifo(file_set.status_path)
            case "folder":
                file_set.status_path.mkdir()
            case "link":
                file_set.status_path.symlink_to("/etc/hostname")
        (seen,) = look_around(tmp_path)
    assert (None, True) == (seen.status, str(seen.fault).startswith("unreadable"))


def test_a_file_of_a_later_version_is_read_as_far_as_it_is_known(tmp_path: Path) -> None:
    """Unknown fields are passed over, and missing ones have their default, in the numbers too."""
    with orphan(tmp_path) as file_set:
        write(file_set, {"format": 2, "new": {"a": 1}, "stats": {"accepted": 7, "newer": [1]}})
        (seen,) = look_around(tmp_path)
    assert seen.status is not None
    assert (2, 7, 0, 0) == (seen.status.format, seen.status.stats.accepted, seen.status.stats.stored, seen.status.pid)


@pytest.mark.parametrize(
    ("pending", "is_held", "state"), [(5, True, "stale"), (0, True, "living"), (5, False, "dead"), (0, False, "dead")]
)
def test_one_that_moves_nothing_is_marked(pending: int, is_held: bool, state: str, tmp_path: Path) -> None:
    """A living process with events pending that has written nothing for long is stale; an idle one is not."""
    with orphan(tmp_path, is_held=is_held) as file_set:
        old = datetime.now(UTC) - timedelta(hours=1)
        write(file_set, {"written_at": old.isoformat(), "stats": {"accepted": 5, "pending": pending}})
        assert [state] == [seen.state for seen in look_around(tmp_path)]


def test_looking_takes_no_lock_and_leaves_no_file(audit: AuditLogger, journal_dir: Path) -> None:
    """Looking changes nothing in the directory, and the lock stays its process's."""
    assert eventually_sync(lambda: settled(journal_dir, 3))
    before = sorted(journal_dir.iterdir())
    (file_set,) = FileSet.all_in(journal_dir)
    assert (True, None, before) == (
        Lock.is_held(file_set.lock_path),
        Lock.take(file_set.lock_path),
        sorted(journal_dir.iterdir()),
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_somebody_else_sees_that_he_may_not() -> None:
    """Another user than the service's is told that he may not look, and gets no exception."""
    with tempfile.TemporaryDirectory() as name, orphan(Path(name)) as file_set:
        write(file_set, {})
        Path(name).chmod(0o755)
        os.seteuid(65534)
        try:
            seen = look_around(Path(name))
        finally:
            os.seteuid(0)
    assert [("unknown", None, "unreadable (Permission denied)")] == [(one.state, one.status, one.fault) for one in seen]


def is_made(folder: Path) -> bool:
    """Make *folder*, unless a draft of that name is just being written; return whether it was made."""
    try:
        folder.mkdir()
    except FileExistsError:
        return False
    return True


@contextmanager
def orphan(directory: Path, *, is_held: bool = True) -> Iterator[FileSet]:
    """Make a file set with a lock, held or not, and nothing else."""
    file_set = FileSet(directory, "web", "0" * 32)
    lock = Lock.make(file_set.lock_path)
    if not is_held:
        lock.close()
    yield file_set
    lock.close()


def write(file_set: FileSet, changes: dict[str, object]) -> None:
    """Write a status as another version might."""
    now = datetime.now(UTC).isoformat()
    whole = {"started_at": now, "written_at": now, "health": {"status": "ok"}, "stats": {}, **changes}
    file_set.status_path.write_text(json.dumps(whole))
    file_set.status_path.chmod(0o600)
