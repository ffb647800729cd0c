"""Text that every database can hold, cut where it is too long."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Container
from typing import Any

from audit_async.config import MAX_HASHED_BYTES

NUL_SEEN = "\u2400"
"""Stands for a NUL, which no text column of PostgreSQL holds: the picture of it."""

SURROGATE_SEEN = "\ufffd"
"""Stands for half of a surrogate pair, which UTF-8 cannot express."""

CUT_NOTE = "…[truncated: "
"""In a text that was cut, what its note begins with."""

CUT_NOTE_MIDDLE_END = "]… "
"""What a note in the middle of a text ends with."""

_SURROGATES = re.compile("[\ud800-\udfff]")
_CONTROLS = re.compile("[\0-\x08\x0e-\x1f\x7f-\x9f]")
_SPACE = re.compile(r"\s")
_LONGEST_WORD_CHARS = 64  # beyond it there is no word to end, as in base64
_HASH_CHUNK_CHARS = 64 * 1024


def clean_text(text: str) -> str:
    """Return *text* without what some database cannot hold (NUL, lone surrogates), each replaced visibly."""
    if text.isascii():
        return text if "\0" not in text else text.replace("\0", NUL_SEEN)
    return _SURROGATES.sub(SURROGATE_SEEN, text).replace("\0", NUL_SEEN)


def short_text(text: str, max_chars: int, *, max_hashed: int = MAX_HASHED_BYTES) -> str:
    """Return *text* cleaned, and cut to *max_chars* with a visible note of length and SHA-256 at its end."""
    if len(text) <= max_chars:
        return clean_text(text)
    note = _note(text, max_hashed)
    return clean_text(text[: max(0, max_chars - len(note))]) + note


def ends_of_text(text: str, max_chars: int, *, max_hashed: int = MAX_HASHED_BYTES) -> str:
    """Do as `short_text`, with the note in the middle: of a stack trace the end is what matters."""
    if len(text) <= max_chars:
        return clean_text(text)
    note = _note(text, max_hashed).removesuffix("]") + CUT_NOTE_MIDDLE_END
    kept = max(0, max_chars - len(note))
    head = kept // 2
    start = len(text) - (kept - head)
    # Not from the middle of a word: it may be a secret, which nobody recognises by its second half.
    space = _SPACE.search(text, start, start + _LONGEST_WORD_CHARS)
    return clean_text(text[:head]) + note + clean_text(text[space.end() if space else start :])


def _note(text: str, max_hashed: int) -> str:
    cut = truncated(text, max_hashed)
    part = f" of the first {cut['hashed']}" if "hashed" in cut else ""
    return f" {CUT_NOTE}{cut['bytes']} bytes, sha256 {cut['sha256'][:16]}{part}]"


def truncated(text: str, max_hashed: int) -> dict[str, Any]:
    """Return length and SHA-256 of *text*, read in chunks so that no second copy of it is made.

    Of a longer one than *max_hashed* bytes only the beginning is read, and `hashed` says how much.
    """
    digest = hashlib.sha256()
    size = 0
    for start in range(0, len(text), _HASH_CHUNK_CHARS):
        if size >= max_hashed:
            length = len(text) if text.isascii() else f"over {size}"
            return {"chars": len(text), "bytes": length, "sha256": digest.hexdigest(), "hashed": size}
        chunk = text[start : start + _HASH_CHUNK_CHARS].encode("utf-8", "surrogatepass")
        digest.update(chunk)
        size += len(chunk)
    return {"bytes": size, "sha256": digest.hexdigest()}


def text_of_bytes(data: bytes) -> str | None:
    """Return the text that *data* is, None if it is none: UTF-8, or latin-1, which headers of HTTP are in."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    return None if _CONTROLS.search(text) else text


def unused_name(name: str, used: Container[str], numbers: dict[str, int]) -> str:
    """Return *name*, or the first of `name#2`, `name#3`, ... that is not *used*.

    Args:
        numbers: the last number of each name, kept from call to call so that a thousand of one name take no time.
    """
    if name not in used:
        return name
    number = numbers.get(name, 1) + 1
    while f"{name}#{number}" in used:
        number += 1
    numbers[name] = number
    return f"{name}#{number}"
