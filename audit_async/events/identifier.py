"""Ids that carry their time: UUIDv7 with microseconds.

48 bits of Unix milliseconds, then the microseconds of that millisecond scaled to the twelve bits that follow the
version, so that an id alone leads to the exact `created_at` of its event. 62 bits remain random.

Source: RFC 9562, section 5.7, and 6.2 method 3 (replace leftmost random bits with increased clock precision).
"""

from __future__ import annotations

import os
import re
import struct
import time
import uuid
from datetime import UTC, datetime, timedelta

from audit_async.config import CLOCK_STEP_BACK_MICROSECONDS

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_END_MICROSECONDS = (datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC) - EPOCH) // _MICROSECOND

_CANONICAL = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_WITH_MICROSECONDS = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_RANDOM_WORDS = 512

_words: list[int] = []
_last: tuple[int, int] = (0, 0)


def new_id() -> tuple[str, datetime]:
    """Return a new id and the time it carries: now, in UTC, to the microsecond.

    Ids of one process are in order. The clock may go back by less than a second without breaking that; a larger
    step is followed.
    """
    global _last
    now = time.time_ns() // 1000
    last, tail = _last
    if now > last or last >= now + CLOCK_STEP_BACK_MICROSECONDS:
        # The first of a microsecond keeps two bits free for the steps below.
        tail = _random_word() >> 4
    else:
        # Same microsecond: the random part goes up by a random step.
        now, tail = last, tail + 1 + (_random_word() >> 30)
        if tail >> 62:
            now, tail = last + 1, _random_word() >> 4
    _last = (now, tail)
    return _format(now, tail), EPOCH + timedelta(0, 0, now)


def id_at(moment: datetime) -> str | None:
    """Return a new id for an event of *moment* (aware), or None when it lies outside 1970 to 9999."""
    microseconds = (moment - EPOCH) // _MICROSECOND
    if not 0 <= microseconds <= _END_MICROSECONDS:
        return None
    return _format(microseconds, _random_word() >> 2)


def id_made_of(moment: datetime, content: bytes) -> str | None:
    """Return the id that *content* has at *moment* (aware), always the same one; None outside 1970 to 9999.

    Args:
        content: a digest, of which the first 62 bits stand where an id of another event is random.
    """
    microseconds = (moment - EPOCH) // _MICROSECOND
    if not 0 <= microseconds <= _END_MICROSECONDS:
        return None
    return _format(microseconds, int.from_bytes(content[:8], "big") >> 2)


def time_of(event_id: str) -> datetime | None:
    """Return the time that *event_id* carries, or None when it is no UUIDv7.

    Exact to the microsecond for ids made here. For foreign ones the result is the same on every call.
    """
    if not _WITH_MICROSECONDS.fullmatch(event_id):
        return None
    milliseconds = int(event_id[:8] + event_id[9:13], 16)
    fraction = int(event_id[15:18], 16)
    # The inverse of `_format`: the smallest microsecond that scales to this fraction.
    microseconds = milliseconds * 1000 + (fraction * 1000 + 4095) // 4096
    if microseconds > _END_MICROSECONDS:
        return None
    return EPOCH + timedelta(microseconds=microseconds)


def normal_uuid(text: str) -> str:
    """Return *text* in lower case and hyphens if it is a UUID in another usual spelling, else as it is.

    32 digits without hyphens stay as they are: they may be a trace id or a hash.
    """
    if len(text) not in (36, 38, 45):
        return text
    bare = text.lower()
    if bare == text and len(text) == 36:
        return text
    bare = bare.removeprefix("urn:uuid:").removeprefix("{").removesuffix("}")
    return bare if _CANONICAL.fullmatch(bare) else text


def random_uuid() -> str:
    """Return 32 hexadecimal digits of randomness, for a writer."""
    return uuid.UUID(bytes=os.urandom(16), version=4).hex


def _format(microseconds: int, tail: int) -> str:
    milliseconds, rest = divmod(microseconds, 1000)
    return "%08x-%04x-7%03x-%04x-%012x" % (  # noqa: UP031 -- a third quicker than an f-string here
        milliseconds >> 16,
        milliseconds & 0xFFFF,
        rest * 4096 // 1000,
        0x8000 | tail >> 48,
        tail & 0xFFFFFFFFFFFF,
    )


def _random_word() -> int:
    """Return 64 bits of the system's randomness. One system call serves 512 ids; `pop` is atomic."""
    while True:
        try:
            return _words.pop()
        except IndexError:
            _words.extend(struct.unpack(f"{_RANDOM_WORDS}Q", os.urandom(8 * _RANDOM_WORDS)))


def _forget() -> None:
    """Let a forked child not repeat its parent's ids."""
    _words.clear()


os.register_at_fork(after_in_child=_forget)
