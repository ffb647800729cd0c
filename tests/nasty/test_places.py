"""Events from odd places of a program, and programs in odd surroundings."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from audit_async import AuditLogger, create_table, events
from tests.children import ROOT
from tests.nasty.programs.surroundings import NOBODY
from tests.polling import eventually_sync
from tests.tables import all_rows

SERVICES = ["a\0b", "Größe", "审计", "x" * 300, "../../etc/passwd", "", " ", "a\nb", "-rf", "."]


def run(
    program: str, *arguments: object, flags: tuple[str, ...] = (), **options: Any
) -> subprocess.CompletedProcess[str]:
    """Run a program of this folder to its end."""
    environment: Mapping[str, str] = options.pop("env", {})
    return subprocess.run(
        [sys.executable, *flags, "-m", f"tests.nasty.programs.{program}", *map(str, arguments)],
        cwd=options.pop("cwd", ROOT),
        env={"PYTHONPATH": str(ROOT), "PATH": os.defpath, **environment},
        timeout=50,
        check=False,
        capture_output=True,
        text=True,
        **options,
    )


def stored(url: str) -> list[dict[str, Any]]:
    return asyncio.run(all_rows(url))


@pytest.fixture
def url(sqlite_url: str) -> str:
    asyncio.run(create_table(sqlite_url))
    return sqlite_url


def test_every_odd_place_of_a_program_may_log(tmp_path: Path, url: str) -> None:
    """N68: what is logged in `__del__`, a signal handler, a weakref callback, `sys.excepthook` and at exit arrives."""
    ended = run("odd_places", url, tmp_path / "journal")
    assert (1, "") == (ended.returncode, ended.stderr)
    with AuditLogger(url, journal_dir=tmp_path / "journal"):
        places = ("del", "signal", "finalize", "weakref", "excepthook", "atexit", "last")
        expected = sorted(f"nasty.{place}" for place in places)
        eventually_sync(lambda: len(stored(url)) == len(expected), 20)
    assert expected == sorted(row["action"] for row in stored(url))


def test_logging_while_something_is_imported(tmp_path: Path, url: str) -> None:
    """N69: a module may log in its body and wait there; `log` does not wait for the import lock."""
    ended = run("importing", url, tmp_path)
    assert ("done\n", 0) == (ended.stdout, ended.returncode), ended.stderr
    expected = ["nasty.at_import", "nasty.imported", "nasty.locked", "nasty.other_thread"]
    assert expected == sorted(row["action"] for row in stored(url))


def test_importing_starts_nothing() -> None:
    """N69: the import of the library and of its parts starts no thread and writes no file."""
    program = (
        "import threading, audit_async, audit_async.logger, audit_async.default, audit_async.write;"
        "print(threading.active_count())"
    )
    with tempfile.TemporaryDirectory() as empty:
        ended = subprocess.run(
            [sys.executable, "-B", "-c", program],
            cwd=empty,
            env={"PYTHONPATH": str(ROOT)},
            check=True,
            capture_output=True,
            text=True,
        )
        assert ("1\n", []) == (ended.stdout, os.listdir(empty))


SURROUNDINGS: dict[str, dict[str, Any]] = {
    "LC_ALL=C": {"env": {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}},
    "ascii-output": {"env": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii:strict"}},
    "commas": {"wants": ("locale",)},
    "closed-output": {"wants": ("close-output",)},
    "-O": {"flags": ("-O",)},
    "-OO": {"flags": ("-OO",)},
    "dev-mode": {"flags": ("-X", "dev", "-W", "error")},
    "no-tmp": {"env": {"TMPDIR": "/nonexistent", "TMP": "/nonexistent", "TEMP": "/nonexistent"}},
    "no-pycache": {"env": {"PYTHONPYCACHEPREFIX": "/proc/nowhere"}},
    "no-home": {"env": {"HOME": "/nonexistent"}},
}


@pytest.mark.parametrize("surroundings", SURROUNDINGS.values(), ids=SURROUNDINGS)
def test_odd_surroundings_are_no_trouble(surroundings: dict[str, Any], tmp_path: Path, url: str) -> None:
    """N76, N77: an event is stored to the letter whatever the locale, the output and the interpreter's flags."""
    options = dict(surroundings)
    ended = run("surroundings", url, tmp_path / "journal", *options.pop("wants", ()), **options)
    assert 0 == ended.returncode, ended.stderr
    (row,) = stored(url)
    assert ("审\ufffd", 1.5, {"a": 0.25}) == (row["actor_name"], row["duration_ms"], row["details"])


def test_a_program_without_any_output_is_no_trouble(tmp_path: Path, url: str) -> None:
    """N76: a daemon whose output was closed before it began, so that our files get the numbers 1 and 2, logs."""
    program = f"exec {sys.executable} -m tests.nasty.programs.surroundings {url} {tmp_path / 'journal'} >&- 2>&-"
    ended = subprocess.run(["/bin/sh", "-c", program], cwd=ROOT, timeout=50, check=False)
    assert (0, ["nasty.place"]) == (ended.returncode, [row["action"] for row in stored(url)])


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")
@pytest.mark.parametrize("home", ["", "/nonexistent"])
def test_a_user_without_a_name_or_a_home_can_log(home: str) -> None:
    """N77: a container's user that no passwd knows, with no home and no right to write anywhere else, loses nothing."""
    with tempfile.TemporaryDirectory() as work:
        os.chown(work, NOBODY, NOBODY)
        url = f"sqlite+aiosqlite:///{work}/audit.db"
        ended = run("surroundings", url, "-", "nobody", cwd=work, env={"HOME": home} if home else {})
        assert 0 == ended.returncode, ended.stderr
        assert ["nasty.place"] == [row["action"] for row in stored(url)]


@pytest.mark.parametrize("service", SERVICES)
def test_any_service_name_is_a_file_name(service: str, tmp_path: Path, url: str) -> None:
    """N78: whatever a service is called, its files are in the journal's directory, under a short plain name."""
    with AuditLogger(url, journal_dir=tmp_path / "journal", service=service) as audit:
        audit.log(events.custom("nasty.service"))
        names = [path.name for path in (tmp_path / "journal").iterdir()]
        assert audit.flush_sync(20)
    assert names
    assert [] == [name for name in names if not (name.isascii() and name.isprintable() and len(name) < 100)]
    assert ["nasty.service"] == [row["action"] for row in stored(url)]
