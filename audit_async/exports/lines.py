"""Text and JSON that stay on one line, whatever is in them, and do nothing to the terminal that shows them."""

from __future__ import annotations

import re
import sys
from datetime import UTC, datetime

UNSEEN = "\0-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff"
"""What ends a line, commands a terminal, turns the direction of reading or is not seen, as the inside of a class of
characters. Joiners, which scripts and emoji need, are not in it."""

_UNSEEN = re.compile(f"[{UNSEEN}]")
_UNSEEN_IN_JSON = re.compile(
    rb"\x7f|\xc2[\x80-\x9f]|\xd8\x9c|\xe2\x80[\x8b\x8e\x8f\xa8-\xae]|\xe2\x81[\xa0-\xa9]|\xef\xbb\xbf"
)
_NAMED = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def visible(text: str) -> str:
    """Return *text* with an escape in the place of every character that is not seen: `\\n`, `\\x1b`, `\\u202e`.

    A backslash stays as it is: what is exported this way is for people.
    """
    return text if text.isprintable() else _UNSEEN.sub(_escape, text)


def one_line_json(data: bytes) -> bytes:
    """Return JSON in UTF-8 with escapes for the same characters, which any parser reads back as they were.

    JSON itself escapes those below U+0020 only: U+2028 or U+0085 would end a line for some readers.
    """
    return data if data.isascii() and b"\x7f" not in data else _UNSEEN_IN_JSON.sub(_json_escape, data)


def time_text(moment: datetime) -> str:
    """Return *moment* in UTC as `2026-03-01T09:30:00.000000Z`: always as long, so that texts are in order as well."""
    return in_utc(moment).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def milliseconds(moment: datetime) -> int:
    """Return the whole milliseconds from 1970 to *moment*."""
    seconds = in_utc(moment).replace(microsecond=0).timestamp()
    return int(seconds) * 1000 + moment.microsecond // 1000


def in_utc(moment: datetime) -> datetime:
    """Return *moment* in UTC; one without an offset is in it."""
    if moment.tzinfo is UTC:
        return moment
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def our_version() -> str:
    """Return the version of this package, for whoever has to know what made a line."""
    return str(getattr(sys.modules["audit_async"], "__version__", ""))


def _escape(match: re.Match[str]) -> str:
    character = match[0]
    code = ord(character)
    return _NAMED.get(character) or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}")


def _json_escape(match: re.Match[bytes]) -> bytes:
    return b"\\u%04x" % ord(match[0].decode())
