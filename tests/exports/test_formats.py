"""What there is to export to, and what is said to whoever asks for something else."""

from __future__ import annotations

import io
import tracemalloc
from typing import Any

import msgspec
import pytest
from pyarrow import parquet, total_allocated_bytes  # type: ignore[import-untyped,unused-ignore]

from audit_async.errors import ConfigurationError
from audit_async.exports import FORMATS, can_continue, format_of, open_export, suffix_of
from tests.exports.samples import every_action, exported, whole_event

LINES = [name for name in FORMATS if can_continue(name)]


def test_the_formats_are_those_promised() -> None:
    """Six formats, each with a suffix of its own; only Parquet cannot be continued."""
    assert ["jsonl", "csv", "parquet", "ocsf", "cef", "syslog"] == list(FORMATS)
    assert [".jsonl", ".csv", ".parquet", ".ocsf.jsonl", ".cef", ".log"] == [suffix_of(name) for name in FORMATS]
    assert {"jsonl", "csv", "ocsf", "cef", "syslog"} == set(LINES)


def test_a_name_says_a_format() -> None:
    """By the longest suffix that fits, in whatever case; any other name is that of JSON Lines."""
    assert list(FORMATS) == [format_of(f"march{suffix_of(name)}") for name in FORMATS]
    assert ["ocsf", "jsonl", "jsonl"] == [format_of(name) for name in ("A.OCSF.JSONL", "march", "csv")]


@pytest.mark.parametrize("format", LINES)
def test_a_file_in_parts_is_the_file_in_one(format: str) -> None:
    """A file that is written in batches, or continued, holds the same bytes as one that was written at once."""
    all_events = list(every_action())[:100]
    parts = exported(format, all_events[:40]) + exported(format, all_events[40:], is_continued=True)
    assert exported(format, all_events) == parts
    file = io.BytesIO()
    sink = open_export(format, file)
    for event in all_events:
        sink.write([event])
    assert parts == file.getvalue()


@pytest.mark.parametrize("format", FORMATS)
def test_a_sink_leaves_the_file_open(format: str) -> None:
    """The file is the caller's: closing a sink, once or twice, does not close it."""
    file = io.BytesIO()
    sink = open_export(format, file)
    sink.write([whole_event()])
    sink.close()
    size = file.tell()
    sink.close()
    assert (False, size) == (file.closed, len(file.getvalue()))


class Nowhere(io.BytesIO):
    """A file that keeps nothing of what is written to it."""

    def write(self, data: Any, /) -> int:
        return len(data)


@pytest.mark.parametrize("format", FORMATS)
def test_nothing_is_kept_between_two_batches(format: str) -> None:
    """However many batches are written, no more memory is held than after the first ones."""
    sink = open_export(format, Nowhere())
    held = []
    tracemalloc.start()
    try:
        for number in range(12):
            sink.write([whole_event(description=f"{number} {'d' * 10_000}") for _ in range(10)])
            held.append(tracemalloc.get_traced_memory()[0] + total_allocated_bytes())
    finally:
        tracemalloc.stop()
    sink.close()
    assert held[-1] - held[3] < 100_000  # eight batches are 800,000 characters


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(
    "broken", [{"actor_name": "a\ud800"}, {"details": {"\udfff": "\ud800"}}, {"tags": ("\ud800",)}]
)
def test_text_that_utf8_cannot_express_ends_no_export(format: str, broken: dict[str, Any]) -> None:
    """Half of a surrogate pair is replaced visibly; the events beside it are as they were."""
    sound = [whole_event(id=f"sound {number}") for number in range(2)]
    data = exported(format, [sound[0], msgspec.structs.replace(whole_event(), **broken), sound[1]])
    if can_continue(format):
        lines = exported(format, [sound[0]]), exported(format, [sound[1]], is_continued=True)
        assert data.startswith(lines[0])
        assert data.endswith(lines[1])
        assert "\ufffd".encode() in data or b"\\ud800" in data
    else:
        assert 3 == parquet.ParquetFile(io.BytesIO(data)).metadata.num_rows


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ("jsnl",),
            "there is no format 'jsnl' (did you mean 'jsonl'?)\nHINT: there are jsonl, csv, parquet, ocsf, cef",
        ),
        ((None,), "there is no format None"),
        (
            ("csv", {"bomb": True}),
            "the format 'csv' has no option 'bomb' (did you mean 'bom'?)\nHINT: it has bom, delim",
        ),
        (("cef", {"bom": True}), "the format 'cef' has no option 'bom'\nHINT: it has none"),
        (("csv", {"delimiter": "x"}), "'x' is no delimiter of CSV\nHINT: there are ',', ';', '\\t', '|'"),
        (("csv", {"bom": "no"}), "bom='no' is neither True nor False"),
        (
            ("syslog", {"sd_id": "audit"}),
            "sd_id='audit' names no structured data\nHINT: give a name and your enterprise",
        ),
        (("syslog", {"sd_id": 'a"@1'}), "sd_id='a\"@1' names no structured data"),
        (("syslog", {"host": "a b"}), "host='a b' cannot stand in a syslog line\nHINT: give 1 to 255 characters"),
        (("syslog", {"app_name": "x" * 49}), f"app_name='{'x' * 49}' cannot stand"),
        (("syslog", {"max_bytes": 100}), "max_bytes=100 is no limit of a syslog line\nHINT: give 2,048 to"),
        (("parquet", {"is_continued": True}), "a Parquet file cannot be continued"),
    ],
)
def test_what_there_is_not_is_said(arguments: tuple[Any, ...], said: str) -> None:
    """An unknown format or option, and a value that an option cannot have, is an error that says what there is."""
    format, options = (*arguments, {})[:2]
    file = io.BytesIO()
    with pytest.raises(ConfigurationError) as caught:
        open_export(format, file, **options)
    assert str(caught.value).startswith(said)
    assert b"" == file.getvalue()
