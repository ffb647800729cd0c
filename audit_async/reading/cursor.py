"""Where a page ended, as a text that callers hand back and need not understand.

It holds the position in the order of the listing, the direction, and a digest of both together with the query, the
scope and the table. So one of another query, or a damaged one, is told at once. It is no secret and no permission:
whoever makes one up gets to another place in what he may see anyway, since the scope is no part of it.
"""

from __future__ import annotations

import base64
import hashlib
import math
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import msgspec

from audit_async.config import MAX_CURSOR_CHARS
from audit_async.errors import ConfigurationError

_FORMAT = 1
_DIGEST_BYTES = 12
_HINT = "take the cursor of a page of this very query, or begin again without one"


@dataclass(frozen=True, slots=True)
class Cursor:
    """A position in a listing.

    Attributes:
        position: values of the columns that the listing is ordered by.
        is_backward: towards the beginning of the listing.
    """

    position: tuple[Any, ...]
    is_backward: bool = False

    def write(self, bound_to: str) -> str:
        """Return it as text, for the listing that *bound_to* describes."""
        body = msgspec.json.encode([_FORMAT, self.is_backward, [_packed(value) for value in self.position]])
        return base64.urlsafe_b64encode(_digest(body, bound_to) + body).decode().rstrip("=")

    @classmethod
    def read(cls, text: object, bound_to: str, max_chars: int = MAX_CURSOR_CHARS) -> Cursor:
        """Return what *text* of up to *max_chars* says.

        Raises:
            ConfigurationError: it is damaged, or of another listing.
        """
        if not isinstance(text, str) or not 1 <= len(text) <= max_chars:
            raise ConfigurationError(f"the cursor is no text of up to {max_chars} characters", hint=_HINT)
        try:
            raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
            digest, body = raw[:_DIGEST_BYTES], raw[_DIGEST_BYTES:]
            version, is_backward, position = msgspec.json.decode(body, type=tuple[int, bool, list[Any]])
            values = tuple(_unpacked(value) for value in position)
        except (ValueError, TypeError, ArithmeticError, RecursionError):
            raise ConfigurationError("the cursor is damaged", hint=_HINT) from None
        if version != _FORMAT or digest != _digest(body, bound_to):
            raise ConfigurationError("the cursor belongs to another query, scope or table", hint=_HINT)
        return cls(values, is_backward)


def _digest(body: bytes, bound_to: str) -> bytes:
    return hashlib.blake2b(body, digest_size=_DIGEST_BYTES, key=hashlib.sha256(bound_to.encode()).digest()).digest()


_KINDS: Sequence[tuple[str, type, Callable[[Any], str], Callable[[str], Any]]] = (
    ("t", datetime, datetime.isoformat, datetime.fromisoformat),
    ("d", date, date.isoformat, date.fromisoformat),
    ("u", uuid.UUID, str, uuid.UUID),
    ("n", Decimal, str, Decimal),
    ("b", bytes, bytes.hex, bytes.fromhex),
)
"""Types of keys that JSON has not: their mark, how they are written and read. A time is a date as well."""

_ENDLESS = "f"
"""The mark of a float that is infinite, or no number."""


def _packed(value: Any) -> Any:
    for mark, kind, write, _ in _KINDS:
        if isinstance(value, kind):
            return [mark, write(value)]
    if isinstance(value, float) and not math.isfinite(value):
        # JSON has none of these, and would take them for no value at all.
        return [_ENDLESS, repr(value)]
    return value if isinstance(value, (int, float, type(None))) else str(value)


def _unpacked(value: Any) -> Any:
    if not isinstance(value, list):
        if isinstance(value, dict):
            raise TypeError
        return value
    mark, text = value
    for known, _, _, read in _KINDS:
        if mark == known:
            return read(text)
    if mark == _ENDLESS:
        return float(text)
    raise ValueError
