"""A file is cut into its records, whatever it is made of."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from audit_async.config import IMPORT_CHUNK_BYTES, MAX_IMPORTED_BYTES
from audit_async.errors import ConfigurationError
from audit_async.importing.records import TOO_LONG, Record, read_records
from audit_async.importing.source import NO_RECORDS, opened

ONE, TWO = {"a": 1}, {"a": "ü"}


def read(path: Path, header_mark: bytes | None = None) -> list[Record]:
    with opened(path) as (_, content):
        return list(read_records(content, header_mark))


def read_bytes(directory: Path, data: bytes, header_mark: bytes | None = None) -> list[Record]:
    path = directory / "file"
    path.write_bytes(data)
    return read(path, header_mark)


TEXT = '{"a": 1}\n\n{"a": "ü"}'


@pytest.mark.parametrize(
    "data",
    [
        TEXT.encode(),
        TEXT.encode("utf-8-sig"),
        TEXT.encode("utf-16"),
        b"\xfe\xff" + TEXT.encode("utf-16-be"),
        TEXT.encode("utf-16-le"),
        TEXT.encode("utf-16-be"),
        gzip.compress(TEXT.encode(), mtime=0),
        gzip.compress(TEXT.encode("utf-16-le"), mtime=0),
        TEXT.replace("\n", "\r\n").encode() + b"\r\n",
        b"  \n" + TEXT.encode(),
        json.dumps([ONE, TWO], indent=2).encode(),
        b" [" + TEXT.replace("\n\n", "  ,\n").encode() + b"]\n\n",
    ],
)
def test_the_same_records_in_any_writing(data: bytes, tmp_path: Path) -> None:
    """Marks, line ends, UTF-16, packing, blank lines and an array change nothing of what is said."""
    assert [ONE, TWO] == [record.body for record in read_bytes(tmp_path, data)]


def test_a_packed_file_is_unpacked(tmp_path: Path) -> None:
    """`.gz` is read as what is in it."""
    path = tmp_path / "file.jsonl.GZ"
    path.write_bytes(gzip.compress(TEXT.encode(), mtime=0))
    assert [ONE, TWO] == [record.body for record in read(path)]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"not json", "no JSON"),
        (b'{"a": 1', "no JSON"),
        (b"[1]", "no JSON object"),
        (b"7", "no JSON object"),
        (b'{"a": "\xff"}', "no UTF-8"),
        (b"\0\0\0", "no JSON"),
        (b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested too deeply"),
        (b'{"a": ' + b"9" * 5000 + b"}", "digits"),
        (b'{"a": "' + b"x" * MAX_IMPORTED_BYTES + b'"}', TOO_LONG),
    ],
)
def test_a_bad_line_has_a_fault_and_the_next_one_none(line: bytes, reason: str, tmp_path: Path) -> None:
    """What cannot be read is told with its line, and kept as it stands; the others are read."""
    first, bad, last = read_bytes(tmp_path, b'{"a": 1}\n' + line + b'\n{"a": 2}\n')
    assert (ONE, None, {"a": 2}) == (first.body, bad.body, last.body)
    assert (2, line + b"\n", True) == (bad.line, bad.raw, reason in str(bad.fault))


def test_a_line_without_end_is_not_kept_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is one line costs a bounded memory, and what comes after it is read."""
    monkeypatch.setattr("audit_async.importing.records.MAX_REJECTED_BYTES", MAX_IMPORTED_BYTES + 10)
    long, short = read_bytes(tmp_path, b"x" * 10 * MAX_IMPORTED_BYTES + b'\n{"a": 1}')
    assert (MAX_IMPORTED_BYTES + 10, TOO_LONG, 2) == (len(long.raw), long.fault, short.line)


def test_what_only_some_readers_take_is_taken(tmp_path: Path) -> None:
    """Halves of characters and numbers without end are in logs of other languages; the event makes them plain."""
    (record,) = read_bytes(tmp_path, b'{"half": "\\ud800", "n": 1e999, "nan": NaN}')
    assert record.fault is None


def test_an_array_is_read_in_pieces(tmp_path: Path) -> None:
    """Members meet the ends of what is read at a time in any place."""
    members = [{"n": number, "text": "ü" * (number % 977)} for number in range(3 * IMPORT_CHUNK_BYTES // 500)]
    found = read_bytes(tmp_path, json.dumps(members, ensure_ascii=False).encode())
    assert members == [record.body for record in found]
    assert [1, len(members)] == [found[0].line, found[-1].line]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b'[{"a": 1}, {"a": 2', "what comes after"),
        (b'[{"a": 1}, {"a": }, {"a": 2}]', "what comes after"),
        (b'[{"a": 1}, ', "does not end"),
        (b'[{"a": 1}', "does not end"),
        (b'[{"a": 1}]\n{"a": 2}', "after the end"),
        (b'[{"a": 1}, ' + b"[" * 100_000, "what comes after"),
        (b'[{"a": 1}, "' + b"x" * (MAX_IMPORTED_BYTES + IMPORT_CHUNK_BYTES), "what comes after"),
    ],
)
def test_an_array_that_breaks_off_says_so(data: bytes, reason: str, tmp_path: Path) -> None:
    """What was read before is whole, and one fault tells of the rest."""
    first, bad = read_bytes(tmp_path, data)
    assert (ONE, True) == (first.body, reason in str(bad.fault)), bad.fault


