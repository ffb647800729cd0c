"""A journal against a list: whatever is done to processes, power and files, what was appended is read as it was
written, once, or known to be lost.

`AUDIT_TEST_LONG=1` looks for an hour instead of some seconds.

This file is longer than others: the rules of one machine are methods of one class, and share what it knows.
"""

from __future__ import annotations

import os
import random
import shutil
import sys
import tempfile
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from audit_async import diagnostics
from audit_async.config import KIB
from audit_async.errors import JournalFullError
from audit_async.journal import cursor, spool
from audit_async.journal import frame as frames
from audit_async.journal import journal as journals
from audit_async.journal.adoption import Orphan
from audit_async.journal.batch import Batch
from audit_async.journal.confirm import Mark, read_mark
from audit_async.journal.file_set import FileSet
from audit_async.journal.frame import salt_of
from audit_async.journal.journal import Journal
from audit_async.journal.place import Place, prepare
from tests.journal.damage import ANY, IN_PLACE, segments_of, whole_entries
from tests.journal.journals import adopt_all, die, files, open_journal
from tests.journal.platter import Platter

IS_LONG = bool(os.environ.get("AUDIT_TEST_LONG"))
LONGEST_PAYLOAD = 4 * KIB  # and a first segment of 6: most hold a few entries

chances = st.builds(random.Random, st.integers(0, 2**16))


@dataclass(eq=False)
class Incarnation:
    """What is known of a process.

    Attributes:
        payloads: of all entries that its journal accepted, from number 1 on.
        delivered: numbers of those that were read and settled.
        reported: numbers that were said to be missing.
        lost: numbers of those that damage, a power cut or a death without a disk has taken.
        settled: the last number of its mark.
        has_newest_mark: neither damage nor a power cut has taken the mark, or made it an older one.
        has_own_mark: nobody but a power cut has touched it.
    """

    writer_id: str
    payloads: list[bytes] = field(default_factory=list)
    delivered: set[int] = field(default_factory=set)
    reported: set[int] = field(default_factory=set)
    lost: set[int] = field(default_factory=set)
    settled: int = 0
    has_newest_mark: bool = True
    has_own_mark: bool = True


