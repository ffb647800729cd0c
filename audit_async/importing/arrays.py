"""The members of a JSON array, one by one: such a file may be larger than the memory."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from typing import BinaryIO

from audit_async.config import IMPORT_CHUNK_BYTES, MAX_IMPORTED_BYTES

_decoder = json.JSONDecoder()
_BLANKS = re.compile(r"[ \t\r\n]*")
_BETWEEN = re.compile(r"[ \t\r\n]*,?[ \t\r\n]*")


def members_of(content: BinaryIO) -> Iterator[tuple[int, bytes, str | None]]:
    """Yield number, text and fault of each member of the array that *content* is.

    Behind a member that cannot be read nothing says where the next one begins: it is the last.
    """
    # Bytes that are no UTF-8 become halves of characters, which are these bytes again when the text is encoded.
    text = codecs.getreader("utf-8")(content, "surrogateescape")
    held = _grown("", text)
    at = _behind(_BLANKS, held, 0) + 1
    number = 0
    while True:
        at = _behind(_BETWEEN, held, at)
        if at >= len(held):
            held, at = _grown("", text), 0
            if not held:
                yield number + 1, b"", "the array does not end"
                return
            continue
        if held[at] == "]":
            if (held[at + 1 :] + _grown("", text)).strip():
                yield number + 1, b"", "something comes after the end of the array"
            return
        number += 1
        end, fault = _end_of(held, at)
        # A number or a word at the very end may go on in what has not been read.
        while (end is None or end == len(held)) and len(held) - at <= MAX_IMPORTED_BYTES:
            longer = _grown(held[at:], text)
            if len(longer) == len(held) - at:
                break
            held, at = longer, 0
            end, fault = _end_of(held, at)
        raw = held[at : end or at + MAX_IMPORTED_BYTES].encode("utf-8", "surrogateescape")
        if end is None:
            yield number, raw, f"{fault}; what comes after it cannot be found"
            return
        yield number, raw, None
        at = end


def _behind(pattern: re.Pattern[str], held: str, at: int) -> int:
    found = pattern.match(held, at)
    return found.end() if found else at


def _end_of(held: str, at: int) -> tuple[int | None, str]:
    try:
        return _decoder.raw_decode(held, at)[1], ""
    except json.JSONDecodeError as error:
        return None, f"no JSON: {error.msg}"
    except (RecursionError, ValueError):
        return None, "no JSON, or nested too deeply"


def _grown(held: str, text: codecs.StreamReader) -> str:
    return held + text.read(IMPORT_CHUNK_BYTES)
