"""Parquet keeps types."""

from __future__ import annotations

import io
import json
import sys
from typing import Any

import pytest
from pyarrow import parquet  # type: ignore[import-untyped,unused-ignore]

from audit_async.errors import ConfigurationError
from audit_async.exports import open_export
from tests.exports.samples import every_action, exported, nasty_events, real_events, whole_event


def read(data: bytes) -> Any:
    return parquet.ParquetFile(io.BytesIO(data))


def test_rows_are_the_events() -> None:
    """A row has the fields of its event: times and numbers with their types, objects as JSON, null for nothing."""
    all_events = [*every_action(), *nasty_events()]
    rows = read(exported("parquet", all_events)).read().to_pylist()
    assert len(all_events) == len(rows)
    for event, row in zip(all_events, rows, strict=True):
        for name in ("details", "metadata", "old_values", "new_values"):
            assert (getattr(event, name) or None) == (json.loads(row.pop(name) or "null") or None)
        whole = {name: getattr(event, name, None) for name in row}
        assert {**whole, "tags": list(event.tags) or None} == row


def test_types_are_those_of_the_fields() -> None:
    """Times are in microseconds of UTC, numbers are numbers, and what every event has is never null."""
    schema = read(exported("parquet", [whole_event()])).schema_arrow
    types = {field.name: str(field.type) for field in schema}
    assert ["timestamp[us, tz=UTC]"] * 2 == [types["created_at"], types["recorded_at"]]
    assert ["int64", "double", "int64", "bool"] == [
        types[name] for name in ("status_code", "duration_ms", "writer_seq", "success")
    ]
    assert {"id", "created_at", "action", "category", "severity", "outcome", "success"} == {
        field.name for field in schema if not field.nullable
    }


def test_a_call_is_a_row_group() -> None:
    """Every `write` is a row group, so that none waits in memory; a call without events is none."""
    file = io.BytesIO()
    sink = open_export("parquet", file)
    for count in (3, 0, 5):
        sink.write([whole_event()] * count)
    sink.close()
    meta = read(file.getvalue()).metadata
    assert [3, 5] == [meta.row_group(n).num_rows for n in range(meta.num_row_groups)]


def test_an_export_of_nothing_is_a_table() -> None:
    """A file without rows can be read all the same."""
    assert 0 == read(exported("parquet", [])).metadata.num_rows


def test_real_events_are_rows() -> None:
    """Every event of the real records is a row, in order."""
    found = real_events()
    assert [event.id for event in found] == read(exported("parquet", found)).read().column("id").to_pylist()


def test_a_missing_package_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without pyarrow the error says what to install, and nothing is written."""
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    file = io.BytesIO()
    with pytest.raises(ConfigurationError, match=r"pip install 'audit-async\[parquet\]'"):
        open_export("parquet", file)
    assert b"" == file.getvalue()
