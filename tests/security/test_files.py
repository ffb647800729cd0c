"""Files for ourselves alone: modes, owners, and what somebody has put in their place."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from audit_async import AuditLogger, events
from audit_async.errors import ConfigStoreError, ConfigurationError
from audit_async.journal.confirm import ConfirmFile, read_mark
from audit_async.journal.file_set import FileSet, Lock
from audit_async.journal.journal import Journal
from audit_async.journal.segment import SegmentReader
from audit_async.private import make_directory, trusted
from audit_async.store.quarantine import Quarantine
from audit_async.table.connection import make_private
from tests.children import Child
from tests.journal.conftest import opened, small_segments  # noqa: F401 -- fixtures
from tests.journal.journals import adopt_all, die, fill, numbered, read_all, read_orphans
from tests.polling import eventually_sync

NOBODY = 65534
AS_USERS = pytest.mark.parametrize(
    "uid", [0, pytest.param(NOBODY, marks=pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another"))]
)
WRITER = "0123456789abcdef" * 2
SECRET = b"not of the audit log"

Open = Callable[..., Journal]


@pytest.fixture
def home() -> Iterator[Path]:
    """A directory that every user can get at."""
    with tempfile.TemporaryDirectory(prefix="audit-home-") as directory:
        yield Path(directory)


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    """A file that somebody would like to have overwritten."""
    path = tmp_path / "victim"
    path.write_bytes(SECRET)
    return path


def modes_below(directory: Path) -> dict[str, set[int]]:
    """Return the modes of directories and of files."""
    found: dict[str, set[int]] = {"directories": set(), "files": set()}
    for path in directory.rglob("*"):
        kind = "directories" if path.is_dir() else "files"
        found[kind].add(stat.S_IMODE(path.lstat().st_mode))
    return found


@AS_USERS
@pytest.mark.parametrize("umask", ["000", "022", "077"])
def test_everything_on_disk_is_for_its_owner_alone(home: Path, umask: str, uid: int) -> None:
    """Whatever the umask, every directory that is made has mode 0700 and every file of any kind 0600."""
    if uid:
        os.chown(home, uid, uid)
    with Child("leaving_files", home, umask, uid, package="tests.security.programs") as child:
        assert ["disk"] == child.lines(1)
        assert {"directories": {0o700}, "files": {0o600}} == modes_below(home)
        suffixes = {path.suffix for path in home.rglob("*") if path.is_file()}
        owners = {path.stat().st_uid for path in home.rglob("*")}
    assert {".audj", ".lock", ".confirm", ".json", ".corrupt", ".db", ".db-wal", ".db-shm"} <= suffixes
    assert {uid if os.geteuid() == 0 else os.geteuid()} == owners


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory to another user")
def test_another_user_s_directory_is_not_used(home: Path) -> None:
    """A journal directory that belongs to somebody else takes no events, though its group may write into it."""
    os.chown(home, NOBODY, NOBODY)
    for name in ("journal", "state"):
        (home / name).mkdir()
        os.chown(home / name, 1, NOBODY)
        (home / name).chmod(0o770)
    with Child("leaving_files", home, "022", NOBODY, package="tests.security.programs") as child:
        assert ["memory"] == child.lines(1)
        assert [] == list((home / "journal").iterdir())


def test_the_administrator_may_use_the_application_s_directory(tmp_path: Path) -> None:
    """Who runs `drain` as root finds what the application's own user has left."""
    if os.geteuid() == 0:
        os.chown(tmp_path, NOBODY, NOBODY)
    assert trusted(tmp_path, "the directory").st_uid in (os.geteuid(), NOBODY)


# --- links and pipes in the place of files -----------------------------------------------------------


@pytest.mark.usefixtures("small_segments")
@pytest.mark.parametrize("suffix", [".audj", ".reserve"])
def test_a_link_in_the_place_of_a_segment_is_not_followed(
    suffix: str,
    tmp_path: Path,
    victim: Path,
    opened: Open,  # noqa: F811
) -> None:
    """A link under the name of the next segment gets nothing, and no entry is lost for it."""
    journal = opened(tmp_path / "journal")
    link = FileSet(journal.directory, "test", journal.writer_id).segment_path(2).with_suffix(suffix)
    link.symlink_to(victim)
    payloads = fill(journal, 100, size=1000)
    assert SECRET == victim.read_bytes()
    assert numbered(payloads) == read_all(journal)


