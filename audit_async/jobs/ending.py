"""How a piece of work ended, told from the exception that it ended with."""

from __future__ import annotations

import inspect
import itertools
import traceback
from types import FrameType
from typing import Any, TypeGuard

from audit_async.config import MAX_ITEMS
from audit_async.events import Outcome
from audit_async.events.fields import to_message
from audit_async.shapes import members_of, own_bases, own_name, type_name
from audit_async.values import plain


def outcome_of(error: BaseException) -> Outcome:
    """Return `cancelled` for what ends a piece of work from outside, and `failure` for any other exception; but
    `success` for an exit of the work's own whose code says so: none, or 0.

    From outside come a cancellation (of asyncio, trio or curio), the killing of a greenlet, a Ctrl-C, an exit by the
    handler of a signal, and the closing of a generator; and a group of nothing but these, as trio raises it.
    """
    members, seen = list(members_of(error)), 0
    if not members:
        return _outcome_of_one(error)
    outcomes = set()
    while members and seen < MAX_ITEMS:
        member, seen = members.pop(), seen + 1
        inner = members_of(member)
        if not inner:
            outcomes.add(_outcome_of_one(member))
        members += inner
    if Outcome.FAILURE in outcomes:
        return Outcome.FAILURE
    return Outcome.SUCCESS if outcomes == {Outcome.SUCCESS} else Outcome.CANCELLED


def _outcome_of_one(error: BaseException) -> Outcome:
    if issubclass(type(error), SystemExit):
        if _is_of_a_signal(error):
            return Outcome.CANCELLED
        return Outcome.SUCCESS if _exits_well(error) else Outcome.FAILURE
    return Outcome.CANCELLED if _is_from_outside(error) else Outcome.FAILURE


def _exits_well(error: BaseException) -> bool:
    """Return whether the process would end with 0, as the interpreter reads it: of a text, which it prints, with 1."""
    code = SystemExit.__dict__["code"].__get__(error)
    return code is None or (issubclass(type(code), int) and int.__eq__(code, 0))


def _is_of_a_signal(error: BaseException) -> bool:
    """Return whether the handler of a signal raised *error*: SIGTERM, say, ends work that is not done."""
    frames = (frame for frame, _ in traceback.walk_tb(error.__traceback__))
    return any(_has_interrupted(inner, outer) for outer, inner in itertools.pairwise(frames))


def _has_interrupted(inner: FrameType, outer: FrameType) -> bool:
    """Return whether *inner* was given the frame that it was called from, as only the handler of a signal is."""
    if not inner.f_code.co_flags & inspect.CO_OPTIMIZED:
        return False  # no function: its names may be in a mapping of anybody's
    given = inner.f_locals.values()
    return any(each is outer for value in given for each in (value if type(value) is tuple else (value,)))


def _is_from_outside(error: BaseException) -> bool:
    kind = type(error)
    if issubclass(kind, Exception):
        return False
    # By name: a program on one of these has not loaded the others.
    return issubclass(kind, (KeyboardInterrupt, GeneratorExit)) or any(
        own_name(base).startswith("Cancel") or own_name(base) == "GreenletExit" for base in own_bases(kind)
    )


def text_of(error: BaseException) -> tuple[str, dict[str, Any]]:
    """Return the message of *error*, and what details say of it: `exception`, as a line of a log has it in its own.

    Raises nothing that its own text raises, whatever that is.
    """
    try:
        return _read(error)
    except BaseException:
        try:
            _read(error)
        except BaseException:
            return own_name(type(error)), {"exception": {"$type": type_name(error)}}
        # Its text can be read: it was a signal, in just this moment, whose exception is not ours to keep.
        raise


def is_exception(reason: object) -> TypeGuard[BaseException]:
    """Return whether *reason* is one, by its type alone: asked for its class, an odd value may raise."""
    return issubclass(type(reason), BaseException)


def _read(error: BaseException) -> tuple[str, dict[str, Any]]:
    return to_message(error), {"exception": plain(error)}
