"""Wait for a condition instead of for a time: the only place in the tests that sleeps."""

from __future__ import annotations

import errno
import inspect
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import anyio

INTERVAL_SECONDS = 0.005  # short beside everything waited for, long beside one look

T = TypeVar("T")


async def eventually(condition: Callable[[], Any], timeout_seconds: float = 10) -> Any:
    """Wait until *condition*, a plain or a coroutine function, is true, and return what it gave.

    Raises:
        TimeoutError: it is still untrue after *timeout_seconds*.
    """
    deadline = time.monotonic() + timeout_seconds
    while True:
        result = condition()
        value = await result if inspect.isawaitable(result) else result
        if value:
            return value
        _still_time(deadline, condition)
        await anyio.sleep(INTERVAL_SECONDS)


def eventually_sync(condition: Callable[[], T], timeout_seconds: float = 10) -> T:
    """Do as `eventually`, where there is no event loop."""
    deadline = time.monotonic() + timeout_seconds
    while not (value := condition()):
        _still_time(deadline, condition)
        time.sleep(INTERVAL_SECONDS)
    return value


def _still_time(deadline: float, condition: Callable[[], object]) -> None:
    if time.monotonic() > deadline:
        raise TimeoutError(f"never came true: {condition}")


def removed(directory: Path) -> bool:
    """Remove *directory*, into which others write; return whether that was all of it."""
    try:
        shutil.rmtree(directory)
    except FileNotFoundError:
        return not directory.exists()
    except OSError as error:
        if error.errno != errno.ENOTEMPTY:
            raise
        return False
    return True
