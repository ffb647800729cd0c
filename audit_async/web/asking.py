"""The application's own word on who it is: functions of the scope that may raise, block, hang, or log events."""

from __future__ import annotations

import asyncio
import inspect
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeAlias

import anyio

from audit_async.config import (
    ANSWER_REST_SECONDS,
    ANSWER_SECONDS,
    PLAIN_ANSWER_CHARS,
    SLOW_ANSWER_SECONDS,
    SLOW_ANSWERS,
)
from audit_async.diagnostics import describe, report
from audit_async.errors import ConfigurationError
from audit_async.events.fields import convert
from audit_async.shapes import pass_on

Answerer: TypeAlias = Callable[[Any], Any]
"""Says an id, or None for nobody: a plain function of the scope, or a coroutine function."""

_inside = threading.local()


class Question:
    """Asks one function of the application for one field, of any request.

    Args:
        field: of the event.
        answerer: the function; None knows nothing.

    Attributes:
        is_async: whether it is a coroutine function, which may have to be awaited.

    Raises:
        ConfigurationError: *answerer* cannot be called.
    """

    def __init__(self, field: str, answerer: Answerer | None) -> None:
        if answerer is not None and not callable(answerer):
            raise ConfigurationError(
                f"what says the {field} of a request is {type(answerer).__name__}, which cannot be called",
                hint="give a function of the ASGI scope that returns an id, or None",
            )
        self.field = field
        self.is_async = inspect.iscoroutinefunction(answerer) or inspect.iscoroutinefunction(
            getattr(answerer, "__call__", None)  # noqa: B004 -- of an object, whether that is a coroutine function
        )
        self._answerer = answerer
        # Guarded by nothing: a slow answer that is counted twice, or not, does no harm.
        self._slow_in_row = 0
        self._rests_until = 0.0

    def __bool__(self) -> bool:
        return self._answerer is not None

    def ask_now(self, scope: Any) -> str | None:
        """Return what a plain function says, None where it says nothing. Never raises."""
        if self._rests or getattr(_inside, "is_asking", False):
            return None
        _inside.is_asking = True
        started = time.monotonic()
        try:
            answer = self._call(scope)
            if isinstance(answer, Awaitable):
                # A plain function that calls a coroutine function. It is awaited from the next request on.
                self.is_async = True
                if isinstance(answer, Coroutine):
                    answer.close()
                return None
            return self._understood(answer)
        except BaseException as error:
            # Where nothing is awaited a cancellation can only be that of a task whose result was asked for.
            if not isinstance(error, asyncio.CancelledError):
                pass_on(error)
            self._tell(error)
            return None
        finally:
            _inside.is_asking = False
            self._took(time.monotonic() - started, SLOW_ANSWER_SECONDS)

    async def ask(self, scope: Any, *, is_early: bool = False) -> str | None:
        """Do as `ask_now`, waiting for a coroutine for `ANSWER_SECONDS` at most.

        Args:
            is_early: what would tell it may have yet to run, so that an error means nothing. Later a cancel scope
                around the request waits as well: what it came to is to be said with its user.
        """
        if self._rests:
            return None
        started, limit = time.monotonic(), ANSWER_SECONDS
        try:
            with anyio.move_on_after(ANSWER_SECONDS, shield=not is_early):
                answer = self._call(scope)
                return self._understood(await answer if isinstance(answer, Awaitable) else answer)
            limit = 0.0
        except BaseException as error:
            if not _is_of_another(error):
                pass_on(error)
            if not is_early:
                self._tell(error)
        finally:
            self._took(time.monotonic() - started, limit)
        return None

    @property
    def _rests(self) -> bool:
        return self._rests_until > 0.0 and time.monotonic() < self._rests_until

    def _call(self, scope: Any) -> Any:
        assert self._answerer is not None  # or nobody would ask
        return self._answerer(scope)

    def _understood(self, answer: Any) -> str | None:
        if answer is None:
            return None
        if type(answer) is str and len(answer) <= PLAIN_ANSWER_CHARS and answer.isascii() and answer.isprintable():
            return answer or None
        invalid: dict[str, Any] = {}
        found = convert(self.field, answer, invalid)
        if invalid:
            report(f"web_{self.field}", f"what says the {self.field} of a request gave {type(answer).__name__}, no id")
            return None
        return found if isinstance(found, str) and found else None

    def _tell(self, error: BaseException) -> None:
        report(f"web_{self.field}", f"the {self.field} of a request is not known: {describe(error)}")

    def _took(self, seconds: float, limit: float) -> None:
        if seconds < limit:
            self._slow_in_row = 0
            return
        self._slow_in_row += 1
        if self._slow_in_row >= SLOW_ANSWERS:
            self._slow_in_row = 0
            self._rests_until = time.monotonic() + ANSWER_REST_SECONDS
            report(
                f"web_{self.field}_slow",
                f"what says the {self.field} of a request took {seconds:.1f} s: it is not asked for "
                f"{ANSWER_REST_SECONDS:.0f} s. HINT: let it read the scope, where an authentication has put the user",
            )


def _is_of_another(error: BaseException) -> bool:
    """Return whether *error* is the cancellation of a task that was awaited here, not of the one that awaits."""
    if not isinstance(error, asyncio.CancelledError):
        return False
    try:
        task = asyncio.current_task()
    except RuntimeError:
        return False  # no loop of asyncio
    return task is not None and not task.cancelling()