def test_a_link_in_the_place_of_a_mark_is_not_followed(tmp_path: Path, victim: Path) -> None:
    """A confirm file that is a link is neither read nor written: the file set stays with its producer."""
    (tmp_path / "a.confirm").symlink_to(victim)
    assert ConfirmFile.take(tmp_path / "a.confirm", 0) is None
    assert 0 == read_mark(tmp_path / "a.confirm", 0).seq
    assert SECRET == victim.read_bytes()


@pytest.mark.parametrize("name", ["a.lock", "a.lock.new"])
def test_a_link_in_the_place_of_a_lock_is_not_followed(name: str, tmp_path: Path, victim: Path) -> None:
    """A link under a lock's name is replaced; under that of its draft it is refused."""
    (tmp_path / name).symlink_to(victim)
    if name == "a.lock":
        Lock.make(tmp_path / "a.lock").close()
        assert (tmp_path / "a.lock").is_file()
        assert not (tmp_path / "a.lock").is_symlink()
    else:
        with pytest.raises(FileExistsError):
            Lock.make(tmp_path / "a.lock")
    assert SECRET == victim.read_bytes()


@pytest.mark.parametrize("link", [Path.symlink_to, Path.hardlink_to])
def test_a_link_in_the_place_of_kept_damage_is_replaced(
    link: Callable[[Path, Path], None], tmp_path: Path, victim: Path
) -> None:
    """Damaged bytes are kept in a new file, not in one that is known by another name."""
    file_set = FileSet(tmp_path, "app", WRITER)
    place = tmp_path / f"app-{WRITER}-000001-4096.corrupt"
    link(place, victim)
    file_set.keep_damage(1, 4096, b"damaged")
    assert (SECRET, b"damaged") == (victim.read_bytes(), place.read_bytes())


@pytest.mark.parametrize("link", [Path.symlink_to, Path.hardlink_to])
@pytest.mark.parametrize("suffix", [".json", ".new"])
def test_a_link_in_the_place_of_a_quarantined_event_is_replaced(
    suffix: str, link: Callable[[Path, Path], None], tmp_path: Path, victim: Path
) -> None:
    """A refused event is kept in a new file, and the file that a link leads to stays as it is."""
    quarantine = Quarantine(tmp_path, "d")
    quarantine.directory.mkdir(mode=0o700)
    link(quarantine.directory / f"d-{WRITER}-000000000001{suffix}", victim)
    assert quarantine.add(WRITER, 1, b"{}", "reason", None)
    assert SECRET == victim.read_bytes()
    assert [1] == [item.writer_seq for item in quarantine.items()]


@pytest.mark.parametrize("kind", ["link", "open"])
def test_a_quarantine_that_is_not_ours_alone_takes_nothing(kind: str, tmp_path: Path) -> None:
    """Where the quarantine is a link, or everybody may write into it, the event stays in the journal."""
    quarantine = Quarantine(tmp_path, "d")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    if kind == "link":
        quarantine.directory.symlink_to(elsewhere)
    else:
        quarantine.directory.mkdir()
        quarantine.directory.chmod(0o777)
    assert not quarantine.add(WRITER, 1, b"{}", "reason", None)
    assert "quarantine" in str(quarantine.fault)
    assert [] == [*elsewhere.iterdir(), *quarantine.directory.iterdir()]


def test_a_link_to_nothing_is_no_database(tmp_path: Path) -> None:
    """A SQLite file that is a link to a missing file is not made where it leads to."""
    (tmp_path / "audit.db").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigStoreError, match="symbolic link"):
        make_private(str(tmp_path / "audit.db"))
    assert not (tmp_path / "elsewhere").exists()


def test_pipes_keep_nobody_waiting(tmp_path: Path) -> None:
    """A named pipe in the place of any file is passed over; a reader that opened it would wait for ever."""
    file_set = FileSet(tmp_path, "test", WRITER)
    quarantine = Quarantine(tmp_path, "d")
    quarantine.directory.mkdir()
    for path in (
        *(file_set.lock_path, file_set.confirm_path, file_set.segment_path(1)),
        quarantine.directory / f"d-{WRITER}-000000000001.json",
    ):
        os.mkfifo(path)
    assert [] == quarantine.items()
    assert 0 == read_mark(file_set.confirm_path, file_set.salt).seq
    with pytest.raises(OSError, match="not a file"):
        SegmentReader.open(file_set.segment_path(1))
    assert [] == adopt_all(tmp_path)


