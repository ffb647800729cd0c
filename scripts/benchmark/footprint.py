"""What it costs to be there: the import, the first event, and what a process holds at rest."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from scripts.benchmark.bench import Bench
from scripts.benchmark.comparison import Comparison, Goal
from scripts.benchmark.peers import SessionPerEvent

ROOT = Path(__file__).parents[2]

_RUNS = 5  # of which the quickest counts: whatever else the machine does only adds to it

_WHOLE = "from audit_async import AuditLogger, events"

IMPORTS = {
    "import audit_async": "import audit_async",
    "... and AuditLogger, events": _WHOLE,
    "... where asyncio is loaded": "import asyncio; from audit_async import AuditLogger, events",
    "SQLAlchemy's asyncio and asyncpg": "import sqlalchemy.ext.asyncio, asyncpg",
}
_WITHOUT = {"... where asyncio is loaded": "import asyncio"}
_UNCOMPILED = "... and nothing of it is compiled"


async def footprint(bench: Bench) -> list[Comparison]:
    """footprint: import, first event, memory, threads and descriptors, above those of an empty interpreter."""
    return [*await _importing(bench), *await _at_rest(bench)]


# --- the import ----------------------------------------------------------------------------------------


async def _importing(bench: Bench) -> list[Comparison]:
    """Return what the processor does for imports, above an interpreter that does nothing or has loaded asyncio."""
    environment = compiling(bench.folder())
    bare = bench.folder()
    shutil.copytree(ROOT / "audit_async", bare / "audit_async", ignore=shutil.ignore_patterns("__pycache__"))
    uncompiled = {**environment, "PYTHONDONTWRITEBYTECODE": "1"}
    for code in IMPORTS.values():
        _milliseconds(sys.executable, code, environment)

    async def all_of_them() -> dict[str, float]:
        taken: dict[str, list[float]] = {}
        for _ in range(_RUNS):
            for code in ("pass", *IMPORTS.values(), *_WITHOUT.values()):
                taken.setdefault(code, []).append(_milliseconds(sys.executable, code, environment))
            taken.setdefault(_UNCOMPILED, []).append(_milliseconds(sys.executable, _WHOLE, uncompiled, bare))
        return {code: min(each) for code, each in taken.items()}

    (rounds,) = await bench.interleaved(all_of_them)

    def row(what: str, code: str, goal: Goal | None = None) -> Comparison:
        above = _WITHOUT.get(what, "pass")
        figures = [max(0.0, taken[code] - taken[above]) for taken in rounds]
        return Comparison(number="footprint", what=what, unit="ms", ours=figures, goal=goal)

    first, *others = IMPORTS.items()
    about = (
        "What the processor does for an import, above an interpreter that does nothing; then what a process has more"
        " than such an interpreter once its first event is stored, beside one that opened a session for it."
    )
    return [
        replace(row(*first, Goal(least=15, aim=10, better="less")), about=about),
        *(row(what, code) for what, code in others[:1]),
        row(_UNCOMPILED, _UNCOMPILED),
        *(row(what, code) for what, code in others[1:]),
        *_explained(environment),
    ]


def above_empty(python: str, environment: Mapping[str, str]) -> float:
    """Return the milliseconds that a program's own import takes on *python*."""
    empty, whole = [], []
    for _ in range(_RUNS):
        empty.append(_milliseconds(python, "pass", environment))
        whole.append(_milliseconds(python, _WHOLE, environment))
    return max(0.0, min(whole) - min(empty))


def compiling(folder: Path) -> dict[str, str]:
    """Return an environment in which what is imported is compiled into *folder*, whatever this one says of that."""
    names = ("PYTHONDONTWRITEBYTECODE", "PYTHONPATH", "PYTHONPROFILEIMPORTTIME")
    kept = {name: value for name, value in os.environ.items() if name not in names}
    return {**kept, "PYTHONPYCACHEPREFIX": str(folder)}


def _milliseconds(python: str, code: str, environment: Mapping[str, str], folder: Path = ROOT) -> float:
    """Return what the processor does for an interpreter that runs *code*: unlike its whole time, that is its own."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([python, "-c", code], check=True, env=environment, cwd=folder)  # noqa: S603 -- of our own making
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime) * 1e3


def _explained(environment: Mapping[str, str]) -> list[Comparison]:
    """Return whose modules the import's time is, by the interpreter's own account of one run."""
    done = subprocess.run(  # noqa: S603 -- of our own making
        [sys.executable, "-X", "importtime", "-c", _WHOLE],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    return [
        Comparison(number="footprint", what=f"... of it {whose}", unit="ms", ours=[taken])
        for whose, taken in shares(done.stderr.splitlines()).items()
    ]


def shares(lines: Iterable[str]) -> dict[str, float]:
    """Return the milliseconds that our own modules, the standard library's and other packages' took by themselves.

    Args:
        lines: as `-X importtime` writes them: `import time: self [us] | cumulative | imported package`.
    """
    taken = {"our own modules": 0.0, "the standard library": 0.0, "other packages": 0.0}
    for line in lines:
        own, _, name = (part.strip() for part in line.removeprefix("import time:").split("|"))
        if not own.isdigit():
            continue  # the heading
        top = name.partition(".")[0]
        is_standard = top in sys.stdlib_module_names or top == "encodings"
        whose = (
            "our own modules" if top == "audit_async" else "the standard library" if is_standard else "other packages"
        )
        taken[whose] += int(own) / 1e3
    return taken


# --- the first event, and at rest ------------------------------------------------------------------------


async def _at_rest(bench: Bench) -> list[Comparison]:
    url = await bench.url()
    environment = compiling(bench.folder())
    async with SessionPerEvent(url):  # makes its table
        pass

    def run(*arguments: str) -> dict[str, float]:
        command = [sys.executable, "-m", "scripts.benchmark.resting", *arguments]
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True, env=environment, cwd=ROOT)  # noqa: S603 -- of our own making
        figures = json.loads(done.stdout)
        assert isinstance(figures, dict)
        return figures

    async def ours() -> dict[str, float]:
        return run("ours", url, str(bench.folder()), "thread")

    async def journal_only() -> dict[str, float]:
        return run("ours", url, str(bench.folder()), "none")

    async def theirs() -> dict[str, float]:
        return run("session", url)

    async def nothing() -> dict[str, float]:
        return run("nothing")

    for side in (ours, journal_only, theirs):
        await side()  # compiles
    with_thread, without, sessions, empty = await bench.interleaved(ours, journal_only, theirs, nothing)

    def above(figures: list[dict[str, float]], name: str) -> list[float]:
        return [each[name] - bare.get(name, 0.0) for each, bare in zip(figures, empty, strict=True)]

    rows = [
        Comparison(number="footprint", what=what, unit="ms", ours=above(with_thread, name), theirs=other)
        for what, name, other in (
            ("from before the import to log() returned", "logged", ()),
            ("... to the committed row / a session", "stored", above(sessions, "stored")),
        )
    ]
    for what, name, unit in (
        ("at rest: resident set", "resident", "MiB"),
        ("... of this not mapped files", "own", "MiB"),
        ("... threads", "threads", "more"),
        ("... descriptors", "descriptors", "more"),
    ):
        rows += [
            Comparison(
                number="footprint",
                what=f"{what} / a session",
                unit=unit,
                ours=above(with_thread, name),
                theirs=above(sessions, name),
                is_inverted=True,
            ),
            Comparison(number="footprint", what='... writer="none"', unit=unit, ours=above(without, name)),
        ]
    return rows
