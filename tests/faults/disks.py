"""Faults of the disk under the journal: full, closed to us, taken away, and back again."""

from __future__ import annotations

import itertools
import resource
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.faults.fault import fault
from tests.faults.lab import Lab
from tests.faults.mounts import remount
from tests.faults.report import Report, Watched
from tests.faults.rooms import QUICK, SMALL_SEGMENT, as_ordinary_user, disk, fill, table_away
from tests.polling import eventually_sync, removed

MODES = ("log", "on_disk", "write", "require")
HELD_SECONDS = 5.0  # beyond what was agreed: no wait of ours is that long, and no machine that slow
MAX_WAIT_SECONDS = 0.3
UNDER_WAY = 200  # events that are pending at any moment where all is well
ENDLESS = 1_000_000  # events: a child is stopped long before
SMALL = {"segment_bytes": SMALL_SEGMENT}
WAITS = {"max_wait_seconds": MAX_WAIT_SECONDS}


def in_memory(report: Report) -> bool:
    """Return whether events wait in memory, and health says so."""
    return not report.stats.is_on_disk and report.health.status == "failing" and report.says("no disk takes events")


def back_on_disk(report: Report) -> bool:
    """Return whether all is well again."""
    is_stored = report.stats.last_error is None and report.stats.pending < UNDER_WAY
    return report.stats.is_on_disk and is_stored and not report.says("disk")


def call_more(lab: Lab, count: int) -> None:
    """Wait until callers have made so many more calls."""
    goal = len(lab.told().called) + count
    eventually_sync(lambda: len(lab.told().called) >= goal, 30)


def assert_in_order(report: Report) -> None:
    """Everything came in, and nobody was held up."""
    assert report.is_all_in, report
    assert (report.stats.dropped, report.stats.refused) == (0, 0), report
    assert report.longest_seconds["log"] < HELD_SECONDS, report


@fault("F23", "a disk that is full before the first event", fast=1, quick=3, full=40, needs=("mount",))
def full_at_the_start(lab: Lab) -> None:
    """Begin on a full disk, the table away: only who is content with memory is promised anything. Then free it."""
    lab.timing = QUICK
    ballast = fill(disk(lab, options="size=2m"))
    mode = lab.chance.choice(MODES)
    with Watched(lab, ENDLESS, made=SMALL, mode=mode, per_second=300, on_disk_seconds=0.2, options=WAITS) as child:
        with table_away(lab):
            child.wait_for(lambda report: in_memory(report) and report.stats.pending > 20)
            told = lab.told()
            assert not told.on_disk | told.stored
            assert mode != "require" or not told.promised
            if lab.chance.random() < 0.5:
                ballast.unlink()
        if ballast.exists():
            # With a table that takes them it needs no disk.
            child.wait_for(lambda report: in_memory(report) and report.stats.stored > 50)
            ballast.unlink()
        child.wait_for(back_on_disk)
        lab.wait_for_promises(20)
        assert_in_order(child.stop())


@fault("F24", "a disk that fills up under way, and is freed", fast=1, quick=3, full=40, needs=("mount",))
def filled_under_way(lab: Lab) -> None:
    """Fill the disk in the middle of the journal, while the table is away, and free it again."""
    lab.timing = QUICK
    path = disk(lab, options="size=2m")
    mode, made = lab.chance.choice(MODES), {**SMALL, "is_mapped": lab.chance.random() < 0.5}
    with Watched(lab, ENDLESS, made=made, mode=mode, per_second=1000, threads=4, options=WAITS) as child:
        child.wait_for(lambda report: report.stats.is_on_disk and report.stats.stored > 20)
        with table_away(lab):
            ballast = fill(path, but=lab.chance.randrange(0, 2 * SMALL_SEGMENT))
            child.wait_for(lambda report: in_memory(report) and report.says("No space left"))
            ballast.unlink()
            child.wait_for(lambda report: report.stats.is_on_disk and not report.says("disk"))
        child.wait_for(lambda report: report.stats.stored > 100)
        assert_in_order(child.stop())


@fault("F24", "a disk that fills up, is freed, and SIGKILL", fast=1, quick=2, full=40, needs=("mount",))
def freed_and_killed(lab: Lab) -> None:
    """Fill the disk, free it, and kill the process when its events are on disk again: none was only in memory."""
    path = disk(lab, options="size=4m")
    with Watched(lab, ENDLESS, made=SMALL, mode="on_disk", threads=4, options={"writer": "none"}) as child:
        lab.wait_for_promises(100)
        ballast = fill(path)
        child.wait_for(in_memory)
        ballast.unlink()
        child.wait_for(lambda report: report.stats.is_on_disk and not report.says("disk"))
        lab.wait_for_promises(lab.chance.randrange(1, 200))
        child.child.kill()


