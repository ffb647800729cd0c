"""Parquet: a table for analysis, with types (`pip install 'audit-async[parquet]'`).

A column a field: times in microseconds of UTC, numbers as numbers, tags as a list of texts, objects as JSON texts. What
was not said is null. Every `write` is a row group: hand over thousands of events at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, BinaryIO

from audit_async.errors import ConfigurationError
from audit_async.events import AuditEvent
from audit_async.exports.columns import COLUMNS, OBJECTS, TIMES, given, json_text
from audit_async.exports.lines import in_utc
from audit_async.exports.sink import expressible
from audit_async.loading import optional

_REQUIRED = frozenset({"id", "created_at", "action", "category", "severity", "outcome", "success"})


def open_parquet(file: BinaryIO, *, is_continued: bool = False) -> ParquetSink:
    """Return a sink that writes row groups to *file*.

    Raises:
        ConfigurationError: pyarrow is not installed, or the file was to be continued.
    """
    if is_continued:
        raise ConfigurationError(
            "a Parquet file cannot be continued: its last bytes say what is in it",
            hint="export again from the start, or in a format of lines",
        )
    return ParquetSink(file)


class ParquetSink:
    """Writes a row group a call. Without its end, which `close` writes, the file is none."""

    def __init__(self, file: BinaryIO) -> None:
        self._arrow, parquet = _load()
        self._schema = _schema(self._arrow)
        self._writer = parquet.ParquetWriter(file, self._schema, compression="zstd")

    def write(self, events: Sequence[AuditEvent]) -> None:
        if events:
            try:
                table = self._table(events)
            except UnicodeEncodeError:
                table = self._table([expressible(event) for event in events])
            self._writer.write_table(table, row_group_size=len(events))

    def close(self) -> None:
        self._writer.close()

    def _table(self, events: Sequence[AuditEvent]) -> Any:
        columns = {name: [_cell(event, name) for event in events] for name in COLUMNS}
        return self._arrow.Table.from_pydict(columns, schema=self._schema)


def _load() -> tuple[Any, Any]:
    with optional("the format 'parquet' needs pyarrow", "parquet"):
        import pyarrow  # type: ignore[import-untyped,unused-ignore]
        import pyarrow.parquet  # type: ignore[import-untyped,unused-ignore]
    return pyarrow, pyarrow.parquet


def _schema(arrow: Any) -> Any:
    special = {
        **dict.fromkeys(TIMES, arrow.timestamp("us", tz="UTC")),
        "status_code": arrow.int64(),
        "duration_ms": arrow.float64(),
        "writer_seq": arrow.int64(),
        "tags": arrow.list_(arrow.string()),
        "success": arrow.bool_(),
    }
    return arrow.schema(
        [arrow.field(name, special.get(name, arrow.string()), nullable=name not in _REQUIRED) for name in COLUMNS]
    )


def _cell(event: AuditEvent, name: str) -> Any:
    value: Any = event.success if name == "success" else given(event, name)
    if value is None:
        return None
    if name in TIMES:
        return in_utc(value)
    if name in OBJECTS:
        return json_text(value)
    return list(value) if name == "tags" else value
