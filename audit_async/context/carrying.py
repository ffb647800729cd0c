"""A context on its way into another thread."""

from __future__ import annotations

import contextvars
import functools
import inspect
from collections.abc import Callable
from typing import ParamSpec, TypeVar

_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result")
_LAZY = (inspect.iscoroutinefunction, inspect.isgeneratorfunction, inspect.isasyncgenfunction)


def carried(function: Callable[_Parameters, _Result]) -> Callable[_Parameters, _Result]:
    """Return *function*, to be called in the context of this moment, from whatever thread, any number of times.

        pool.submit(carried(work), 1)
        threading.Thread(target=carried(work))
        await loop.run_in_executor(None, carried(work), 1)

    For threads that begin with nothing. It takes all context variables along: the job and the current span too. Tasks,
    `asyncio.to_thread`, callbacks of a loop and anyio's threads inherit them by themselves. To another process nothing
    of it can go: there `dump` and `load` do.

    Raises:
        TypeError: *function* is a coroutine function or a generator, whose call only makes it.
    """
    if any(is_lazy(function) for is_lazy in _LAZY):
        raise TypeError(
            f"carried() cannot take {getattr(function, '__name__', 'it')}(): its call only makes a coroutine or a "
            "generator. A task has the context in which it is made"
        )
    around = contextvars.copy_context()

    @functools.wraps(function)
    def call(*arguments: _Parameters.args, **keywords: _Parameters.kwargs) -> _Result:
        # A context is entered by one thread at a time, and keeps what is set in it: each call has a copy.
        return around.copy().run(function, *arguments, **keywords)

    return call
