"""How a piece of work ended, told from the exception that it ended with."""

from __future__ import annotations

from typing import Any

from audit_async.config import MAX_ITEMS
from audit_async.events import Outcome
from audit_async.events.fields import to_message
from audit_async.shapes import members_of, own_bases, own_name, type_name
from audit_async.values import plain


def outcome_of(error: BaseException) -> Outcome:
    """Return `cancelled` for what ends a piece of work from outside, and `failure` for any other exception.

    From outside come a cancellation (of asyncio, trio or curio), the killing of a greenlet, a Ctrl-C, an exit, and the
    closing of a generator; and a group of nothing but these, as trio raises it.
    """
    members, seen = list(members_of(error)), 0
    if not members:
        return Outcome.CANCELLED if _is_from_outside(error) else Outcome.FAILURE
    while members and seen < MAX_ITEMS:
        member, seen = members.pop(), seen + 1
        inner = members_of(member)
        if not inner and not _is_from_outside(member):
            return Outcome.FAILURE
        members += inner
    return Outcome.CANCELLED


def _is_from_outside(error: BaseException) -> bool:
    kind = type(error)
    if issubclass(kind, Exception):
        return False
    # By name: a program on one of these has not loaded the others.
    return issubclass(kind, (KeyboardInterrupt, SystemExit, GeneratorExit)) or any(
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


def _read(error: BaseException) -> tuple[str, dict[str, Any]]:
    return to_message(error), {"exception": plain(error)}
