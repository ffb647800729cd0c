"""What others wrote, shown so that no terminal takes it for a command: every character that is no mark is escaped.

What is shown this way is printed plainly, not as markup, in which brackets and colons mean something.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import msgspec

from audit_async.config import MAX_SHOWN_CHARS
from audit_async.diagnostics import one_line

_NO_ASCII = re.compile(r"[^\x20-\x7e]")


def visible(value: object, limit: int = MAX_SHOWN_CHARS) -> str:
    """Return *value* as text on one line; what a terminal would obey, turn round or hide is an escape.

    Source: RUSTSEC-2025-0055; bidirectional controls as in CVE-2021-42574.
    """
    text = str(value)
    shown = one_line(text[:limit])
    return shown if len(text) <= limit else f"{shown}[and {len(text) - limit} more]"


def whole(value: object) -> str:
    """Return *value* as `visible` does, however long it is."""
    text = str(value)
    return visible(text, len(text))


def visible_json(value: Any, *, is_ascii: bool = False) -> str:
    """Return *value* as JSON on one line, which any parser reads back as it was, with the same escaped.

    Args:
        is_ascii: escape every letter beyond ASCII, for a pipe whose encoding may not have it.
    """
    text = msgspec.json.encode(value).decode()
    if text.isascii() if is_ascii else text.isprintable():
        return text.replace("\x7f", "\\u007f")
    return _NO_ASCII.sub(lambda match: _json_escaped(match[0], is_ascii), text)


def visible_object(value: Any) -> list[str]:
    """Return *value* as JSON on as many lines as people need, with the same escaped."""
    return msgspec.json.format(visible_json(value), indent=2).splitlines()


def counted(count: int, noun: str) -> str:
    """Return how many there are of what *noun* names."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def when(moment: object, *, is_short: bool = False) -> str:
    """Return a time as it is shown, in UTC, and anything else visibly.

    Args:
        is_short: to the second, and not to the microsecond.
    """
    if not isinstance(moment, datetime):
        try:
            moment = datetime.fromisoformat(str(moment))
        except ValueError:
            return visible(moment)
    if moment.tzinfo is None:
        return visible(moment.isoformat(" "))
    try:
        told = moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%fZ")
    except OverflowError:
        # Of the year 1 or 9999, and in UTC beyond it.
        return visible(moment.isoformat(" "))
    return f"{told[:-8]}Z" if is_short else told


def _json_escaped(character: str, is_ascii: bool) -> str:
    if character.isprintable() and not is_ascii:
        return character
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))
