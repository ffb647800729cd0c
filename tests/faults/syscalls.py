"""Faults of single system calls on the journal's own files, brought about by strace."""

from __future__ import annotations

from pathlib import Path

from audit_async.config import SEGMENT_HEADER_BYTES
from audit_async.journal.frame import MAGIC_BYTES
from tests.faults.fault import fault
from tests.faults.lab import Lab
from tests.faults.report import Watched
from tests.faults.rooms import QUICK, SMALL_SEGMENT, any_disk, table_away
from tests.faults.strace import Strace

HELD_SECONDS = 5.0  # beyond what was agreed: no wait of ours is that long, and no machine that slow
HANG_SECONDS = 30
MAX_WAIT_SECONDS = 0.3
CLOSE_SECONDS = 0.5
MODES = ("log", "on_disk", "write", "require")
IO_ERROR = "fdatasync:error=EIO"


def watched(lab: Lab, trace: Strace, count: int, **task: object) -> Watched:
    """Start a child under *trace*, on one of several kinds of disk."""
    made = {**any_disk(lab), **task.pop("made", {}), **trace.made}  # type: ignore[dict-item]
    return Watched(lab, count, under=trace.under(), made=made, **task)


def assert_never_asked_again(trace: Strace) -> None:
    """A file whose sync has failed is not synced again: the next answer would be a lie."""
    failed: set[str | None] = set()
    for call in trace.seen("fdatasync"):
        assert call.path not in failed, call
        if call.error == "EIO":
            failed.add(call.path)
    assert failed


@fault("F27", "EIO on one fdatasync", fast=1, quick=3, full=60, needs=("strace",))
def one_sync_fails(lab: Lab) -> None:
    """Fail one sync: who waits for it is told of the disk when another file has what that one may have lost."""
    trace = Strace(lab, "fdatasync", f"{IO_ERROR}:when={lab.chance.randrange(1, 8)}")
    with watched(lab, trace, 400, mode="on_disk", threads=4) as child:
        report = child.end()
    assert (report.is_all_in, report.health.status) == (True, "ok"), report
    assert len(lab.told().on_disk) == 400
    assert_never_asked_again(trace)


@fault("F27", "EIO on one fdatasync, and what it was to sync is gone", fast=1, quick=2, full=40, needs=("strace",))
def one_sync_loses(lab: Lab) -> None:
    """Take away what the failed sync left in memory: a kernel that cannot write a page may forget it."""
    synced = lab.chance.randrange(0, 40)
    trace = Strace(lab, "fdatasync", f"{IO_ERROR}:when={synced + 1}")
    with watched(lab, trace, 100, mode="on_disk", end="hang", options={"writer": "none"}) as child:
        child.child.lines(2)
        child.child.kill()
    [suspect] = {call.path for call in trace.seen("fdatasync") if call.error}
    assert suspect is not None
    if Path(suspect).exists():
        # One caller who waits each time: each sync before has put one entry more on disk.
        _forget(Path(suspect), synced)
    assert len(lab.told().on_disk) == 100


def _forget(segment: Path, entries: int) -> None:
    """Make zeros of everything behind the first *entries*."""
    content = segment.read_bytes()
    at = SEGMENT_HEADER_BYTES
    for _ in range(entries):
        at = content.index(MAGIC_BYTES, at) + 1
    at = content.index(MAGIC_BYTES, at)
    with open(segment, "r+b") as file:
        file.seek(at)
        file.write(bytes(len(content) - at))


@fault("F28", "EIO on every fdatasync, the database away", fast=1, quick=2, full=20, needs=("strace",))
def every_sync_fails(lab: Lab) -> None:
    """Fail every sync: nobody is told of the disk any more, health says why, and the table gets everything."""
    lab.timing = QUICK
    trace = Strace(lab, "fdatasync", f"{IO_ERROR}:when=1+")
    mode = lab.chance.choice(["on_disk", "require", "write"])
    options = {"max_wait_seconds": MAX_WAIT_SECONDS}
    with watched(lab, trace, 1000, mode=mode, per_second=20, on_disk_seconds=0.3, options=options) as child:
        with table_away(lab):
            child.wait_for(lambda report: report.says("cannot be synced (OSError") and report.stats.pending >= 10)
            told = lab.told()
            assert not told.on_disk | told.stored
            assert mode != "require" or not told.promised
        report = child.stop()
    assert report.is_all_in, report
    assert report.longest_seconds["log"] < HELD_SECONDS
    assert_never_asked_again(trace)


@fault("F30", "a disk that takes 300 ms for each fdatasync", fast=1, quick=2, full=10, needs=("strace",))
def slow_sync(lab: Lab) -> None:
    """Slow every sync down: one serves all who wait, and their loop does not notice."""
    trace = Strace(lab, "fdatasync", "fdatasync:delay_enter=300000")
    with watched(lab, trace, 600, mode="on_disk", threads=100) as child:
        report = child.end()
    assert (report.is_all_in, len(lab.told().on_disk)) == (True, 600), report
    assert len(trace.seen("fdatasync")) < 600 / 20
    # A loop that waits for the disk itself is late by 300 ms each time.
    assert report.median_lag_seconds < 0.15, report


