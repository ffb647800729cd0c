"""The same on each Python that is here."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from scripts.benchmark.bench import Bench
from scripts.benchmark.comparison import Comparison
from scripts.benchmark.footprint import ROOT, above_empty, compiling

_VERSIONS = ("3.11", "3.12", "3.13")
_ROUNDS = 3
_SETUP_SECONDS = 400.0
_MEASURE_SECONDS = 300.0


async def side_by_side(bench: Bench) -> list[Comparison]:
    """pythons: P1, P3, P5 and the import on each Python from 3.11 to 3.13 that is here, a process for each round."""
    pythons: dict[str, str] = {}
    for version in _VERSIONS:
        try:
            pythons[version] = _prepared(version)
        except _MissingError as missing:
            bench.leave_out(f"Python {version}: {missing}")
    url, share = await bench.url(), bench.count(10_000) / 10_000
    environment = compiling(bench.folder())

    async def one(python: str) -> dict[str, dict[str, Any]]:
        command = [python, "-m", "scripts.benchmark.on_python", str(share), url]
        done = _run(command, environment, _MEASURE_SECONDS)
        loading = above_empty(python, environment)
        rows = {row["number"]: row for row in json.loads(done)}
        return rows | {"import": {"what": "from audit_async import AuditLogger, events", "unit": "ms", "ours": loading}}

    for python in pythons.values():
        above_empty(python, environment)  # compiles
    taken: dict[str, list[dict[str, dict[str, Any]]]] = {version: [] for version in pythons}
    for number in range(min(_ROUNDS, bench.rounds)):
        for version, run in [(version, partial(one, python)) for version, python in pythons.items()][:: (-1) ** number]:
            taken[version].append(await run())
    return [
        Comparison(
            number="pythons",
            what=f"{name} on {version}, {rounds[0][name]['what']}",
            unit=rounds[0][name]["unit"],
            ours=[each[name]["ours"] for each in rounds],
            theirs=[each[name]["theirs"] for each in rounds if "theirs" in each[name]],
            about="Rows as those of their number, a round in a process of its own, on Pythons in turn, into one server."
            if (name, version) == ("P1", next(iter(taken)))
            else "",
        )
        for name in next(iter(taken.values()))[0]
        for version, rounds in taken.items()
    ]


class _MissingError(Exception):
    """A Python is not here, or cannot be set up."""


def _prepared(version: str) -> str:
    """Return the interpreter of an environment of that version, set up as for the tests.

    Raises:
        _MissingError: with the reason.
    """
    if sys.version.startswith(f"{version}."):
        return sys.executable
    python = _found(version)
    if python is None:
        raise _MissingError("not on this machine")
    folder = f".venv-{version}"
    try:
        _run(["./scripts/setup", "test"], {**os.environ, "PYTHON": python, "VENV": folder}, _SETUP_SECONDS)
    except subprocess.SubprocessError as error:
        raise _MissingError(f"its environment cannot be set up ({error})") from error
    return str(ROOT / folder / "bin/python")


def _found(version: str) -> str | None:
    """Return the interpreter, from the path or from pyenv, which hides all but its chosen one."""
    chosen: list[dict[str, str]] = [{}]
    versions = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    chosen += [{"PYENV_VERSION": found.name} for found in sorted(versions.glob(f"{version}.*"))]
    for environment in chosen:
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            command = [f"python{version}", "-c", "import sys; print(sys.executable)"]
            return _run(command, {**os.environ, **environment}, stderr=subprocess.DEVNULL)
    return None


def _run(
    command: list[str], environment: Mapping[str, str], seconds: float = 30.0, *, stderr: int | None = None
) -> str:
    done = subprocess.run(  # noqa: S603 -- of our own making
        command,
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
        check=True,
        env=environment,
        cwd=ROOT,
        timeout=seconds,
    )
    return done.stdout.strip()
