"""The command itself: a real run of the cheapest row is saved, compared and written into a page; and its bad input."""

from __future__ import annotations

import contextlib
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.benchmark import __main__ as command
from scripts.benchmark.__main__ import ROWS, main
from scripts.benchmark.page import BEGIN, END
from scripts.benchmark.saved import Run, SavedRunError, load_run, save
from tests.benchmark.made import comparison, run, series
from tests.children import Child
from tests.polling import eventually_sync

CHEAPEST = "P2"


def bench(*arguments: object, temporary: Path | None = None) -> Child:
    environment = {"TMPDIR": str(temporary)} if temporary else None
    return Child("__main__", *arguments, package="scripts.benchmark", environment=environment)


@pytest.fixture(scope="module")
def saved_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a real run."""
    file = tmp_path_factory.mktemp("bench") / "runs" / "one.json"
    with bench("--quick", CHEAPEST, "--json", file) as child:
        printed = "\n".join(child.rest())
    assert child.returncode == 0
    assert "P2   log() / loguru enqueue=True" in printed
    assert f"Saved as {file}" in printed
    return file


@pytest.fixture(scope="module")
def saved(saved_file: Path) -> Run:
    return load_run(saved_file)


@pytest.fixture
def temporary() -> Iterator[Path]:
    """A folder for temporary files whose name is short enough for sockets, and which a server's user may enter."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


# --- a run as a file -------------------------------------------------------------------------------------


def test_a_run_says_what_it_measured_and_where(saved: Run) -> None:
    """The rounds of both sides, the target, the machine, its load and the code are in the file."""
    (row,) = saved.comparisons
    assert (row.number, len(row.ours), len(row.theirs), row.goal is not None) == (CHEAPEST, 3, 3, True)
    assert (saved.asked, list(saved.seconds), saved.is_quick) == ([CHEAPEST], [CHEAPEST], True)
    assert {"PostgreSQL", "SQLite", "SQLAlchemy", "asyncpg"} <= saved.machine.versions.keys()
    assert saved.machine.processors > 0
    assert saved.before.sync_ms[0] <= saved.before.sync_ms[1]


def test_what_is_saved_comes_back(saved: Run, tmp_path: Path) -> None:
    """A run that is read, saved and read again is the same, whether measured or made up."""
    made = run(
        comparison([1.5], [2.5]), comparison([1.0], []), series([1.0], []), left_out=["P3: no"], failed=["P4: no"]
    )
    for number, each in enumerate((saved, made)):
        save(each, tmp_path / str(number))
        assert load_run(tmp_path / str(number)) == each


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "no saved run"),
        ("", "no saved run"),
        ("[]", "of None"),
        ('{"format": 99}', "of 99"),
        ('{"format": 1}', "no saved run"),
        ("\xff", "no saved run"),
    ],
)
def test_a_file_that_is_no_run_is_refused(text: str | None, said: str, tmp_path: Path) -> None:
    """Nothing, something else, and a run of another format each get their sentence."""
    file = tmp_path / "run.json"
    if text is not None:
        file.write_text(text, encoding="latin-1")
    with pytest.raises(SavedRunError, match=said):
        load_run(file)


# --- what is done with it --------------------------------------------------------------------------------


def test_a_run_is_compared_with_one_of_before(saved_file: Path, tmp_path: Path) -> None:
    """`--compare OLD` runs the rows of OLD again, and prints old, new and change; that is no test, and ends with 0."""
    with bench("--quick", "--compare", saved_file, "--json", tmp_path / "new.json") as child:
        printed = child.rest()
    assert child.returncode == 0
    heading = next(number for number, line in enumerate(printed) if line.startswith("row  what") and "change" in line)
    assert printed[heading + 2].startswith("P2")
    assert load_run(tmp_path / "new.json").asked == [CHEAPEST]


def test_two_runs_are_compared_without_running(
    saved_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--compare OLD NEW` only reads: a run is the same as itself."""
    assert called(monkeypatch, "--compare", saved_file, saved_file) == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("P2"))
    assert {"1x", "noise"} <= set(line.split())


def test_a_page_is_written_from_a_run(saved_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--page PAGE FROM` puts the table between the marks."""
    page = tmp_path / "page.md"
    page.write_text(f"Before.\n{BEGIN}{END}\nBehind.\n")
    assert called(monkeypatch, "--page", page, saved_file) == 0
    assert "| P2 | log() / loguru enqueue=True |" in page.read_text()


@pytest.mark.parametrize(
    "arguments",
    [
        ["P99"],
        ["--compare", "none.json"],
        ["--compare", "none.json", "none.json"],
        ["--page", "none.md"],
        ["--page", "none.md", "none.json"],
        ["--json", "/proc/run.json", "P2"],
        ["--json", "/", "P2"],
        ["--limit", "0"],
    ],
)
def test_bad_arguments_are_refused_at_once(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be read, written or measured is said before anything is run."""
    assert called(monkeypatch, *arguments) not in (0, None)


def called(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> object:
    """Return the exit code, or what is said instead."""
    monkeypatch.setattr("sys.argv", ["bench", *map(str, arguments)])
    with pytest.raises(SystemExit) as end:
        main()
    return end.value.code


def test_every_target_has_its_row() -> None:
    """P1 to P16 and P1b can be asked for, and each measurement's first line begins with its rows."""
    assert {*(f"P{number}" for number in range(1, 17)), "P1b"} <= ROWS.keys()
    for name, measurement in ROWS.items():
        assert name in (measurement.__doc__ or "").split(":")[0].split(" and ")


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        ([], ["P1", "P1b"]),
        (["P1b"], ["P1b"]),
        (["growth"], ["growth-size", "growth-rows"]),
        (["all"], ["P1", "P1b", "web", "growth-size", "growth-rows"]),
        (["web", "P1"], ["P1", "web"]),
    ],
)
def test_what_is_asked_for_is_measured(asked: list[str], names: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing stands for the targets, a name for its row, the first part of a name for all that begin so."""
    rows = dict.fromkeys(("P1", "P1b", "web", "growth-size", "growth-rows"), ROWS["P1"])
    monkeypatch.setattr(command, "ROWS", rows)
    assert command._names(asked, None) == names


# --- its end ---------------------------------------------------------------------------------------------


@pytest.mark.timeout(180)  # a server, a process of Python and its cleaning up, each many times what they take
@pytest.mark.parametrize(
    ("row", "sign", "number"),
    [
        pytest.param("P7", "audit-bench-*/audit-postgres-*/data/postmaster.pid", signal.SIGTERM, id="a server is made"),
        pytest.param("P7", "audit-bench-*/audit-postgres-*/.s.PGSQL.*", signal.SIGTERM, id="the server runs"),
        pytest.param("P16", "audit-bench-*/*/events/*", signal.SIGINT, id="the server is stopped, a child works"),
    ],
)
def test_a_signal_leaves_nothing_behind(row: str, sign: str, number: signal.Signals, temporary: Path) -> None:
    """Ctrl-C and SIGTERM end a run in the midst of a measurement: no process goes on, no file is left."""
    with bench(row, "--json", temporary.parent / "never.json", temporary=temporary) as child:
        eventually_sync(lambda: any(temporary.glob(sign)), 90)
        child.kill(number)
    assert child.returncode == 128 + number
    eventually_sync(lambda: not working_in(temporary), 30)
    assert list(temporary.iterdir()) == []


def working_in(folder: Path) -> list[str]:
    """Return the commands of the processes that have something to do with *folder*."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            known = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
            if str(folder).encode() in known:
                found.append(process.name)
    return found
