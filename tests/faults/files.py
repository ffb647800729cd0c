"""Faults of the journal's files between two processes: what is undamaged arrives, what is not is told of."""

from __future__ import annotations

import itertools
import zlib
from pathlib import Path

from audit_async.config import SEGMENT_HEADER_BYTES
from audit_async.journal.frame import HEADER_BYTES, MAGIC_BYTES
from audit_async.journal.segment import FORMAT, MAGIC_OF_SEGMENT
from tests.faults.fault import fault
from tests.faults.lab import Lab
from tests.faults.report import Watched
from tests.faults.rooms import QUICK, SMALL_SEGMENT, table_away

COUNT = 300  # some six small segments
ENDLESS = 1_000_000  # events: a child is killed long before


def leave(lab: Lab, **task: object) -> list[Path]:
    """Be a process that journalled and was killed; return its segments that have entries."""
    task = {"made": {"segment_bytes": SMALL_SEGMENT}, "options": {"writer": "none"}, **task}
    with Watched(lab, COUNT, end="hang", **task) as child:  # type: ignore[arg-type]
        child.child.lines(2)
        child.child.kill()
    return [path for path in sorted(lab.journal_dir.glob("*.audj")) if frames(path)]


def frames(segment: Path) -> list[tuple[int, int]]:
    """Return where its entries begin and end."""
    content = segment.read_bytes()
    starts = []
    at = content.find(MAGIC_BYTES, SEGMENT_HEADER_BYTES)
    while at >= 0:
        starts.append(at)
        at = content.find(MAGIC_BYTES, at + 1)
    end = len(content.rstrip(b"\0"))
    return list(itertools.pairwise([*starts, end])) if starts else []


def overwrite(path: Path, at: int, content: bytes) -> None:
    """Write *content* into the middle of a file."""
    with open(path, "r+b") as file:
        file.seek(at)
        file.write(content)


def flip(lab: Lab, path: Path, start: int, stop: int) -> None:
    """Flip one bit of a file."""
    at = lab.chance.randrange(start, stop)
    overwrite(path, at, bytes([path.read_bytes()[at] ^ 1 << lab.chance.randrange(8)]))


def kept_damage(lab: Lab) -> list[Path]:
    """Return what is kept of damage."""
    return list(lab.journal_dir.glob("*.corrupt"))


@fault("F34", "an entry is cut off behind the last one", fast=1, quick=3, full=60)
def torn_tail(lab: Lab) -> None:
    """Put the beginning of one more entry behind the last one, as a process leaves it that is killed in `log`."""
    segment = leave(lab)[-1]
    start, stop = frames(segment)[-1]
    overwrite(segment, stop, segment.read_bytes()[start : lab.chance.randrange(start + 1, stop)])
    assert lab.settle().told_gone == 0


@fault("F35", "a byte of the last entry is another one", fast=1, quick=3, full=60)
def damaged_tail(lab: Lab) -> None:
    """Damage the payload of the last entry: no later number tells that it is missing."""
    segment = leave(lab)[-1]
    start, stop = frames(segment)[-1]
    lab.may_lose = 1
    flip(lab, segment, start + HEADER_BYTES, stop)


@fault("F35", "single bits of entries are flipped", fast=1, quick=3, full=60)
def flipped_bits(lab: Lab) -> None:
    """Flip one bit in each of some entries."""
    entries = [(path, *frame) for path in leave(lab) for frame in frames(path)]
    damaged = lab.chance.sample(entries, lab.chance.randrange(1, 6))
    for path, start, stop in damaged:
        flip(lab, path, start, stop)
    lab.may_lose = len(damaged)


@fault("F35", "single bits of every header are flipped", fast=1, quick=2, full=20)
def flipped_headers(lab: Lab) -> None:
    """Flip a bit in the header of each segment but one, or of all: no entry is in a header."""
    segments = leave(lab)
    for path in segments[lab.chance.randrange(2) :]:
        flip(lab, path, 0, SEGMENT_HEADER_BYTES)