@fault("F31", "a disk that hangs in fdatasync", fast=1, quick=3, full=40, needs=("strace",))
def hung_sync(lab: Lab) -> None:
    """Let a sync hang for longer than anybody waits: all calls come back as agreed, also the last one."""
    lab.timing = QUICK
    mode = lab.chance.choice(MODES)
    k = lab.chance.randrange(1, 4)
    trace = Strace(lab, "fdatasync", f"fdatasync:delay_enter={HANG_SECONDS * 1_000_000}:when={k}+")
    count, per_second = (10_000, 4000.0) if mode == "log" else (40, 0.0)
    task = {"threads": 8, "on_disk_seconds": MAX_WAIT_SECONDS, "options": {"max_wait_seconds": MAX_WAIT_SECONDS}}
    with (
        watched(lab, trace, count, mode=mode, per_second=per_second, close_seconds=CLOSE_SECONDS, **task) as child,
        table_away(lab),
    ):
        report = child.wait_for(lambda report: report.closed_in_seconds is not None)
        trace.end(child.child.pid)
    assert not report.is_all_in
    # CLOSE_HARD_SECONDS for the writer, and twice for the disk.
    assert (report.closed_in_seconds or 0) < CLOSE_SECONDS + 3.0 + HELD_SECONDS, report
    assert report.longest_seconds["log"] < HELD_SECONDS, report
    assert report.longest_seconds["write"] < MAX_WAIT_SECONDS + HELD_SECONDS, report
    assert report.longest_seconds["require"] < MAX_WAIT_SECONDS + HELD_SECONDS, report
    assert len(lab.told().on_disk) < 40


FAILURES: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "openat": ("F42", "openat", ("EMFILE", "ENOSPC", "EROFS", "EACCES", "EINTR")),
    "fcntl": ("F42", "fcntl", ("EMFILE",)),
    "fallocate": ("F24", "fallocate", ("ENOSPC", "EIO", "EDQUOT", "EOPNOTSUPP", "EINTR")),
    "pwrite": ("F29", "pwrite64", ("ENOSPC", "EIO", "EDQUOT", "EINTR")),
    "mmap": ("F24", "mmap", ("ENOMEM", "ENODEV")),
    "fdatasync": ("F28", "fdatasync", ("EIO", "ENOSPC", "EDQUOT", "EROFS")),
    "fsync": ("F28", "fsync", ("EIO", "EROFS")),
    "rename": ("F32", "?rename,?renameat,?renameat2", ("EIO", "ENOSPC", "EROFS", "EACCES")),
    "unlink": ("F32", "?unlink,?unlinkat", ("EIO", "EROFS", "EACCES")),
    "mkdir": ("F33", "?mkdir,?mkdirat", ("EROFS", "EACCES", "ENOSPC")),
    "flock": ("F32", "flock", ("ENOLCK", "EIO", "EINTR")),
    "stat": ("F32", "?stat,?lstat,?fstat,?newfstatat", ("EIO", "EACCES")),
}
"""System calls on the journal's files: the number in the matrix, their names, and how they may fail. A question mark:
some processors' Linux has no such call."""

IN_TESTS = {"openat", "fallocate", "pwrite", "fdatasync", "rename", "unlink"}
"""The others are tried by `scripts/faults` alone."""


class CallFails:
    """A fault for each of them."""

    def __init__(self, name: str) -> None:
        self.__name__ = f"{name}_fails"
        _, self._calls, self._errors = FAILURES[name]

    def __call__(self, lab: Lab) -> None:
        """Fail the k-th such call, or that and all after it: what no disk takes goes through memory."""
        lab.timing = QUICK
        error = lab.chance.choice(self._errors)
        # A call that is always interrupted is asked again without end; a file that nobody may look at, or have a
        # descriptor of, is not read: its events wait for the next process.
        last = (
            "" if error == "EINTR" or self._calls == "fcntl" or "stat" in self._calls else lab.chance.choice(["", "+"])
        )
        k = lab.chance.choice([1, 2, lab.chance.randrange(3, 12), lab.chance.randrange(12, 40)])
        trace = Strace(lab, self._calls, f"{self._calls}:error={error}:when={k}{last}")
        mode = lab.chance.choice(MODES)
        made = {"segment_bytes": SMALL_SEGMENT}
        with watched(lab, trace, 800, mode=mode, threads=4, per_second=1500, on_disk_seconds=2.0, made=made) as child:
            report = child.end()
        assert report.is_all_in, report
        assert (report.stats.dropped, report.stats.refused) == (0, 0), report
        assert report.longest_seconds["log"] < HELD_SECONDS, report


for _name, (_number, _, _errors) in FAILURES.items():
    _fast = int(_name in IN_TESTS)
    fault(_number, f"{_name} fails: {' '.join(_errors)}", fast=_fast, quick=3, full=60, needs=("strace",))(
        CallFails(_name)
    )
