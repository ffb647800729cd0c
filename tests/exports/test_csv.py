"""CSV is a table for people, and no formula for a spreadsheet."""

from __future__ import annotations

import csv
import io
import json
import re
import unicodedata
from collections.abc import Iterator

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from audit_async import AuditEvent, events
from tests.exports.samples import (
    any_event,
    every_action,
    exported,
    line_of,
    nasty_events,
    real_events,
    some,
    whole_event,
)

NUMBER = re.compile(r"[+-]\d+(\.\d+)?(e[+-]?\d+)?([\]}\"]|$)")  # behind it a bracket or quote makes any formula a fault


def is_formula(cell: str) -> bool:
    """Return whether a spreadsheet could take *cell* for a formula, with everything that it may skip skipped."""
    first = cell.lstrip(
        "\u200b\u200c\u200d\u2060\ufeff\u00ad \t\r\n\v\f\u00a0\u3000\x1c\x1d\x1e\x1f\x85\u2028\u2029\ufe0f"
    )
    start = unicodedata.normalize("NFKC", first[:1])
    return start in {"=", "+", "-", "@", "\N{MINUS SIGN}"} and not NUMBER.match(first)


def cells_of(line: str, delimiter: str = ",") -> list[str]:
    return next(csv.reader([line], delimiter=delimiter))


@pytest.fixture(autouse=True, scope="module")
def long_cells() -> Iterator[None]:
    """What Python reads of a cell is a setting of the whole process, which other tests rely on."""
    before = csv.field_size_limit(2**20)
    yield
    csv.field_size_limit(before)


@some
@given(any_event, st.sampled_from([",", ";", "\t", "|"]))
@example(events.custom("a", on_behalf_of=";", status_code=-1), "\t")  # read by `;`, a cell begins with that number
def test_no_cell_is_a_formula(event: AuditEvent, delimiter: str) -> None:
    """Whatever is in an event, no cell of its row begins as a formula does, whichever delimiter it is read by."""
    line = line_of("csv", event, delimiter=delimiter)
    for read_by in {delimiter, ",", ";"}:
        assert [] == [cell for cell in cells_of(line, read_by) if is_formula(cell)]


@some
@given(any_event)
def test_a_row_has_the_fields(event: AuditEvent) -> None:
    """A row reads back, cell by cell: objects and numbers as they were, texts behind what makes them safe."""
    names = cells_of(exported("csv", []).decode())
    row = dict(zip(names, cells_of(line_of("csv", event)), strict=True))
    whole = event.to_dict()
    assert list(whole) == names
    for name in ("details", "metadata", "old_values", "new_values", "tags"):
        assert (whole[name] or None) == (json.loads(row[name]) if row[name] else None) or whole[name] == {}
    for name in ("status_code", "duration_ms", "writer_seq"):
        assert ("" if whole[name] is None else str(whole[name])) == row[name]
    assert [str(event.success).lower(), event.action, event.outcome.value] == [
        row[name] for name in ("success", "action", "outcome")
    ]


def test_a_nasty_input_is_a_safe_row() -> None:
    """An event of each nasty input is one row without a formula."""
    for event in nasty_events():
        assert [] == [cell for cell in cells_of(line_of("csv", event)) if is_formula(cell)]


def test_real_events_are_rows_of_one_length() -> None:
    """Every event of the real records is a row with as many cells as the header."""
    found = real_events()
    rows = list(csv.reader(io.StringIO(exported("csv", found).decode(), newline="")))
    assert (len(found) + 1, 1) == (len(rows), len({len(row) for row in rows}))


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\\t=1"),
        ("\r1", "'\\r1"),
        ("\n1", "'\\n1"),
        ("＝1", "'＝1"),
        ("  =1", "'  =1"),
        ("\u200d\u00ad=1", "'\u200d\\xad=1"),
        ("\u180e=1", "'\\u180e=1"),
        ("\u2800\u115f\u034f=1", "'\\u2800\\u115f\\u034f=1"),
        ("\U000e0041=1", "'\\U000e0041=1"),
        ("\ufe0f=1", "'\ufe0f=1"),
        ("x;=1", "x;'=1"),
        ("x,=1", "x,=1"),
        ("\x1b[0m\0", "\\x1b[0m\\x00"),
        ('say "hi"', 'say "hi"'),
        ("a - b", "a - b"),
        ("o'neil", "o'neil"),
    ],
)
def test_a_text_is_made_safe_and_no_other(text: str, cell: str) -> None:
    """A `'` stands before what starts a formula, an escape for what nobody sees; any other text is as it was."""
    event = msgspec.structs.replace(whole_event(), actor_name=text)
    names = cells_of(exported("csv", []).decode())
    assert cell == cells_of(line_of("csv", event))[names.index("actor_name")]


def test_nothing_and_an_empty_text_differ() -> None:
    """Of what nothing was said the cell is empty; an empty text is two quotes; every other cell is in quotes."""
    line = line_of("csv", events.custom("report.print", description="", error_message=None))
    assert ',"success","",,' in line
    for event in every_action():
        rest = re.sub(r'"(?:[^"]|"")*"', "", line_of("csv", event))
        assert set(rest) <= {","}


def test_its_beginning_is_as_asked() -> None:
    """A header, after a byte order mark on demand; rows end with CR LF; a continued file has no beginning."""
    row = whole_event()
    assert exported("csv", [row]).startswith(b'"id","created_at","action",')
    assert exported("csv", [row], bom=True) == b"\xef\xbb\xbf" + exported("csv", [row])
    assert exported("csv", [row]).endswith(b'"\r\n')
    assert b"" == exported("csv", [], bom=True, is_continued=True)
    assert exported("csv", [], delimiter=";").startswith(b'"id";"created_at";')
