"""A file cut into its records: the lines of JSON objects, the members of one JSON array, the rows of a table.

Which of these it is, its first line says. A record that cannot be read is a record with a fault: what comes
after it is read all the same. Nothing here keeps more of a file than one record.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from audit_async.config import MAX_IMPORTED_BYTES, MAX_REJECTED_BYTES
from audit_async.diagnostics import one_line
from audit_async.importing.arrays import members_of
from audit_async.importing.source import UnreadableError

TOO_LONG = f"longer than {MAX_IMPORTED_BYTES:,} bytes"
_QUOTE = b'"'
_DELIMITERS = ",;\t|"


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One record of a file.

    Attributes:
        line: where it begins, from 1; of a member of an array its number.
        raw: as it stands there.
        body: what it says; None where there is a fault.
        header: the line with the names, for a row.
        fault: why it cannot be read, or None.
    """

    line: int
    raw: bytes
    body: dict[str, Any] | None = None
    header: bytes = b""
    fault: str | None = None


def read_records(content: io.BufferedReader, header_mark: bytes | None = None) -> Iterator[Record]:
    """Yield the records of *content*, which is in UTF-8. Never raises for what is in them: they have a fault then.

    Args:
        header_mark: what the first line of a table has in it; empty where it is a table in any case, None where it is
            none.
    """
    line = 0
    try:
        ahead = content.peek(1).lstrip()
        if header_mark is not None and header_mark in ahead.partition(b"\n")[0]:
            for row in _rows(content):
                line = row.line
                yield row
        elif ahead[:1] == b"[":
            for line, raw, fault in members_of(content):
                yield _json_record(line, raw, fault)
        else:
            for line, raw in _lines(content):
                if raw.strip():
                    yield _json_record(line, raw, None)
    except UnreadableError as error:
        yield Record(line=line + 1, raw=b"", fault=one_line(error.message))


def parse_json(raw: bytes) -> Any:
    """Return the value that *raw* is, leniently where the standard is: NaN, and halves of characters, are taken.

    Raises:
        ValueError: it is no JSON; its text says why.
    """
    try:
        return msgspec.json.decode(raw)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        pass
    try:
        return json.loads(raw.decode())
    except UnicodeDecodeError:
        raise ValueError("no UTF-8") from None
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"no JSON: {error.msg} at character {error.pos + 1:,}") from None
    except ValueError:
        # A number of more digits than the interpreter reads.
        raise ValueError("no JSON: a number with too many digits") from None


def _json_record(line: int, raw: bytes, fault: str | None) -> Record:
    if fault is None and len(raw) > MAX_IMPORTED_BYTES:
        fault = TOO_LONG
    if fault is None:
        try:
            body = parse_json(raw)
        except ValueError as error:
            fault = str(error)
        else:
            if isinstance(body, dict):
                return Record(line=line, raw=raw, body=body)
            fault = "no JSON object"
    return Record(line=line, raw=raw, fault=fault)


def _lines(content: io.BufferedReader) -> Iterator[tuple[int, bytes]]:
    """Yield each line with its number; of one that is far too long the beginning."""
    number = 0
    while raw := content.readline(MAX_REJECTED_BYTES):
        number += 1
        rest = raw
        while not rest.endswith(b"\n") and (rest := content.readline(MAX_REJECTED_BYTES)):
            pass
        yield number, raw


# --- tables ----------------------------------------------------------------------------------------------


def _rows(content: io.BufferedReader) -> Iterator[Record]:
    """Yield the rows of a table by RFC 4180: a line that ends inside quotes goes on in the next one."""
    header, names, delimiter = b"", [""], ","
    for line, raw in _joined(_lines(content)):
        if not raw.strip():
            continue
        if not header:
            if raw.startswith(b"#TYPE"):  # what PowerShell writes above the names
                continue
            header = raw if raw.endswith(b"\n") else raw + b"\r\n"
            delimiter = _delimiter_of(header)
            try:
                names = [name.strip() for name in _cells(header, delimiter)]
            except ValueError as error:
                yield Record(line=line, raw=raw, fault=f"the line with the names cannot be read, nor any row: {error}")
                return
            continue
        yield _row(line, raw, header, names, delimiter)


def _joined(lines: Iterator[tuple[int, bytes]]) -> Iterator[tuple[int, bytes]]:
    first, held, size, quotes = 0, list[bytes](), 0, 0
    for number, raw in lines:
        first = first if held else number
        held.append(raw)
        size += len(raw)
        quotes += raw.count(_QUOTE)
        # A quote that is never closed must not take the rest of the file with it.
        if quotes % 2 == 0 or size > MAX_IMPORTED_BYTES:
            yield first, b"".join(held)
            held, size, quotes = [], 0, 0
    if held:
        yield first, b"".join(held)


def _row(line: int, raw: bytes, header: bytes, names: list[str], delimiter: str) -> Record:
    fault = TOO_LONG if len(raw) > MAX_IMPORTED_BYTES else None
    if fault is not None and raw.count(_QUOTE) % 2:
        fault = f"{fault}: a quote in it is never closed"
    cells: list[str] = []
    if fault is None:
        try:
            cells = _cells(raw, delimiter)
        except ValueError as error:
            fault = str(error)
        else:
            if len(cells) != len(names):
                fault = f"it has {len(cells):,} cells, and the header {len(names):,}"
    if fault is not None:
        return Record(line=line, raw=raw, header=header, fault=fault)
    return Record(line=line, raw=raw, header=header, body=dict(zip(names, cells, strict=True)))


def _cells(raw: bytes, delimiter: str) -> list[str]:
    try:
        found = list(csv.reader(io.StringIO(raw.decode(), newline=""), delimiter=delimiter))
    except UnicodeDecodeError:
        raise ValueError("no UTF-8") from None
    except csv.Error as error:
        raise ValueError(f"no row: {error}") from None
    if len(found) != 1:
        raise ValueError("no row: a line ends inside it")
    return found[0]


def _delimiter_of(header: bytes) -> str:
    """Return what stands between the names: a comma, unless there are more of another sign that is used for it."""
    return max(_DELIMITERS, key=lambda sign: header.count(sign.encode()))
