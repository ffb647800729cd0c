"""Rows for a table that is mapped: every column's value taken, adapted to the column, and the rest folded."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from operator import attrgetter
from typing import Any, TypeGuard

from audit_async.config import MAPPED_ROWS
from audit_async.diagnostics import report
from audit_async.entry import Entry, as_object
from audit_async.errors import DataStoreError
from audit_async.inspection import InspectedTable
from audit_async.table_map.adapters import adapter, to_json
from audit_async.table_map.filling import EMPTY, Fill, Fit, fill_for, fit_for, is_plain, object_fill
from audit_async.table_map.folding import Folding, fold, values_of
from audit_async.table_map.kinds import Kind, kind_of
from audit_async.table_map.layout import Row
from audit_async.table_map.mapping import TableMap
from audit_async.table_map.source import FIELDS, Field, First, Merge, Source, paths_of
from audit_async.table_map.values import RowInMaking, getter


class MappedRows:
    """Makes the rows of one table.

    Attributes:
        columns: in the order of the rows' values: first those that take one field, got all at once: as it is, or
            fitted to the column. Then what is taken from elsewhere.

    Args:
        table_map: what goes where.
        found: the table as it is; it has every column of the map.
        key: the columns that a row is recognised by.
    """

    def __init__(self, table_map: TableMap, found: InspectedTable, key: tuple[str, ...]) -> None:
        self._spelling = table_map.spelling
        self._table = found.name
        self._without = tuple((of, key) for of, _, key in (path.partition(".") for path in table_map.left_out) if key)
        covered = covered_by(table_map)
        plain: dict[str, str] = {}
        otherwise: dict[str, Fill] = {}
        fitted: dict[str, tuple[str, Fit]] = {}
        filled: dict[str, Fill] = {}
        self._folds = False
        for name, source in table_map.sources.items():
            column = next(column for column in found.columns if column.name == name)
            kind = kind_of(column, found.dialect)
            if name == table_map.fold_into:
                self._folds = True
                self._base = getter(source, name)
                self._has_base = _has_content(paths_of(source)) if _is_objects(source) else _always
                self._as_it_is = object_fill(source.path, kind, self._without) if _is_object(source) else None
                self._write = adapter(kind) if kind.name == "json" else to_json
            elif isinstance(source, Field) and is_plain(source.path, kind):
                plain[name] = source.path
            elif (first := _first_of(table_map, name, kind)) is not None:
                plain[name], rest = first
                otherwise[name] = fill_for(column, rest, kind, is_key=name in key, loose=frozenset())
            elif isinstance(source, Field) and (
                fit := fit_for(column, source, kind, self._without, is_key=name in key)
            ):
                fitted[name] = source.path, fit
            else:
                loose = loose_in(table_map, name)
                filled[name] = fill_for(column, source, kind, is_key=name in key, loose=loose)
        self._get_fields = values_of([*plain.values(), *(path for path, _ in fitted.values())])
        self._otherwise = [(place, otherwise[name]) for place, name in enumerate(plain) if name in otherwise]
        self._fits = [(place, fit) for place, (_, fit) in enumerate(fitted.values(), len(plain))]
        self._fills = list(filled.values())
        folded = [table_map.fold_into] if table_map.fold_into and self._folds else []
        self.columns = (*plain, *fitted, *filled, *folded)
        self._folding = Folding(covered, is_terse=table_map.spelling is not None)
        self._has_action = "action" in covered

    def make(self, entries: Sequence[Entry]) -> Iterable[Row]:
        """Return the rows of *entries*, made when they are asked for: some at once, one column after the other.

        No value makes that fail. What fails all the same, for a mistake of ours, is then an error of the one row, which
        holds up no other.

        Raises:
            DataStoreError: as the rows are asked for: one of them cannot be made.
        """
        starts = range(0, len(entries), MAPPED_ROWS)
        return chain.from_iterable(self._make(entries[start : start + MAPPED_ROWS]) for start in starts)

    def _make(self, entries: Sequence[Entry]) -> Iterable[Row]:
        try:
            return self._made(entries)
        except MemoryError:
            # That passes, and is no fault of the row.
            raise
        except Exception as error:
            *_, (frame, line) = traceback.walk_tb(error.__traceback__)
            # Without its text, which may quote the value.
            culprit = f"{type(error).__name__} in line {line} of {frame.f_globals.get('__name__')}"
            raise DataStoreError(
                f"an event cannot be made a row of table {self._table}: {culprit}",
                culprit=culprit,
                hint="this is a mistake of audit_async, please report it; the event goes to quarantine",
            ) from None

    def _made(self, entries: Sequence[Entry]) -> Iterable[Row]:
        rows = [RowInMaking(entry, self._spelling, self._without) for entry in entries]
        columns: list[Sequence[Any]] = list(zip(*map(self._get_fields, entries), strict=True))
        for place, fill in self._otherwise:
            if None in columns[place]:
                fields = zip(rows, columns[place], strict=True)
                columns[place] = [fill(row) if value is None else value for row, value in fields]
        for place, fit in self._fits:
            columns[place] = fit(rows, columns[place])
        columns += [list(map(fill, rows)) for fill in self._fills]
        if self._folds:
            columns.append(list(map(self._folded, rows, self._folding.rests(entries))))
        else:
            for row in rows:
                if row.misfits:
                    self._tell(row)
        return zip(*columns, strict=True)

    def _folded(self, row: RowInMaking, rest: dict[str, Any]) -> Any:
        spelling = row.spelling if self._has_action else ""
        if self._as_it_is is not None and not rest and not row.misfits and self._folding.is_empty(row.entry, spelling):
            return self._as_it_is(row)
        own = dict(as_object(self._base(row))) if self._has_base(row.entry) else {}
        target = self._folding.folded(row.entry, spelling, own, rest)
        for path, value in row.misfits:
            fold(target, "event_id" if path == "id" else path, value)
        return self._write(target)

    def _tell(self, row: RowInMaking) -> None:
        paths = ", ".join(dict.fromkeys(path for path, _ in row.misfits))
        report(
            f"misfit_{self._table}",
            f"table {self._table} has no room for the {paths} of an event, and no JSON column for what does not fit: "
            "it is cut or left out. `audit-async map check` says more",
        )


def covered_by(table_map: TableMap) -> set[str]:
    """Return the paths that columns hold, as far as can be said before there is an event, or that are kept nowhere."""
    covered = {path for source in table_map.sources.values() for path in paths_of(source)} | set(table_map.left_out)
    if "event" in covered:
        covered |= set(FIELDS)
    if any(path.startswith("created_at.") for path in covered):
        covered.add("created_at")
    return covered


def loose_in(table_map: TableMap, column: str) -> frozenset[str]:
    """Return the fields that *column* takes one of, and that no other column holds."""
    source = table_map.sources[column]
    if not isinstance(source, First) or len(source.paths) < 2:
        return frozenset()
    others = {name: s for name, s in table_map.sources.items() if name != column}
    held = {path for s in others.values() for path in (s.paths[:1] if isinstance(s, First) else paths_of(s))}
    return (frozenset(source.paths) & frozenset(FIELDS)) - held - set(table_map.left_out)


def _first_of(table_map: TableMap, name: str, kind: Kind) -> tuple[str, First] | None:
    """Return the field that column *name* takes as it is, and what else it takes where there is none; or None."""
    source = table_map.sources[name]
    if not isinstance(source, First) or not is_plain(source.paths[0], kind):
        return None
    path, *others = source.paths
    # Those that nothing else holds have to be looked at, lest they are lost.
    return None if loose_in(table_map, name).intersection(others) else (path, First(tuple(others), source.otherwise))


def _has_content(paths: tuple[str, ...]) -> Callable[[Entry], bool]:
    """Return what says whether the objects *paths* hold anything; to parse nothing would take a while."""
    if len(paths) == 1:
        get = attrgetter(*paths)
        return lambda entry: len(get(entry)) > 2
    get_all = values_of(paths)
    return lambda entry: max(map(len, get_all(entry))) > 2


def _always(entry: Entry) -> bool:
    return True


def _is_objects(source: Source) -> bool:
    return isinstance(source, (Field, Merge)) and all(path in EMPTY for path in paths_of(source))


def _is_object(source: Source) -> TypeGuard[Field]:
    return isinstance(source, Field) and source.path in EMPTY
