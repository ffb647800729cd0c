"""Faults of a SQLite file: others hold it, its disk is full, it is read-only, damaged, moved away, or replaced."""

from __future__ import annotations

import asyncio
import functools
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from audit_async import create_table
from tests.children import Child
from tests.faults.callers import Callers
from tests.faults.fault import fault
from tests.faults.lab import Lab
from tests.faults.mounts import mounted, remount
from tests.faults.rooms import fill
from tests.polling import eventually_sync

ROWS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})"
MANY_ROWS, FEW_ROWS = ROWS.format(count=4000), ROWS.format(count=500)
SPILLING = (
    "PRAGMA cache_size = 10",  # pages: all beyond are in the file before the commit
    "CREATE TABLE theirs (filling)",
    "BEGIN IMMEDIATE",
    f"INSERT INTO theirs {MANY_ROWS} SELECT randomblob(500) FROM n",
)
SLOW_ROWS = (
    f"CREATE TRIGGER slow AFTER INSERT ON audit_logs BEGIN SELECT count(*) FROM ({FEW_ROWS} SELECT i FROM n); END"
)
PAGE_BYTES = 4096


def file_of(lab: Lab) -> Path:
    """Return the SQLite file of *lab*."""
    return Path(lab.url.removeprefix("sqlite+aiosqlite:///"))


@contextmanager
def other_process(lab: Lab, *statements: str) -> Iterator[Child]:
    """Give a process that has executed *statements*, and ends with the block at the latest."""
    with Child("sqlite_session", file_of(lab), *statements, errors=lab.log) as child:
        assert child.lines(1) == ["done"]
        yield child


@contextmanager
def at_work(lab: Lab) -> Iterator[Callers]:
    """Give callers who have stored a good deal."""
    with Callers(lab) as callers:
        callers.store(lab.chance.randrange(1, 100))
        yield callers


def put_away(file: Path, to: Path) -> None:
    """Move the database away, with what belongs to it; the file itself goes first."""
    to.mkdir()
    for name in (file.name, f"{file.name}-wal", f"{file.name}-shm"):
        if (file.parent / name).exists():
            shutil.move(file.parent / name, to / name)


def copy_of(file: Path, to: Path) -> Path:
    """Make a copy of the database, whoever is at work in it, and return it."""
    with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(to)) as copy:
        source.backup(copy)
    return to


@fault("F66", "another process holds the file")
def held(lab: Lab) -> None:
    """Let another process have a transaction open for long, and end it, or be killed."""
    with at_work(lab) as callers, other_process(lab, "BEGIN IMMEDIATE") as other:
        callers.complain("SQLITE_BUSY")
        callers.go_on(logs=100, writes=10)
        if lab.seed % 2:
            other.go()
        other.kill()
        callers.recover()
        callers.store()


@fault("F66", "another process is killed in the middle of a transaction")
def holder_killed(lab: Lab) -> None:
    """Leave half a transaction in the file: nothing of it is seen, and ours go on."""
    with at_work(lab) as callers:
        with other_process(lab, *SPILLING) as other:
            callers.complain("SQLITE_BUSY")
            other.kill()
        callers.recover()
        callers.store()
        assert lab.sql("SELECT count(*) AS n FROM theirs") == [{"n": 0}]


@fault("F66", "the writer is killed in the middle of a transaction", fast=1, quick=2, full=40)
def writer_killed(lab: Lab) -> None:
    """Kill a process while it has a transaction open, again and again."""
    lab.sql(SLOW_ROWS)
    file = file_of(lab)
    for _ in range(1 + lab.seed % 3):
        with lab.child(600, end="hang") as child, closing(sqlite3.connect(file, timeout=0)) as looker:
            lab.wait_for_promises(lab.chance.randrange(1, 300))
            eventually_sync(functools.partial(_is_in_use, looker), 30)
            child.kill()
    lab.sql("DROP TRIGGER slow")


def _is_in_use(looker: sqlite3.Connection) -> bool:
    try:
        looker.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        return error.sqlite_errorname == "SQLITE_BUSY"
    looker.execute("ROLLBACK")
    return False


@fault("F66", "several processes write into one file")
def crowded(lab: Lab) -> None:
    """Have two more processes of ours, and one of somebody else's, write at once: each of them gets its turn."""
    with at_work(lab) as callers:
        children = [lab.child(400, threads=2) for _ in range(2)]
        with other_process(
            lab, "CREATE TABLE theirs (filling)", *[f"INSERT INTO theirs VALUES ({n})" for n in range(50)]
        ):
            callers.store()
        for child in children:
            assert child.rest()[-1] == "done"
        callers.recover()
    assert lab.sql("SELECT count(*) AS n FROM theirs") == [{"n": 50}]


@fault("F66", "the file is moved away, and back", fast=2)
def moved_away(lab: Lab) -> None:
    """Move the file away under the writer; what comes back is the file itself, or a copy of it."""
    file, aside = file_of(lab), lab.folder / "aside"
    with at_work(lab) as callers:
        put_away(file, aside)
        callers.complain("there is no SQLite file")
        back = aside / file.name
        if lab.seed % 2:
            back = copy_of(back, lab.folder / "copy.db")
            back.rename(file)
        else:
            for each in (aside / f"{file.name}-shm", aside / f"{file.name}-wal", back):
                if each.exists():
                    each.rename(file.parent / each.name)
        callers.recover()
        callers.store()


