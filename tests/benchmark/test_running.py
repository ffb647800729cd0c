"""A run of the benchmark: none of its measurements is in the way of another, and nothing is left behind."""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from scripts.benchmark import bench as bench_module
from scripts.benchmark.bench import Bench, NotHereError
from scripts.benchmark.calls import against_logging
from scripts.benchmark.comparison import Comparison
from scripts.benchmark.running import Ended, Measurement, Outcome, run
from scripts.benchmark.series import Series
from scripts.benchmark.stores import batches
from tests.benchmark.made import comparison, series

LIMIT_SECONDS = 60.0


def measured(limit_seconds: float = LIMIT_SECONDS, **measurements: Measurement) -> Outcome:
    return run(measurements, rounds=3, share=0.01, limit_seconds=limit_seconds)


async def fine(bench: Bench) -> Sequence[Comparison | Series]:
    return [comparison([1], [2]), series([1])]


async def failing(bench: Bench) -> Sequence[Comparison | Series]:
    async with asyncio.TaskGroup() as group:
        group.create_task(asyncio.to_thread(int, "no number"))
    return []


async def failing_at_length(bench: Bench) -> Sequence[Comparison | Series]:
    raise RuntimeError("initdb failed:\ncreating subdirectories\ninitdb: no space left\n")


async def giving_up(bench: Bench) -> Sequence[Comparison | Series]:
    raise SystemExit("waited in vain")


async def lacking(bench: Bench) -> Sequence[Comparison | Series]:
    raise NotHereError("no such server")


async def lacking_a_part(bench: Bench) -> Sequence[Comparison | Series]:
    bench.leave_out("P15's second row: no such server")
    return [comparison([1], [2])]


async def hanging(bench: Bench) -> Sequence[Comparison | Series]:
    await asyncio.Event().wait()
    return []


async def blocking(bench: Bench) -> Sequence[Comparison | Series]:
    threading.Event().wait()
    return []


async def interrupted(bench: Bench) -> Sequence[Comparison | Series]:
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.Event().wait()
    return []


class Finalized:
    def __del__(self) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        for _ in range(100):  # in which the handler is called
            pass


async def interrupted_in_a_finalizer(bench: Bench) -> Sequence[Comparison | Series]:
    Finalized()
    await asyncio.Event().wait()
    return []


@pytest.mark.parametrize(
    ("measurement", "said"),
    [
        (failing, "P1: ValueError: invalid literal for int() with base 10: 'no number'"),
        (failing_at_length, "P1: RuntimeError: initdb failed: initdb: no space left"),
        (giving_up, "P1: waited in vain"),
    ],
)
def test_a_row_that_fails_is_named_and_the_rest_goes_on(measurement: Measurement, said: str) -> None:
    """An error ends its own measurement only, and is in the list in one line."""
    outcome = measured(P1=measurement, P2=fine)
    assert (outcome.failed, len(outcome.comparisons), len(outcome.series)) == ([said], 1, 1)


@pytest.mark.parametrize("measurement", [hanging, blocking])
def test_a_row_ends_within_its_time(measurement: Measurement) -> None:
    """One that waits for ever, in the event loop or by blocking it, is ended and named, and the rest goes on."""
    outcome = measured(0.2, P1=measurement, P2=fine)
    assert (outcome.failed, len(outcome.comparisons)) == (["P1: not done within 0.2 s"], 1)


def test_what_is_not_here_is_left_out() -> None:
    """What a machine lacks is no error; whole rows and parts of rows are in one list."""
    outcome = measured(P1=lacking, P2=lacking_a_part)
    assert outcome.left_out == ["P1: no such server", "P15's second row: no such server"]
    assert (outcome.failed, len(outcome.comparisons)) == ([], 1)


def test_rows_of_one_measurement_are_measured_once_and_stand_together() -> None:
    """Rows that come from one measurement are one run of it; those of one number come one after the other."""

    async def mixed(bench: Bench) -> Sequence[Comparison | Series]:
        return [comparison([1], number=number) for number in ("P7", "P8", "P7")]

    outcome = measured(P7=mixed, P8=mixed)
    assert [row.number for row in outcome.comparisons] == ["P7", "P7", "P8"]
    assert list(outcome.seconds) == ["P7/P8"]


@pytest.mark.parametrize("measurement", [interrupted, interrupted_in_a_finalizer])
def test_a_signal_ends_the_run(measurement: Measurement, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGTERM ends it with the code that shells give it, and with no file left; then the signal is whose it was."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(Ended) as end:
        measured(P1=measurement, P2=fine)
    assert (end.value.code, list(tmp_path.iterdir()), signal.getsignal(signal.SIGTERM)) == (143, [], before)


def test_files_of_a_measurement_are_in_one_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever it and its child processes keep in the folder for temporary files is removed with it."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))

    async def careless(bench: Bench) -> Sequence[Comparison | Series]:
        tempfile.mkdtemp()
        process = await asyncio.create_subprocess_exec("sh", "-c", 'echo > "$TMPDIR/left"')
        await process.wait()
        assert len(list(tmp_path.glob("audit-bench-*/*"))) == 2
        return []

    assert (measured(P1=careless).failed, list(tmp_path.iterdir())) == ([], [])
    assert (tempfile.tempdir, os.environ["TMPDIR"]) == (str(tmp_path), str(tmp_path))


def test_too_small_a_disk_is_said(tmp_path: Path) -> None:
    """Who needs more room than there is learns how much, before it is used up."""
    with Bench(rounds=1, share=1) as bench, pytest.raises(NotHereError, match="GiB of disk are needed"):
        bench.needs_disk(2**60)


def test_without_a_server_the_rest_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no PostgreSQL, what needs none is measured; the other rows are left out, and said."""
    monkeypatch.setattr(bench_module, "find_binaries", lambda: None)
    outcome = measured(P1=against_logging, P3=batches)
    assert [line.partition(":")[0] for line in outcome.left_out] == ["P1's row with a writer", "P3"]
    assert ([row.number for row in outcome.comparisons], outcome.failed) == (["P1", "P1"], [])