@pytest.mark.parametrize("with_directory", [False, True])
def test_a_directory_that_is_swapped_gets_nothing(
    with_directory: bool,
    tmp_path: Path,
    opened: Open,  # noqa: F811
    small_segments: None,  # noqa: F811
) -> None:
    """What is put in the place of the directory, a link or one that all may write into, gets no entry; all are kept."""
    elsewhere, other, app = tmp_path / "elsewhere", tmp_path / "other", tmp_path / "app"
    for directory in (elsewhere, other, tmp_path / "first"):
        directory.mkdir()
    app.symlink_to(tmp_path / "first")
    journal = opened(app / "journal")
    payloads = fill(journal, 10)
    if with_directory:
        (other / "journal").mkdir()
        (other / "journal").chmod(0o777)
    else:
        (other / "journal").symlink_to(elsewhere)
    (tmp_path / "link").symlink_to(other)
    (tmp_path / "link").rename(app)  # at one moment
    payloads += fill(journal, 200, size=1000)
    eventually_sync(lambda: journal.last_fault)
    assert [] == [*elsewhere.iterdir(), *(other / "journal").iterdir()]
    (other / "journal").rmdir() if with_directory else (other / "journal").unlink()
    eventually_sync(lambda: journal.is_on_disk and journal.last_fault is None and journal.synced.value == 210, 30)
    die(journal)
    assert numbered(payloads) == read_orphans(app / "journal")


# --- names and descriptors ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "service",
    [
        *("../../etc", "/etc/passwd", "..", ".hidden", "-rf", "--", "a\0b", "x" * 300, "日誌" * 100, "", " ", "\ud800"),
        *("a\nb", "con", "a/b\\c", "%2e%2e%2f", "$(reboot)", "*"),
    ],
    ids=ascii,
)
def test_a_service_s_name_stays_in_the_directory(service: str, sqlite_url: str, tmp_path: Path) -> None:
    """Whatever a service is called, its files lie in the journal directory, and are found there."""
    audit = AuditLogger(sqlite_url, journal_dir=tmp_path / "journal", service=service, writer="none")
    before = set(tmp_path.iterdir())
    audit.log(events.custom("a"))
    assert audit.stats().is_on_disk
    assert before | {tmp_path / "journal"} == set(tmp_path.iterdir())
    names = [path.name for path in (tmp_path / "journal").iterdir()]
    (file_set,) = FileSet.all_in(tmp_path / "journal")
    assert all(name.startswith(file_set.base) and name.isascii() and len(name) < 100 for name in names)
    audit.close_sync()


def test_a_journal_directory_with_a_nul_is_a_mistake(sqlite_url: str) -> None:
    """No directory can have such a name: that is said at once, and not when the first event comes."""
    with pytest.raises(ConfigurationError, match="NUL"):
        AuditLogger(sqlite_url, journal_dir="a\0b")


def test_a_child_inherits_no_file(sqlite_url: str, tmp_path: Path) -> None:
    """A program that the application starts gets no descriptor of journal, lock or database."""
    listing = "import os; print(*(os.readlink(f'/proc/self/fd/{n}') for n in os.listdir('/proc/self/fd') if n > '2'"
    listing += " and os.path.lexists(f'/proc/self/fd/{n}')), sep='\\n')"
    with AuditLogger(sqlite_url, journal_dir=tmp_path / "journal") as audit:
        audit.log(events.custom("a"))
        assert audit.flush_sync()
        ours = [os.readlink(f"/proc/self/fd/{number}") for number in os.listdir("/proc/self/fd") if _is_open(number)]
        done = subprocess.run([sys.executable, "-c", listing], capture_output=True, text=True, close_fds=False)
    assert any(str(tmp_path / "journal") in name for name in ours)
    assert any("audit.db" in name for name in ours)
    assert [] == [line for line in done.stdout.splitlines() if str(tmp_path) in line or "socket:" in line]


def _is_open(number: str) -> bool:
    return os.path.lexists(f"/proc/self/fd/{number}")


def test_directories_above_are_made_for_us_alone_as_well(tmp_path: Path) -> None:
    """Whoever may write above the directory could put another one in its place."""
    before = os.umask(0)
    try:
        make_directory(tmp_path / "a" / "b" / "c")
    finally:
        os.umask(before)
    assert {0o700} == modes_below(tmp_path)["directories"]