class JournalMachine(RuleBasedStateMachine):
    """One directory, the journal of a living process in it, and what dead ones left."""

    def __init__(self) -> None:
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        self.root = Path(tempfile.mkdtemp(prefix="audit-model-"))
        self.directory = self.root / "journal"
        self.platter = Platter(self.patch)
        self.patch.setattr(diagnostics, "tell", lambda *_: True)
        # The same names, and so the same order of files, each time.
        self.names = count(1)
        self.patch.setattr(uuid, "uuid4", lambda: uuid.UUID(int=next(self.names)))
        self.processes: dict[str, Incarnation] = {}
        self.journal: Journal | None = None
        self.old_marks: list[tuple[Path, bytes]] = []

    @initialize(
        segment_kib=st.sampled_from([8, 16]), has_small_pieces=st.booleans(), is_mapped=st.booleans(), data=st.data()
    )
    def choose(self, segment_kib: int, has_small_pieces: bool, is_mapped: bool, data: st.DataObject) -> None:
        self.patch.setattr(spool, "SEGMENT_BYTES", segment_kib * KIB)
        self.patch.setattr(spool, "FIRST_SEGMENT_BYTES", 6 * KIB)
        self.max_bytes = data.draw(st.sampled_from([3, 100])) * segment_kib * KIB
        self.patch.setattr(journals, "MAX_PAYLOAD_BYTES", LONGEST_PAYLOAD)
        if has_small_pieces:
            self.patch.setattr(frames, "MAX_PAYLOAD_BYTES", LONGEST_PAYLOAD)
            self.patch.setattr(cursor, "_LEAST_PIECE", LONGEST_PAYLOAD + frames.HEADER_BYTES)

        def prepare_so(directory: Path) -> Place:
            return replace(prepare(directory), is_mappable=is_mapped)

        self.patch.setattr(journals, "prepare", prepare_so)
        self.patch.setattr(spool, "prepare", prepare_so)
        self.open()

    # --- the process that lives ------------------------------------------------------------------------

    @precondition(lambda self: self.journal is None)
    @rule()
    def open(self) -> None:
        self.journal = open_journal(self.directory, max_bytes=self.max_bytes, memory_max_bytes=30 * KIB)
        # Its own thread would sync whenever it pleases.
        self.journal._sync.stop()
        self.processes[self.journal.writer_id] = Incarnation(self.journal.writer_id)

    @property
    def living(self) -> tuple[Journal, Incarnation]:
        assert self.journal is not None
        return self.journal, self.processes[self.journal.writer_id]

    @precondition(lambda self: self.journal is not None)
    @rule(sizes=st.lists(st.one_of(st.integers(1, 60), st.integers(1, 3000), st.integers(1, 20 * KIB)), min_size=1))
    def append(self, sizes: list[int]) -> None:
        journal, process = self.living
        for size in sizes:
            number = len(process.payloads) + 1
            payload = f"{process.writer_id[:6]} {number} {size} ".encode().ljust(size, b".")[:size]
            try:
                seq = journal.append(payload)
            except JournalFullError:
                continue
            except ValueError:
                assert size > LONGEST_PAYLOAD
                continue
            assert seq == number
            process.payloads.append(payload)

    @precondition(lambda self: self.journal is not None)
    @rule()
    def sync(self) -> None:
        journal, process = self.living
        try:
            journal.commit_group()
        except (OSError, JournalFullError):
            return
        assert journal.synced.value == len(process.payloads)

    @precondition(lambda self: self.journal is not None)
    @rule()
    def tidy(self) -> None:
        self.living[0].tidy()

    @precondition(lambda self: self.journal is not None)
    @rule(most=st.integers(1, 300), size=st.integers(1, 30 * KIB), chance=chances)
    def read(self, most: int, size: int, chance: random.Random) -> None:
        journal, process = self.living
        position = journal._position
        batch = journal.read(most, size)
        if batch is None:
            assert position == len(process.payloads)
            return
        self.check(batch, process, position)
        self.settle(journal, batch, process, chance)

    @precondition(lambda self: self.journal is not None)
    @rule(is_full=st.booleans(), refusals=st.sampled_from([0, 0, 1, 3]))
    def trouble(self, is_full: bool, refusals: int) -> None:
        """The disk is full, or has room again; its next syncs fail."""
        self.platter.is_full = is_full
        self.platter.refusals_left = refusals

    # --- its end ---------------------------------------------------------------------------------------

    @precondition(lambda self: self.journal is not None)
    @rule()
    def crash(self) -> None:
        journal, process = self.living
        # What no disk takes ends with the process, which was said aloud.
        on_disk = whole_entries(segments_of(self.directory, process.writer_id), process.writer_id, process.payloads)
        first = journal._memory.first()
        expected = set(range(process.settled + 1, first.seq if first else len(process.payloads) + 1))
        assert expected <= on_disk | process.delivered | process.lost
        process.lost |= set(range(1, len(process.payloads) + 1)) - on_disk - process.delivered
        die(journal)
        self.journal = None

    @precondition(lambda self: self.journal is not None)
    @rule(chance=chances)
    def lose_power(self, chance: random.Random) -> None:
        if chance.random() < 0.5:
            self.sync()
        journal, process = self.living
        self.keep_mark(process)
        synced = journal.synced.value
        die(journal)
        self.journal = None
        before = {process: self.whole(process) for process in self.processes.values()}
        self.platter.lose_power(self.directory, chance)
        for each, were_whole in before.items():
            are_whole = self.whole(each)
            if each is process:
                assert set(range(1, synced + 1)) <= are_whole | each.delivered | each.lost
                were_whole = set(range(1, len(each.payloads) + 1))
            each.lost |= were_whole - are_whole
            each.has_newest_mark = False
            if read_mark(self.mark_of(each), salt_of(each.writer_id)) == Mark():
                each.has_own_mark = False

    @precondition(lambda self: self.journal is not None)
    @rule()
    def close(self) -> None:
        self.sync()
        journal, process = self.living
        journal.close()
        self.journal = None
        if journal.mark.seq == len(process.payloads):
            assert self.left(process) == []
        else:
            process.lost |= set(range(1, len(process.payloads) + 1)) - self.whole(process)

    # --- those who come after ---------------------------------------------------------------------------

    @rule(chance=chances, most=st.integers(1, 40))
    def adopt(self, chance: random.Random, most: int) -> None:
        """Take over what is there, read some of it, and go on, end in order, or die."""
        orphans = sorted(adopt_all(self.directory), key=lambda orphan: orphan.writer_id)
        assert adopt_all(self.directory) == []
        assert [] == [process for process in self.dead() if process.writer_id not in {o.writer_id for o in orphans}]
        for orphan in orphans:
            self.read_orphan(orphan, chance, most if chance.random() < 0.5 else 1 << 20)

    def read_orphan(self, orphan: Orphan, chance: random.Random, most: int) -> None:
        process = self.processes[orphan.writer_id]
        if process.has_newest_mark:
            assert orphan.mark.seq == process.settled
        assert orphan.mark.seq <= process.settled or not process.has_own_mark
        expected = {seq for seq in self.whole(process) if seq > orphan.mark.seq}
        if orphan.mark.seq > process.settled:
            # Of a lost mark it knows only that nothing whole is before it.
            process.lost |= set(range(process.settled + 1, orphan.mark.seq + 1))
        found: list[int] = []
        position = orphan.mark.seq
        is_finished = False
        while len(found) < most:
            batch = orphan.read(chance.randrange(1, 100), chance.randrange(1, 30 * KIB))
            if batch is None:
                is_finished = True
                break
            self.check(batch, process, position)
            found += [record.seq for record in batch.records]
            position = batch.last_seq
            self.settle(orphan, batch, process, chance, leaves_open=not is_finished and chance.random() < 0.2)
        assert found == sorted(set(found))
        assert set(found) == {seq for seq in expected if is_finished or seq <= position}
        ends_in_order = chance.random() < 0.8
        if ends_in_order:
            orphan.close(is_done=is_finished)
        else:
            orphan.abandon()
        if is_finished and ends_in_order and process.settled == position:
            assert self.left(process) == []

    # --- damage ----------------------------------------------------------------------------------------

    @rule(chance=chances)
    def damage(self, chance: random.Random) -> None:
        living = self.journal.writer_id if self.journal is not None else None
        paths = [path for path in sorted(self.directory.glob("*.audj")) if living is None or living not in path.name]
        if not paths:
            return
        kind = chance.choice(ANY)
        if kind.__name__ in ("swap", "splice") and living is not None:
            kind = IN_PLACE[0]
        self.strike(lambda: kind(chance.choice(paths), chance))

    @precondition(lambda self: self.journal is not None)
    @rule(chance=chances)
    def damage_the_living(self, chance: random.Random) -> None:
        paths = segments_of(self.directory, self.living[0].writer_id)
        if paths:
            self.strike(lambda: chance.choice(IN_PLACE)(chance.choice(paths), chance))

    def strike(self, blow: Callable[[], None]) -> None:
        before = {process: self.whole(process) for process in self.processes.values()}
        blow()
        for process, were_whole in before.items():
            process.lost |= were_whole - self.whole(process)

    @rule(chance=chances)
    def touch_the_mark(self, chance: random.Random) -> None:
        """A mark is gone, garbage, cut, or an old one that somebody restored."""
        dead = [process for process in self.dead() if self.mark_of(process).exists()]
        if not dead:
            return
        process = chance.choice(dead)
        path = self.mark_of(process)
        old = [content for of, content in self.old_marks if of == path]
        content = path.read_bytes()
        match chance.randrange(4 if old else 3):
            case 0:
                path.unlink()
            case 1:
                path.write_bytes(chance.randbytes(len(content)))
            case 2:
                path.write_bytes(content[: chance.randrange(len(content) + 1)])
            case _:
                path.write_bytes(chance.choice(old))
        process.has_newest_mark = process.has_own_mark = False

    def keep_mark(self, process: Incarnation) -> None:
        path = self.mark_of(process)
        if path.exists():
            self.old_marks.append((path, path.read_bytes()))

    # --- what holds ------------------------------------------------------------------------------------

    def check(self, batch: Batch, process: Incarnation, position: int) -> None:
        """Nothing is invented, nothing changed, nothing passed over in silence, nothing declared lost that is not."""
        assert batch.first_seq == position + 1
        for record in batch.records:
            assert record.payload == process.payloads[record.seq - 1]
        seqs = [record.seq for record in batch.records]
        assert seqs == sorted(set(seqs))
        assert sorted([*seqs, *batch.missing]) == list(range(batch.first_seq, batch.last_seq + 1))
        if not process.has_own_mark:
            # It cannot know that these were settled before they went.
            process.lost |= set(batch.missing) & process.delivered
        # Behind the last number whatever looks like the beginning of an entry is counted as one.
        assert {seq for seq in batch.missing if seq <= len(process.payloads)} <= process.lost
        process.reported |= set(batch.missing)

    def settle(
        self,
        source: Journal | Orphan,
        batch: Batch,
        process: Incarnation,
        chance: random.Random,
        *,
        leaves_open: bool = False,
    ) -> None:
        self.keep_mark(process)
        seqs = [record.seq for record in batch.records]
        fates = Counter(dict.fromkeys(["stored"], 0))
        failed, left_open = list(batch.missing), []
        for seq in seqs:
            fate = chance.choice(["stored"] * 8 + ["quarantined", "open"])
            if fate == "open" and not leaves_open:
                fate = "stored"
            fates[fate] += 1
            if fate == "quarantined":
                failed.append(seq)
            elif fate == "open":
                left_open.append(seq)
        source.settle(
            batch.last_seq,
            stored=fates["stored"],
            quarantined=fates["quarantined"],
            dropped={"journal_damaged": len(batch.missing)} if batch.missing else {},
            failed=sorted(failed),
            left_open=left_open,
        )
        resolved = [seq for seq in left_open if chance.random() < 0.8]
        for seq in resolved:
            source.resolve(seq, is_stored=chance.random() < 0.5)
        process.delivered |= set(seqs) - (set(left_open) - set(resolved))
        mark = source.mark
        assert mark.stored + mark.quarantined + sum(mark.dropped.values()) == mark.seq
        process.settled = mark.seq
        process.has_newest_mark = process.has_own_mark = True

    @invariant()
    def the_ledger_adds_up(self) -> None:
        if self.journal is not None:
            totals = self.journal.totals
            counted = totals.stored + totals.quarantined + sum(totals.dropped.values()) + totals.open
            assert counted == totals.last_seq <= self.journal.last_seq == len(self.living[1].payloads)

    def teardown(self) -> None:
        try:
            if sys.exc_info()[0] is None:
                self.finish()
        finally:
            if self.journal is not None:
                die(self.journal)
            self.patch.undo()
            shutil.rmtree(self.root)

    def finish(self) -> None:
        """In the end everything is read, or known to be lost, and only what is kept of damage remains."""
        self.platter.is_full, self.platter.refusals_left = False, 0
        if self.journal is not None:
            self.crash()
        for orphan in adopt_all(self.directory):
            process = self.processes[orphan.writer_id]
            position = orphan.mark.seq
            process.lost |= set(range(process.settled + 1, position + 1)) - self.whole(process)
            while batch := orphan.read(100, 30 * KIB):
                self.check(batch, process, position)
                position = batch.last_seq
                self.settle(orphan, batch, process, random.Random(0))
            orphan.close(is_done=True)
        for process in self.processes.values():
            assert set(range(1, len(process.payloads) + 1)) - process.delivered - process.lost == set()
            assert self.left(process) == []
        assert [name for name in files(self.directory) if not name.endswith((".corrupt", ".confirm"))] == []

    # --- looking ---------------------------------------------------------------------------------------

    def whole(self, process: Incarnation) -> set[int]:
        return whole_entries(segments_of(self.directory, process.writer_id), process.writer_id, process.payloads)

    def left(self, process: Incarnation) -> list[str]:
        """Return its files. A mark alone is none: a power cut may keep the name of that, the first file of a process,
        and of no other one. Nobody takes it, since its process may be just beginning."""
        names = [name for name in files(self.directory, f"*{process.writer_id}*") if not name.endswith(".corrupt")]
        return names if any(not name.endswith(".confirm") for name in names) else []

    def mark_of(self, process: Incarnation) -> Path:
        return FileSet(self.directory, "test", process.writer_id).confirm_path

    def dead(self) -> list[Incarnation]:
        living = self.journal.writer_id if self.journal is not None else None
        there = {file_set.writer_id for file_set in FileSet.all_in(self.directory)}
        return [process for name, process in self.processes.items() if name in there and name != living]


@pytest.mark.timeout(7200 if IS_LONG else 300)
def test_a_journal_is_a_list_that_nothing_takes_from() -> None:
    """What is read is what was appended, whatever happened in between."""
    run_state_machine_as_test(
        JournalMachine,
        settings=settings(
            max_examples=20_000 if IS_LONG else 100,
            stateful_step_count=60 if IS_LONG else 40,
            derandomize=not IS_LONG,
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
