"""CSV: a table for people, which no spreadsheet takes for formulas.

A column a field, objects as JSON. Every cell that holds something is in quotes; nothing between two commas means that
nothing was said, two quotes an empty text (as PostgreSQL's COPY reads it). No cell has a line feed in it, so that a row
is a line.

Three things keep a text from being a formula: a `'` before a first character that starts one, also where blanks or
what nobody sees stand before it; a `'` behind a `;` or `,` that a spreadsheet of another country takes for the end
of a cell; and the quotes. In JSON the latter is an escape, so that the objects still read back as they were. Numbers of
our own columns are written as they are, negative ones as well.

Source: RFC 4180; OWASP, "CSV Injection".
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, BinaryIO

from audit_async.errors import ConfigurationError
from audit_async.events import AuditEvent
from audit_async.events.vocabulary import Outcome
from audit_async.exports.columns import COLUMNS, NUMBERS, OBJECTS, TIMES, given, json_text
from audit_async.exports.lines import SEEN_WITH_OTHERS, UNSEEN, time_text, visible
from audit_async.exports.sink import LineSink

DELIMITERS = (",", ";", "\t", "|")
"""That a file can have. Spreadsheets of countries with a decimal comma expect `;`."""

_SIGNS = "=+@＝＋＠﹦﹢﹫"
_MINUS = r"\-－﹣−"
_BLANK = f"\\s{UNSEEN}{SEEN_WITH_OTHERS}"
_FORMULA = re.compile(rf"[\t\r\n]|[{_BLANK}]*[{_SIGNS}{_MINUS}]")
_NUMBER_ENDS = r"\d+(?:\.\d+)?(?:e[+-]?\d+)?[,\]}]"
_BOM = b"\xef\xbb\xbf"


def open_csv(file: BinaryIO, *, is_continued: bool = False, bom: bool = False, delimiter: str = ",") -> LineSink:
    """Return a sink that writes a header and rows to *file*.

    Args:
        bom: begin with a byte order mark, without which Excel does not take the file for UTF-8.
        delimiter: between cells, one of `DELIMITERS`.

    Raises:
        ConfigurationError: an option is not what it may be.
    """
    if delimiter not in DELIMITERS:
        raise ConfigurationError(
            f"{delimiter!r} is no delimiter of CSV", hint=f"there are {', '.join(map(repr, DELIMITERS))}"
        )
    if not isinstance(bom, bool):
        raise ConfigurationError(f"bom={bom!r} is neither True nor False", hint="leave it out for False")
    header = (_BOM if bom else b"") + delimiter.join(f'"{name}"' for name in COLUMNS).encode() + b"\r\n"
    return LineSink(file, _row_of(delimiter), header=b"" if is_continued else header)


def _row_of(delimiter: str) -> Callable[[AuditEvent], bytes]:
    others = "".join(each for each in ",;" if each != delimiter)
    # What follows another program's delimiter: blanks and quotes, and then the beginning of a formula.
    in_text = re.compile(rf"(?<=[{others}])([{_BLANK}\"]*)([{_SIGNS}{_MINUS}])")
    in_json = re.compile(rf"(?<=[{others}])([{_BLANK}\"\\]*)([{_SIGNS}－﹣−]|-(?!{_NUMBER_ENDS}))")

    def cell(name: str, value: Any) -> str:
        if value is None:
            return ""
        if name in NUMBERS:
            return f'"{value}"'
        if name in TIMES:
            return f'"{time_text(value)}"'
        if name in OBJECTS or name == "tags":
            text = json_text(value)
            if any(other in text for other in others):
                text = in_json.sub(_json_escaped, text)
            return '"' + text.replace('"', '""') + '"'
        text = str(value)
        if any(other in text for other in others):
            text = in_text.sub(r"\1'\2", text)
        quote = "'" if _FORMULA.match(value) else ""
        return '"' + quote + visible(text).replace('"', '""') + '"'

    def row(event: AuditEvent) -> bytes:
        cells = [cell(name, given(event, name)) for name in COLUMNS[:-1]]
        cells.append('"true"' if event.outcome == Outcome.SUCCESS else '"false"')
        return (delimiter.join(cells) + "\r\n").encode()

    return row


def _json_escaped(match: re.Match[str]) -> str:
    return f"{match[1]}\\u{ord(match[2]):04x}"