@fault("F36", "4 KiB in the middle are gone, zeros or garbage in their place", fast=1, quick=2, full=40)
def gone_block(lab: Lab) -> None:
    """Overwrite a block of a segment."""
    segment = lab.chance.choice(leave(lab))
    at = lab.chance.randrange(1, SMALL_SEGMENT // 4096 - 1) * 4096
    lab.may_lose = sum(start < at + 4096 and stop > at for start, stop in frames(segment))
    overwrite(segment, at, lab.chance.choice([bytes(4096), lab.chance.randbytes(4096)]))


@fault("F36", "a segment is there twice, and files of somebody else's lie about", fast=1, quick=2, full=40)
def more_files(lab: Lab) -> None:
    """Copy a segment to the end, and put in garbage under names like ours."""
    segments = leave(lab)
    base, _ = segments[0].stem.rsplit("-", 1)
    lab.journal_dir.joinpath(f"{base}-000900.audj").write_bytes(lab.chance.choice(segments).read_bytes())
    lab.journal_dir.joinpath(f"{base}-000901.audj").write_bytes(lab.chance.randbytes(5000))
    lab.journal_dir.joinpath(f"{base}-000902.audj").touch()
    lab.journal_dir.joinpath("notes.txt").write_text("not ours")


@fault("F37", "the mark is lost, older, or garbage", fast=1, quick=3, full=40)
def spoilt_mark(lab: Lab) -> None:
    """Let a part arrive, kill the process, and spoil its mark of what has arrived."""
    lab.timing = QUICK
    kept = []
    with Watched(lab, ENDLESS, made={"segment_bytes": SMALL_SEGMENT}, per_second=1000) as child:
        child.wait_for(lambda report: report.stats.stored > 20)
        [mark] = lab.journal_dir.glob("*.confirm")
        kept.append(mark.read_bytes())
        child.wait_for(lambda report: report.stats.stored > 200)
        with table_away(lab):
            lab.wait_for_promises(100)
            child.child.kill()
    spoil = lab.chance.choice(["lost", "older", "garbage", "empty", "flipped"])
    if spoil == "lost":
        mark.unlink()
    elif spoil == "flipped":
        flip(lab, mark, 0, 100)
    else:
        mark.write_bytes({"older": kept[0], "garbage": lab.chance.randbytes(4096), "empty": b""}[spoil])


@fault("F39", "a segment in the middle is gone", fast=1, quick=2, full=40)
def missing_segment(lab: Lab) -> None:
    """Remove a segment between two others."""
    gone = lab.chance.choice(leave(lab)[1:-1])
    lab.may_lose = len(frames(gone))
    gone.unlink()


@fault("F41", "the journal is on a network file system", fast=1, quick=2, full=10)
def network(lab: Lab) -> None:
    """Journal where locks of other hosts mean nothing: that is said, and the next process of this host delivers."""
    made = {"is_local": False}
    with Watched(lab, ENDLESS, made=made, mode="on_disk", threads=4, options={"writer": "none"}) as child:
        child.wait_for(lambda report: any("is on a network file system" in line for line in report.said))
        lab.wait_for_promises(100)
        child.child.kill()


@fault("F44", "a segment of a later format", fast=1, quick=2, full=10)
def later_format(lab: Lab) -> None:
    """Leave the journal of a later version beside one of ours: nobody reads or removes it who does not know how."""
    leave(lab)
    theirs = lab.journal_dir / f"app-{'ab' * 16}-000001.audj"
    header = bytearray(SEGMENT_HEADER_BYTES)
    header[: len(MAGIC_OF_SEGMENT) + 2] = MAGIC_OF_SEGMENT + (FORMAT + 1).to_bytes(2, "little")
    header[-4:] = zlib.crc32(header[:-4]).to_bytes(4, "little")
    theirs.write_bytes(bytes(header) + lab.chance.randbytes(5000))
    theirs.with_name(f"app-{'ab' * 16}.lock").touch()
    content = theirs.read_bytes()
    lab.deliver(passing_over=1)
    assert theirs.read_bytes() == content
    assert kept_damage(lab) == []
    theirs.with_name(f"app-{'ab' * 16}.lock").unlink()
    theirs.unlink()