@fault("F25", "a full disk and a full memory, then room again", fast=1, quick=2, full=40, needs=("mount",))
def refused_and_told(lab: Lab) -> None:
    """Refuse events until there is room again: an `audit.gap` tells how many these were, to the last one."""
    lab.timing = QUICK
    ballast = fill(disk(lab, options="size=2m"), but=lab.chance.choice([0, 100_000]))
    options = {"memory_max_bytes": lab.chance.randrange(10_000, 60_000)}
    with Watched(lab, ENDLESS, made=SMALL, per_second=1000, options=options) as child:
        with table_away(lab):
            child.wait_for(lambda report: report.stats.refused_by_reason.get("memory_full", 0) > 100)
            assert (report := child.latest) is not None
            assert report.says("events were refused for want of room: memory_full")
            if lab.chance.random() < 0.5:
                ballast.unlink()
        if ballast.exists():
            child.wait_for(lambda report: report.stats.last_error is None and report.stats.pending < 50)
            ballast.unlink()
        child.wait_for(back_on_disk)
        report = child.stop()
    assert report.is_all_in, report
    assert report.stats.refused == len(lab.told().refused)
    gaps = [row["details"] for row in lab.rows() if row["action"] == "audit.gap"]
    assert sum(gap["count"] for gap in gaps) == report.stats.refused, gaps
    assert {reason for gap in gaps for reason in gap["reasons"]} == {"memory_full"}


@fault("F26", "a disk that the journal itself has filled", fast=1, quick=2, full=20, needs=("mount",))
def journal_fills_the_disk(lab: Lab) -> None:
    """Let an outage fill the disk: when the table is back the journal drains and frees itself, without any help."""
    lab.timing = QUICK
    path = disk(lab, options="size=512k")
    with Watched(lab, ENDLESS, made=SMALL, per_second=2000, threads=4) as child:
        with table_away(lab):
            child.wait_for(in_memory)
            lab.wait_for_promises(200)
        child.wait_for(back_on_disk)
        child.wait_for(lambda report: report.stats.journal_bytes <= 3 * SMALL_SEGMENT)
        assert shutil.disk_usage(path).used <= 8 * SMALL_SEGMENT
        assert_in_order(child.stop())


@fault("F42", "no inode is left, then some are", fast=1, quick=2, full=20, needs=("mount",))
def no_inodes(lab: Lab) -> None:
    """Begin, or go on, where no file can be made."""
    lab.timing = QUICK
    path = disk(lab, options=f"size=4m,nr_inodes={lab.chance.randrange(2, 7)}")
    with Watched(lab, ENDLESS, made=SMALL, mode=lab.chance.choice(MODES), per_second=1000, threads=4) as child:
        with table_away(lab):
            child.wait_for(in_memory)
        remount(path, "nr_inodes=1000")
        child.wait_for(back_on_disk)
        assert_in_order(child.stop())


@fault("F42", "no descriptor is left, then some are", fast=1, quick=2, full=40, needs=("linux",))
def no_descriptors(lab: Lab) -> None:
    """Take all descriptors under way, or before the first event."""
    lab.timing = QUICK
    # A loop of asyncio that could not be made fails once more in its own finaliser, whatever we do.
    lab.may_complain = True
    is_at_start = lab.chance.random() < 0.3
    # A caller without a descriptor cannot begin a loop of his own.
    mode = "log" if is_at_start else lab.chance.choice(MODES)
    task: dict[str, Any] = {"mode": mode, "per_second": 1000, "threads": 4, "options": WAITS}
    with Watched(lab, ENDLESS, made=SMALL, on_disk_seconds=0.5, **task) as child:
        child.child.lines(1)
        if not is_at_start:
            lab.wait_for_promises(lab.chance.randrange(1, 100))
        _, most = resource.prlimit(child.child.pid, resource.RLIMIT_NOFILE)
        for _ in range(2):
            resource.prlimit(child.child.pid, resource.RLIMIT_NOFILE, (5, most))
            call_more(lab, 100)
            resource.prlimit(child.child.pid, resource.RLIMIT_NOFILE, (most, most))
            child.wait_for(back_on_disk)
        assert_in_order(child.stop())


