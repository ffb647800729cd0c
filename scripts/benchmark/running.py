"""One measurement after the other: each within its time, none in the way of the next, and nothing left behind.

All that ends a measurement early is an exception in the main thread, raised by a signal's handler: most measurements
block the event loop on purpose, so that a cancelled task would not hear of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import FrameType

from scripts.benchmark.bench import Bench, NotHereError
from scripts.benchmark.comparison import Comparison
from scripts.benchmark.series import Series

Measurement = Callable[[Bench], Awaitable[Sequence[Comparison | Series]]]

LIMIT_SECONDS = 900.0
"""For one measurement: the longest takes a fifth of it on a slow machine; the rest is for one that is busy."""

_AGAIN_SECONDS = 30.0
_SOON_SECONDS = 0.02  # longer than a finalizer
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Ended(SystemExit):
    """The run is to end: a signal said so. Like every `SystemExit` it passes through an event loop."""


class OverTime(SystemExit):
    """A measurement takes too long."""


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What a run brought. As `saved.Run`."""

    comparisons: list[Comparison] = field(default_factory=list)
    series: list[Series] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)


def run(measurements: Mapping[str, Measurement], *, rounds: int, share: float, limit_seconds: float) -> Outcome:
    """Run *measurements*, which are given by row, each once; return what they gave and what went wrong.

    Raises:
        Ended: by SIGINT, SIGTERM or SIGHUP, once everything is cleaned up.
    """
    outcome = Outcome()
    bench = Bench(rounds=rounds, share=share)
    try:
        with _ended_by_signals():
            bench.open()
            for measurement, names in _once_each(measurements).items():
                _run_one(bench, measurement, "/".join(names), outcome, limit_seconds)
    finally:
        with _deaf():  # what follows ends by itself, and should be all of it
            bench.close()
    outcome.comparisons = _grouped(outcome.comparisons)
    return outcome


def _run_one(bench: Bench, measurement: Measurement, name: str, outcome: Outcome, limit_seconds: float) -> None:
    started = time.monotonic()
    try:
        with _within(limit_seconds):
            bench.restore()
            rows = asyncio.run(_awaited(measurement(bench)))
    except Ended:
        raise
    except NotHereError as missing:
        outcome.left_out.append(f"{name}: {missing}")
    except (Exception, OverTime, SystemExit) as error:
        traceback.print_exception(error)
        outcome.failed.append(f"{name}: {_described(error)}")
    else:
        outcome.comparisons += [row for row in rows if isinstance(row, Comparison)]
        outcome.series += [row for row in rows if isinstance(row, Series)]
    outcome.left_out += bench.left_out
    bench.left_out.clear()
    outcome.seconds[name] = round(time.monotonic() - started, 1)
    print(f"{name} ({measurement.__name__}): {outcome.seconds[name]:.0f} s", file=sys.stderr, flush=True)


async def _awaited(rows: Awaitable[Sequence[Comparison | Series]]) -> Sequence[Comparison | Series]:
    return await rows


def _once_each(measurements: Mapping[str, Measurement]) -> dict[Measurement, list[str]]:
    """Return the measurements with their rows: some give several."""
    found: dict[Measurement, list[str]] = {}
    for name, measurement in measurements.items():
        found.setdefault(measurement, []).append(name)
    return found


def _grouped(rows: Iterable[Comparison]) -> list[Comparison]:
    """Return *rows* with those of one number together, else in their order."""
    found: dict[str, list[Comparison]] = {}
    for row in rows:
        found.setdefault(row.number, []).append(row)
    return [row for group in found.values() for row in group]


def _described(error: BaseException) -> str:
    """Return what happened in a line: of a group what happened first, of many lines the first and the last."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    first, *others = str(error).strip().split("\n")
    said = f"{first} {others[-1].strip()}" if others else first
    return said if isinstance(error, SystemExit) else f"{type(error).__name__}: {said}"


# --- signals -------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _ended_by_signals() -> Iterator[None]:
    def end(number: int, frame: FrameType | None) -> None:
        raise Ended(128 + number)

    # A run under `nohup` outlives its terminal.
    hears = [number for number in _ENDING if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN]
    with _handled(dict.fromkeys(hears, end)), _heard_in_finalizers():
        yield


@contextlib.contextmanager
def _heard_in_finalizers() -> Iterator[None]:
    """Send a signal again that came in a finalizer or in a weak reference's callback: its exception is lost there."""
    before = sys.unraisablehook

    def send_again(passed_over: sys.UnraisableHookArgs) -> None:
        if isinstance(passed_over.exc_value, Ended):
            threading.Timer(_SOON_SECONDS, os.kill, (os.getpid(), int(passed_over.exc_value.code or 0) - 128)).start()
        else:
            before(passed_over)

    sys.unraisablehook = send_again
    try:
        yield
    finally:
        sys.unraisablehook = before


def stay_deaf() -> None:
    """Pass over every signal from now on: the end is near, and one that was sent again would change what it says."""
    for number in _ENDING:
        signal.signal(number, signal.SIG_IGN)


@contextlib.contextmanager
def _deaf() -> Iterator[None]:
    with _handled(dict.fromkeys(_ENDING, signal.SIG_IGN)):
        yield


@contextlib.contextmanager
def _within(seconds: float) -> Iterator[None]:
    """Raise `OverTime` in here after *seconds*, and now and then again while what cleans up hangs, too."""

    def end(number: int, frame: FrameType | None) -> None:
        raise OverTime(f"not done within {seconds:g} s")

    with _handled({signal.SIGALRM: end}):
        before = signal.setitimer(signal.ITIMER_REAL, seconds, _AGAIN_SECONDS)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, *before)


_Handler = Callable[[int, FrameType | None], None] | signal.Handlers


@contextlib.contextmanager
def _handled(handlers: Mapping[signal.Signals, _Handler]) -> Iterator[None]:
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
