"""Text that every database can hold, cut where it is too long."""

from __future__ import annotations

import hashlib
import re
from typing import Any

from audit_async.config import MAX_HASHED_BYTES

NUL_SEEN = "\u2400"
"""Stands for a NUL, which no text column of PostgreSQL holds: the picture of it."""

SURROGATE_SEEN = "\ufffd"
"""Stands for half of a surrogate pair, which UTF-8 cannot express."""

CUT_NOTE = "…[truncated: "
"""In a text that was cut, what its note begins with."""

_SURROGATES = re.compile("[\ud800-\udfff]")
_HASH_CHUNK_CHARS = 64 * 1024


def clean_text(text: str) -> str:
    """Return *text* without what some database cannot hold (NUL, lone surrogates), each replaced visibly."""
    if text.isascii():
        return text if "\0" not in text else text.replace("\0", NUL_SEEN)
    return _SURROGATES.sub(SURROGATE_SEEN, text).replace("\0", NUL_SEEN)


def short_text(text: str, max_chars: int) -> str:
    """Return *text* cleaned, and cut to *max_chars* with a visible note of length and SHA-256 at its end."""
    if len(text) <= max_chars:
        return clean_text(text)
    cut = truncated(text, MAX_HASHED_BYTES)
    note = f" {CUT_NOTE}{cut['bytes']} bytes, sha256 {cut['sha256'][:16]}]"
    return clean_text(text[: max(0, max_chars - len(note))]) + note


def truncated(text: str, max_hashed: int) -> dict[str, Any]:
    """Return length and SHA-256 of *text*, read in chunks so that no second copy of it is made."""
    digest = hashlib.sha256()
    size = 0
    for start in range(0, len(text), _HASH_CHUNK_CHARS):
        if size >= max_hashed:
            return {"chars": len(text), "bytes": f"over {size}", "sha256": digest.hexdigest(), "hashed": size}
        chunk = text[start : start + _HASH_CHUNK_CHARS].encode("utf-8", "surrogatepass")
        digest.update(chunk)
        size += len(chunk)
    return {"bytes": size, "sha256": digest.hexdigest()}