@fault("F42", "no file may grow beyond a limit, then it may", fast=1, quick=2, full=40, needs=("linux",))
def no_long_files(lab: Lab) -> None:
    """Forbid long files under way: a write that crosses the limit is done in part, and the table takes none either."""
    lab.timing = QUICK
    made = {"is_mapped": lab.chance.random() < 0.3, "segment_bytes": 1024 * 1024}
    # Below the end of a segment, and above what its ledger and its reports will have: neither grows by more than 30 kB
    # a second at that pace, however late the first event is stored.
    limit = lab.chance.randrange(900_000, 1_000_000)
    with Watched(lab, ENDLESS, made=made, per_second=1000, threads=4) as child:
        child.wait_for(lambda report: report.stats.stored > 20)
        _, most = resource.prlimit(child.child.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(child.child.pid, resource.RLIMIT_FSIZE, (limit, most))
        child.wait_for(lambda report: in_memory(report) and report.says("File too large"))
        resource.prlimit(child.child.pid, resource.RLIMIT_FSIZE, (most, most))
        child.wait_for(lambda report: report.stats.is_on_disk and not report.says("disk"))
        assert_in_order(child.stop())


def remove(directory: Path) -> None:
    """Remove it, files and all."""
    eventually_sync(lambda: removed(directory))


def move_away(directory: Path) -> None:
    """Give it another name."""
    directory.rename(directory.with_name("away"))


def close_it(directory: Path) -> None:
    """Let nobody in."""
    directory.chmod(0)


def replace_by_a_file(directory: Path) -> None:
    """Put a file in its place."""
    other = directory.with_name("other")
    other.touch()
    _replace(directory, other)


def replace_by_a_link(directory: Path) -> None:
    """Put a link to another directory in its place."""
    directory.with_name("elsewhere").mkdir()
    other = directory.with_name("other")
    other.symlink_to(directory.with_name("elsewhere"))
    _replace(directory, other)


def _replace(directory: Path, other: Path) -> None:
    """Put *other* in its place, before it is made again."""
    for turn in itertools.count():
        directory.rename(directory.with_name(f"away-{turn}"))
        try:
            other.rename(directory)
        except IsADirectoryError:
            continue
        return


SPOILS: dict[str, Callable[[Path], None]] = {
    "removed": remove,
    "renamed": move_away,
    "chmod 000": close_it,
    "replaced by a file": replace_by_a_file,
    "replaced by a link": replace_by_a_link,
}
LASTS = {"chmod 000": "PermissionError", "replaced by a file": "Not a directory", "replaced by a link": "symbolic link"}
"""What the library cannot mend by itself, and what health says of it."""


def _heal(directory: Path) -> None:
    if directory.is_symlink() or directory.is_file():
        directory.unlink()
    elif directory.is_dir():
        directory.chmod(0o700)


class Spoiled:
    """A fault for each of them, the table away until the directory is in order again."""

    def __init__(self, name: str) -> None:
        self.__name__ = f"spoiled_{name.replace(' ', '_')}"
        self._name = name

    def __call__(self, lab: Lab) -> None:
        """Spoil the directory under way, and see who is told of the disk until it is in order."""
        lab.timing = QUICK
        mode = lab.chance.choice(MODES)
        task = {"mode": mode, "per_second": 500, "threads": 4, "on_disk_seconds": 0.5, "options": WAITS}
        with Watched(lab, ENDLESS, under=as_ordinary_user(), made=SMALL, **task) as child:
            child.wait_for(lambda report: report.stats.is_on_disk and report.stats.stored > 20)
            with table_away(lab):
                self._spoil(lab, child)
            assert_in_order(child.stop())

    def _spoil(self, lab: Lab, child: Watched) -> None:
        SPOILS[self._name](lab.journal_dir)
        if self._name in LASTS:
            child.wait_for(lambda report: report.health.status == "failing" and report.says(LASTS[self._name]))
            # Some calls may have been answered just before.
            call_more(lab, 20)
            on_disk = len(lab.told().on_disk)
            call_more(lab, 100)
            assert len(lab.told().on_disk) == on_disk
            _heal(lab.journal_dir)
        if self._name != "chmod 000":
            child.wait_for(lambda report: any("they are made again" in line for line in report.said))
        child.wait_for(lambda report: report.stats.is_on_disk and not report.says("journal"))


class SpoiledAndKilled(Spoiled):
    """A fault for each of them, and the process is killed when the directory is in order again."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.__name__ += "_and_killed"

    def __call__(self, lab: Lab) -> None:
        """Spoil the directory under way, and kill the process when it is in order."""
        task = {"mode": "on_disk", "per_second": 500, "threads": 4, "options": {"writer": "none"}}
        with Watched(lab, ENDLESS, under=as_ordinary_user(), made=SMALL, **task) as child:
            lab.wait_for_promises(lab.chance.randrange(50, 200))
            self._spoil(lab, child)
            lab.wait_for_promises(lab.chance.randrange(1, 100))
            child.child.kill()


for _name in SPOILS:
    for _kind, _more in ((Spoiled, ""), (SpoiledAndKilled, ", and SIGKILL")):
        # In the tests each once, in one of the two ways.
        _fast = int((_kind is Spoiled) == (_name in LASTS))
        fault("F32", f"the journal's directory {_name} under way{_more}", fast=_fast, quick=2, full=20)(_kind(_name))


@fault("F33", "a read-only disk at the start, later writable", fast=1, quick=2, full=10, needs=("mount",))
def read_only(lab: Lab) -> None:
    """Begin where nothing can be written."""
    lab.timing = QUICK
    path = disk(lab)
    remount(path, "ro")
    with Watched(lab, ENDLESS, made=SMALL, mode=lab.chance.choice(MODES), per_second=500, options=WAITS) as child:
        with table_away(lab):
            child.wait_for(lambda report: in_memory(report) and report.says("Read-only file system"))
            assert not lab.told().on_disk
        remount(path, "rw")
        child.wait_for(back_on_disk)
        assert_in_order(child.stop())