@fault("F66", "a copy is put in the file's place", fast=2)
def replaced(lab: Lab) -> None:
    """Put a copy in the place of the file while the writer waits for its turn: what it then writes into the old one
    counts for nothing."""
    file = file_of(lab)
    with at_work(lab) as callers:
        with other_process(lab, "BEGIN IMMEDIATE") as other:
            copy = copy_of(file, lab.folder / "copy.db")
            callers.go_on()
            put_away(file, lab.folder / "aside")
            copy.rename(file)
            other.kill()
        callers.recover()
        callers.store()
        lab.wait_for_rows(callers.audit.stats().stored)


@fault("F66", "the file is deleted, and made anew")
def deleted(lab: Lab) -> None:
    """Delete the file: a new one is not made in silence, since somebody has to look; then `init` makes it."""
    file = file_of(lab)
    with at_work(lab) as callers:
        with other_process(lab, "BEGIN IMMEDIATE") as other:
            copy = copy_of(file, lab.folder / "copy.db")
            for each in (file, Path(f"{file}-wal"), Path(f"{file}-shm")):
                each.unlink()
            other.kill()
        callers.complain("there is no SQLite file")
        assert not file.exists()
        asyncio.run(create_table(lab.url))
        callers.recover()
        callers.store()
    with closing(sqlite3.connect(file, timeout=30)) as connection:
        connection.execute("ATTACH ? AS kept", (str(copy),))
        connection.execute("INSERT INTO audit_logs SELECT * FROM kept.audit_logs")
        connection.commit()


@fault("F66", "-wal and -shm are removed under the writer")
def log_removed(lab: Lab) -> None:
    """Remove SQLite's own files while they are in use: what was stored gets into the file all the same."""
    file = file_of(lab)
    with at_work(lab) as callers:
        log = Path(f"{file}-wal")
        log.unlink()
        Path(f"{file}-shm").unlink()
        eventually_sync(log.exists, 30)  # nobody but the writer uses the file
        callers.recover()
        callers.store()
        lab.wait_for_rows(callers.audit.stats().stored)


@fault("F66", "-shm is garbage or gone, and -wal is torn, between two processes", fast=2)
def log_torn(lab: Lab) -> None:
    """Kill the writer, and leave of SQLite's own files what a crash of the machine may: commits are read from them."""
    with lab.child(300, end="hang") as child:
        lab.wait_for_rows(lab.chance.randrange(50, 300))
        child.kill()
    index, log = Path(f"{file_of(lab)}-shm"), Path(f"{file_of(lab)}-wal")
    assert log.stat().st_size
    with log.open("ab") as file:
        file.write(lab.chance.randbytes(lab.chance.randrange(1, 3 * PAGE_BYTES)))
    if lab.seed % 2:
        index.write_bytes(lab.chance.randbytes(index.stat().st_size))
    else:
        index.unlink()
    with at_work(lab):
        pass


@fault("F66", "the file's disk is full, and freed again", needs=("mount",))
def disk_full(lab: Lab) -> None:
    """Leave no byte in the folder of the file."""
    place = own_disk(lab)
    with at_work(lab) as callers:
        ballast = fill(place)
        callers.complain("SQLITE_FULL|SQLITE_IOERR")
        ballast.unlink()
        callers.recover()
        callers.store()


@fault("F66", "the file is on a disk that is read-only, later writable", needs=("mount",))
def read_only(lab: Lab) -> None:
    """Let nobody write to the file when the process starts."""
    place = own_disk(lab)
    remount(place, "ro")
    with Callers(lab) as callers:
        callers.complain("SQLITE_READONLY|SQLITE_CANTOPEN")
        remount(place, "rw")
        callers.recover()
        callers.store()


def own_disk(lab: Lab) -> Path:
    """Have the file of *lab* on a small file system of its own, and return where that is; the journal is elsewhere."""
    place = lab.keep(mounted(lab.folder / "disk", options="size=4m"))
    lab.url = f"sqlite+aiosqlite:///{place / 'audit.db'}"
    asyncio.run(create_table(lab.url))
    return place


@fault("F66", "pages of the file are damaged, and restored from a copy", fast=2)
def damaged(lab: Lab) -> None:
    """Overwrite the first page, or all the others: health says so, and events wait until a copy is there."""
    file = file_of(lab)
    with at_work(lab) as callers:
        with closing(sqlite3.connect(file, isolation_level=None, timeout=30)) as other:
            other.execute("CREATE TABLE theirs (filling)")
            eventually_sync(functools.partial(_holds_whole_file, other, file), 30)
            copy = copy_of(file, lab.folder / "copy.db")
            other.execute("INSERT INTO theirs VALUES (1)")
            damage(lab, file)
            # By a commit of somebody else a connection learns that what it remembers of pages counts no more.
            other.execute("COMMIT")
        callers.complain("damaged|malformed|not a database|SQLITE_CORRUPT|SQLITE_NOTADB")
        put_away(file, lab.folder / "aside")
        copy.rename(file)
        callers.recover()
        callers.store()


def _holds_whole_file(other: sqlite3.Connection, file: Path) -> bool:
    """Begin a transaction, and return whether the log beside the file is empty: nobody reads a page that stands in it
    from the file, where the damage is."""
    other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    other.execute("BEGIN IMMEDIATE")
    if Path(f"{file}-wal").stat().st_size:
        # The writer was quicker.
        other.execute("ROLLBACK")
        return False
    return True


def damage(lab: Lab, file: Path) -> None:
    """Overwrite pages of the file."""
    # Closed in the end only: to close a file is to lose all locks on it that this process has.
    opened = lab.keep(file.open("r+b", buffering=0))
    size = file.stat().st_size
    if lab.seed % 2:
        opened.seek(PAGE_BYTES)
        opened.write(lab.chance.randbytes(size - PAGE_BYTES))
    else:
        opened.write(lab.chance.randbytes(PAGE_BYTES))