def test_a_packed_file_that_breaks_off_says_so(tmp_path: Path) -> None:
    """Of a truncated download what is there is read, and one fault tells of the rest."""
    path = tmp_path / "file.gz"
    text = b"".join(json.dumps({"n": number}).encode() + b"\n" for number in range(100_000))
    path.write_bytes(gzip.compress(text, mtime=0)[:-1000])
    *whole, last = read(path)
    assert (True, None) == ("read to its end" in str(last.fault), last.body)
    assert [{"n": number} for number in range(len(whole))] == [record.body for record in whole]
    assert len(whole) > 1000


@pytest.mark.parametrize("data", [b"", b"no gzip at all", b"\x1f\x8b\x08"])
def test_a_packed_file_that_is_none_says_so(data: bytes, tmp_path: Path) -> None:
    """A wrong suffix is a fault, and no traceback; an empty file is empty."""
    path = tmp_path / "file.gz"
    path.write_bytes(data)
    assert [bool(data)] * bool(data) == [record.fault is not None for record in read(path)]


@pytest.mark.parametrize("name", ["missing", "."])
def test_what_is_no_file_is_wrong_use(name: str, tmp_path: Path) -> None:
    """A missing file and a directory are named."""
    with pytest.raises(ConfigurationError, match=str(tmp_path)):
        read(tmp_path / name)


@pytest.mark.parametrize(
    ("data", "named"),
    [
        (b"PK\x03\x04\x14\0", "ZIP"),
        (b"PAR1\x15", "Parquet"),
        (b"SQLite format 3\0\x10", "SQLite"),
        (b"\x28\xb5\x2f\xfd\x04", "packed"),
    ],
)
def test_what_holds_no_records_is_named(data: bytes, named: str, tmp_path: Path) -> None:
    """Not line by line: the beginning says what the file is, and the message what to do."""
    with pytest.raises(ConfigurationError, match=named) as told:
        read_bytes(tmp_path, data * 1000)
    assert told.value.hint


@pytest.mark.parametrize("name", ["-", "/dev/null", "pipe"])
def test_a_stream_is_no_file(name: str, tmp_path: Path) -> None:
    """It cannot be read a second time; a pipe that nobody writes to is not waited for."""
    os.mkfifo(tmp_path / "pipe")
    path = tmp_path / name if name == "pipe" else Path(name)
    with pytest.raises(ConfigurationError, match="stream") as told:
        read(path)
    assert "write it to a file" in str(told.value.hint)


# --- tables ----------------------------------------------------------------------------------------------


def rows(directory: Path, data: bytes) -> list[Record]:
    return read_bytes(directory, data, b"")


@pytest.mark.parametrize("sign", [b",", b";", b"\t"])
def test_rows_are_read_by_the_standard(sign: bytes, tmp_path: Path) -> None:
    """Quotes, and signs and line ends inside them, are what RFC 4180 says, with the delimiter of any country."""
    data = b'a,b\r\n1,"x, ""y""\r\nz"\r\n\r\n"",2\r\n'.replace(b",", sign)
    first, second = rows(tmp_path, b"\xef\xbb\xbf" + data)
    assert ({"a": "1", "b": f'x{sign.decode()} "y"\r\nz'}, {"a": "", "b": "2"}) == (first.body, second.body)
    assert (2, 5) == (first.line, second.line)


@pytest.mark.parametrize(
    ("row", "reason"),
    [(b"1", "1 cells"), (b"1,2,3", "3 cells"), (b"\xff,2", "no UTF-8"), (b"1," + b"x" * 200_000, "field limit")],
)
def test_a_bad_row_has_a_fault_and_the_next_one_none(row: bytes, reason: str, tmp_path: Path) -> None:
    """As with lines."""
    bad, last = rows(tmp_path, b"a,b\n" + row + b"\n3,4\n")
    assert (True, {"a": "3", "b": "4"}) == (reason in str(bad.fault), last.body), bad.fault


def test_a_quote_that_is_never_closed_does_not_take_the_whole_file(tmp_path: Path) -> None:
    """The rows that it swallowed are one fault, of a bounded size; behind them rows are rows again."""
    data = b'a,b\n1,"2\n' + b"3,4\n" * (MAX_IMPORTED_BYTES // 2)
    *_, last = found = rows(tmp_path, data)
    assert (f"{TOO_LONG}: a quote in it is never closed", {"a": "3", "b": "4"}) == (found[0].fault, last.body)


@given(data=st.binary(max_size=300), mark=st.sampled_from([None, b"", b"a"]))
@settings(deadline=None)
def test_no_bytes_break_the_reading(data: bytes, mark: bytes | None, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Each record has a body or a fault."""
    assume(not data.startswith(tuple(mark for mark, *_ in NO_RECORDS)))
    path = tmp_path_factory.getbasetemp() / "any_bytes"
    path.write_bytes(data)
    assert all((record.body is None) == (record.fault is not None) for record in read(path, mark))
