"""The story of the demo: four ways to log, one of them killed, all of it once more, and the proof."""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import math
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from audit_async import create_table
from scripts.demo_parts.children import ROOT, Child, Children, Job
from scripts.demo_parts.places import Place, SqlitePlace, throwaway_postgres
from scripts.demo_parts.proof import Proof, prove
from scripts.demo_parts.records import OWN_RECORDS, REAL_RECORDS, Key, Record, read_records, share_of
from scripts.demo_parts.screen import Screen, complain

WAYS = {
    "task": "background task",
    "scheduler": "scheduler",
    "thread": "plain thread",
    "jobs": "asyncio.run per job",
}
VICTIM = "thread"
KILL_AT = 0.5  # of its share
KILLABLE_EVENTS = 1_500
"""A share has a middle from here on: the demo's books lag by some 500 events, in the pipe and being read."""

EVENTS = 10_000
"""Enough to see a rate and to kill in the middle, and few enough to be done in some seconds."""

OK, NOT_PROVEN, USAGE, INTERRUPTED = 0, 1, 2, 130


@dataclass(slots=True, kw_only=True)
class Replay:
    """What came of one replay of all records.

    Attributes:
        seconds: from the first event returned to the end of the last process, by when all of it is stored.
        returned: what the processes said, from which the proof is made.
        ledger: a line for each process.
    """

    seconds: float = 0.0
    returned: list[Key] = field(default_factory=list)
    ledger: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Demo:
    """What is replayed, and where to.

    Attributes:
        folder: for the journal.
    """

    file: Path
    rounds: int
    records: Sequence[Record]
    place: Place
    folder: Path
    screen: Screen

    @property
    def environment(self) -> dict[str, str]:
        """All that a program needs to be told to log: where to, and where events wait on this machine."""
        return {"AUDIT_DATABASE_URL": self.place.url, "AUDIT_JOURNAL_DIR": str(self.folder / "journal")}

    def stored(self) -> list[Key]:
        return [(event_id, moment) for event_id, moment in self.place.fetch(self.place.keys)]

    def run(self) -> bool:
        """Tell the story, and return whether each event is in the table exactly once."""
        screen = self.screen
        asyncio.run(create_table(self.place.url))

        screen.step(1, "Four programs log at once, each in its own way, and one is killed")
        first = self.replay(WAYS, victim=VICTIM)
        once = self.prove(first)
        screen.note(
            f"[bold]{len(self.records) / first.seconds:,.0f}[/] events a second, from the first log() to the last row: "
            f"{len(self.records):,} in {first.seconds:.1f} s"
        )
        screen.note(
            f"[dim]on {os.cpu_count()} CPUs; making the events, the restart and the demo's own books included[/]"
        )

        screen.step(2, "All of it once more, by a fifth program: the same ids, so no new rows")
        second = self.replay(["task"], victim=None)
        twice = self.prove(second)
        drained = self.drain()

        screen.step(3, "In the table")
        screen.actions(self.place.fetch("SELECT action, outcome, count(*) FROM audit_logs GROUP BY 1, 2"))
        self.show_redacted()

        screen.step(4, "The ledger: accepted = stored + pending + quarantined + dropped")
        screen.ledger([*first.ledger, *second.ledger])
        if len(first.ledger) > len(WAYS):
            screen.note("[dim]killed: as the demo counted at the kill; adopted: delivered for the dead one[/]")
        screen.note(f"[dim]what `audit-async drain` still found afterwards: {drained}[/]")

        screen.step(5, "The proof, from the demo's own books: ids from its pipes, and from the table")
        screen.proof("after step 1", once)
        screen.proof("after step 2", twice)
        faults = [*first.faults, *second.faults]
        for fault in faults:
            screen.note(f"[bold red]✗[/] {fault}")
        return once.holds and twice.holds and not faults

    def prove(self, replay: Replay) -> Proof:
        return prove((record.key for record in self.records), replay.returned, self.stored())

    def replay(self, ways: Collection[str], *, victim: str | None) -> Replay:
        """Log all records, a share by each of the *ways*, and return what came of it. *victim* is killed meanwhile."""
        replay = Replay()
        jobs = {
            way: Job(way=way, file=self.file, rounds=self.rounds, share=number, shares=len(ways))
            for number, way in enumerate(ways)
        }
        totals = {way: len(share_of(self.records, job.share, of=job.shares)) for way, job in jobs.items()}
        if victim and totals[victim] < KILLABLE_EVENTS:
            self.screen.note("[yellow]Nothing is killed: so few events have no middle.[/]")
            victim = None
        started = 0.0
        with (
            Children(self.environment) as children,
            self.screen.progress({WAYS[way]: total for way, total in totals.items()}) as bars,
        ):
            at_work = {way: children.start(job) for way, job in jobs.items()}
            all_started = list(at_work.values())
            for child in children.listen():
                way = child.job.way
                done = child.job.skip + len(child.returned)
                started = started or (time.monotonic() if done else 0.0)
                if way == victim and done >= totals[way] * KILL_AT and child is at_work[way]:
                    victim = None
                    self.kill(child, children, replay)
                    bars.show(WAYS[way], len(child.returned), "[red]killed[/]")
                    at_work[way] = self.restart(child, children)
                    all_started.append(at_work[way])
                    bars.show(WAYS[way], len(child.returned), "[red]killed[/], and started again")
                elif child is at_work[way]:
                    bars.show(WAYS[way], done)
            replay.seconds = time.monotonic() - started
            for child in all_started:
                self.take_leave(child, replay)
        return replay

    def kill(self, child: Child, children: Children, replay: Replay) -> None:
        """Kill *child* in the middle of its work, and look what it left behind."""
        children.kill(child)
        done = len(child.returned)
        in_table = len(set(child.returned) & set(self.stored()))
        way = WAYS[child.job.way]
        if child.numbers is not None:
            replay.faults.append(f"the kill came too late: the {way} had ended")
        self.screen.note(f"[bold red]kill -9 {child.pid}[/]: the {way} had logged {done:,} events,")
        self.screen.note(f"{in_table:,} of them are in the table, {done - in_table:,} only in its journal")
        numbers = {"accepted": done, "stored": in_table, "pending": done - in_table, "quarantined": 0, "dropped": 0}
        replay.ledger.append((f"{way}, killed", numbers))

    def restart(self, child: Child, children: Children) -> Child:
        """Have another process go on where *child* was killed."""
        done, way = len(child.returned), WAYS[child.job.way]
        successor = children.start(dataclasses.replace(child.job, skip=done))
        self.screen.note(f"[bold green]started[/] the {way} again, as pid {successor.pid}, from event {done + 1:,} on")
        return successor

    def take_leave(self, child: Child, replay: Replay) -> None:
        """Note how *child* ended, and what it said."""
        replay.returned += child.returned
        if child.was_killed:
            return
        way, code, numbers = WAYS[child.job.way], child.wait(), child.numbers
        if code or numbers is None:
            said = child.complaint.strip().splitlines()[-1:] or ["nothing"]
            replay.faults.append(f"the {way} (pid {child.pid}) ended with code {code}, saying: {said[0]}")
            return
        settled = numbers["stored"] + numbers["pending"] + numbers["quarantined"] + numbers["dropped"]
        if numbers["accepted"] != settled:
            replay.faults.append(f"the ledger of the {way} does not add up")
        name = f"{way}, again" if child.job.skip else way if child.job.shares > 1 else "fifth program"
        replay.ledger.append((name, numbers))

    def drain(self) -> str:
        """Let `audit-async drain` deliver what might still wait, and return the last line that it says."""
        done = subprocess.run(
            [sys.executable, "-m", "audit_async", "drain"],
            cwd=ROOT,
            env={**os.environ, **self.environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        said = (done.stdout + done.stderr).strip().splitlines() or ["nothing"]
        return " ".join(said[-1].split())

    def show_redacted(self) -> None:
        [[count]] = self.place.fetch(
            "SELECT count(*) FROM audit_logs WHERE CAST(new_values AS text) LIKE '%[redacted]%'"
        )
        if count:
            self.screen.note(f"{count:,} of them named a credential: it was taken out before it reached the disk.")


def main(arguments: Sequence[str] | None = None) -> int:
    told = _arguments(arguments)
    file = (told.called_from / told.file).absolute() if told.file else _records_here()
    try:
        lines = len(read_records(file, rounds=1))
    except OSError as error:
        complain(f"{file} cannot be read ({error.strerror})", "name a file with one JSON object a line, or none at all")
        return USAGE
    if not lines:
        complain(f"{file} has no lines", "name a file with one JSON object a line, or none at all")
        return USAGE
    rounds = told.rounds or math.ceil(EVENTS / lines)
    signal.signal(signal.SIGTERM, _end)
    signal.signal(signal.SIGHUP, _end)
    screen = Screen()
    if told.into:
        return _tell_of_old_tables(file, screen)
    folder = Path(tempfile.mkdtemp(prefix="audit-demo-"))
    is_kept = False
    try:
        with ExitStack() as stack:
            if told.postgres:
                screen.note("[dim]Starting a PostgreSQL server ...[/]")
                place: Place = stack.enter_context(throwaway_postgres())
            else:
                place = SqlitePlace(folder / "audit.db")
            records = read_records(file, rounds=rounds)
            _introduce(screen, file, lines, rounds, place)
            demo = Demo(file=file, rounds=rounds, records=records, place=place, folder=folder, screen=screen)
            started = time.monotonic()
            has_held = demo.run()
            seconds = time.monotonic() - started
        is_kept = not told.postgres or not has_held
        if not has_held:
            screen.say(f"\n[bold red]✗ Not proven.[/] The journal is kept in {folder}")
            return NOT_PROVEN
        screen.say(f"\n[bold green]✓ Each event is in the table exactly once.[/] [dim]{seconds:.1f} s[/]")
        _suggest(screen, place, folder, told.called_from)
        return OK
    except KeyboardInterrupt:
        screen.say("\nInterrupted; all that was started has been ended.")
        return INTERRUPTED
    except ModuleNotFoundError as error:
        complain(str(error), "run ./scripts/setup test, or leave out --postgres")
        return USAGE
    except TimeoutError as error:
        is_kept = True
        complain(str(error), f"look at its journal in {folder}, and report it")
        return NOT_PROVEN
    finally:
        if not is_kept:
            shutil.rmtree(folder, ignore_errors=True)


def _tell_of_old_tables(file: Path, screen: Screen) -> int:
    """Tell the other story, and return the exit code."""
    from loguru import logger

    from scripts.demo_parts.old_tables import tell

    # What the logger has to say of such tables is shown here as counts.
    logger.disable("audit_async")
    screen.title("audit_async", "the same events in six tables of systems that came before, and in ours")
    started = time.monotonic()
    try:
        with tempfile.TemporaryDirectory(prefix="audit-demo-") as folder:
            has_held = tell(file, Path(folder), screen)
    except KeyboardInterrupt:
        screen.say("\nInterrupted; all that was started has been ended.")
        return INTERRUPTED
    except ModuleNotFoundError as error:
        complain(str(error), "run ./scripts/setup test, or leave out --into")
        return USAGE
    if not has_held:
        screen.say("\n[bold red]✗ Some events have no row.[/]")
        return NOT_PROVEN
    seconds = time.monotonic() - started
    screen.say(f"\n[bold green]✓ Every event has its row in every table that takes it.[/] [dim]{seconds:.1f} s[/]\n")
    return OK


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/demo",
        description="Replay Microsoft 365 identity records through audit_async, and prove that nothing is lost.",
    )
    parser.add_argument("file", nargs="?", help="records, one JSON object a line")
    parser.add_argument("--postgres", action="store_true", help="into a PostgreSQL server of the demo's own")
    parser.add_argument(
        "--into", choices=["seeds"], help="into the tables of the systems that came before, side by side"
    )
    parser.add_argument("--rounds", type=int, help=f"replay the records so often (else to about {EVENTS:,} events)")
    parser.add_argument("--called-from", type=Path, default=Path.cwd(), help=argparse.SUPPRESS)
    told = parser.parse_args(arguments)
    if told.rounds is not None and told.rounds < 1:
        parser.error("--rounds is a number from 1 on")
    return told


def _records_here() -> Path:
    return REAL_RECORDS if REAL_RECORDS.exists() else OWN_RECORDS


def _introduce(screen: Screen, file: Path, lines: int, rounds: int, place: Place) -> None:
    kind = {REAL_RECORDS: "real Microsoft 365 records", OWN_RECORDS: "invented Microsoft 365 records"}
    screen.title("audit_async", "log-ins, role and group changes, and nothing gets lost")
    screen.note(f"from  {lines:,} {kind.get(file, 'records')}, {file}")
    screen.note(f"to    {place.name}")
    if rounds > 1:
        screen.note(f"[dim]{lines:,} are over before one looks: they are replayed {rounds:,} times, under new ids,[/]")
        screen.note(f"[dim]which makes {lines * rounds:,} events[/]")


def _suggest(screen: Screen, place: Place, folder: Path, called_from: Path) -> None:
    """Print commands that work from where the demo was called."""
    at_root = called_from.resolve() == ROOT.resolve()
    root = "./" if at_root else f"{shlex.quote(str(ROOT))}/"
    tool = _shown(Path(sys.executable).with_name("audit-async"), at_root)
    suggestions = [("on a PostgreSQL server of its own", f"{root}scripts/demo --postgres")]
    if isinstance(place, SqlitePlace):
        drain = (
            f"{shlex.quote(tool)} drain {shlex.quote(place.url)} --journal-dir {shlex.quote(str(folder / 'journal'))}"
        )
        suggestions = [
            ("what happened but for log-ins", _query(place.file)),
            ("deliver what a dead process left (nothing, here)", drain),
            *suggestions,
            (
                "with records of your own, one JSON object a line, like these",
                f"{root}scripts/demo {shlex.quote(_shown(OWN_RECORDS, at_root))}",
            ),
            ("when you have seen enough", f"rm -r {shlex.quote(str(folder))}"),
        ]
    else:
        suggestions = [("into a SQLite file, which stays", f"{root}scripts/demo")]
    screen.say("\n[bold]Try next[/]")
    for what, command in suggestions:
        screen.say(f"   [dim]# {what}[/]")
        screen.out.print(f"   {command}", soft_wrap=True, markup=False)
    screen.say()


def _shown(path: Path, at_root: bool) -> str:
    """Return *path* as short as it may be typed."""
    return str(path.relative_to(ROOT) if at_root and path.is_relative_to(ROOT) else path)


def _query(file: Path) -> str:
    """Return the command that shows some rows of *file*: by the sqlite3 tool, or by Python where there is none."""
    query = (
        "SELECT created_at, action, outcome, actor_name, resource_id FROM audit_logs "
        "WHERE action <> 'sso.login' AND json_extract(metadata, '$.round') = 0 ORDER BY created_at LIMIT 10"
    )
    if shutil.which("sqlite3"):
        return f'sqlite3 -box {shlex.quote(str(file))} "{query.replace("$", chr(92) + "$")}"'
    program = f"import sqlite3; print(*sqlite3.connect({str(file)!r}).execute({query!r}), sep='\\n')"
    return f"{shlex.quote(sys.executable)} -c {shlex.quote(program)}"


def _end(number: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
