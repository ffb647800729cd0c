"""Text and JSON that stay on one line, whatever is in them, and do nothing to the terminal that shows them."""

from __future__ import annotations

import re
import sys
from datetime import UTC, datetime

_FORMATS = "\xad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
_FORMATS += "\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e007f"
_BLANK_LETTERS = "\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0"
_BEYOND = f"\x7f-\x9f\u2028\u2029\ud800-\udfff{_FORMATS}{_BLANK_LETTERS}"

UNSEEN = f"\0-\x1f{_BEYOND}"
"""As the inside of a class of characters: control characters, ends of lines and paragraphs, halves of characters (Cc,
Zl, Zp, Cs), format characters (Cf) and letters that are drawn as nothing.

Not in it are blanks; what has no meaning yet or a private one, which is drawn as a box; format characters that are
drawn, around Arabic and Syriac numbers; and those without which scripts and emoji fall apart, `SEEN_WITH_OTHERS`. A
list, since the categories grow with each version of Python, and the same event gives the same line.

Source: Unicode 15.1, PropList.txt (Prepended_Concatenation_Mark) and DerivedCoreProperties.txt
(Default_Ignorable_Code_Point).
"""

SEEN_WITH_OTHERS = "\u180b-\u180d\u180f\u200c\u200d\ufe00-\ufe0f\U000e0100-\U000e01ef"
"""Joiners and selectors of a variant: they change what stands beside them, and alone are not seen."""

_UNSEEN = re.compile(f"[{UNSEEN}]")
_UNSEEN_IN_JSON = re.compile(f"[{_BEYOND}]")


def visible(text: str) -> str:
    """Return *text* with an escape in the place of every character that is not seen: `\\n`, `\\x1b`, `\\u202e`.

    A backslash stays as it is: what is exported this way is for people.
    """
    return text if text.isascii() and text.isprintable() else _UNSEEN.sub(_escape, text)


def one_line_json(data: bytes) -> bytes:
    """Return JSON in UTF-8 with escapes for the same characters, which any parser reads back as they were.

    JSON itself escapes those below U+0020 only: U+2028 or U+0085 would end a line for some readers.
    """
    if data.isascii() and b"\x7f" not in data:
        return data
    return _UNSEEN_IN_JSON.sub(_json_escape, data.decode()).encode()


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
    return match[0].encode("unicode_escape").decode()


def _json_escape(match: re.Match[str]) -> str:
    units = match[0].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))
