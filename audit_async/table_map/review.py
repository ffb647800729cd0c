"""What will not arrive in a mapped table as it is: said from the map and the table's description alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from audit_async.config import LEAST_DIGEST_CHARS, LEAST_FOLD_CHARS, MAX_ACTION_CHARS
from audit_async.errors import ConfigStoreError, meant
from audit_async.events.vocabulary import TERMS, Category, Outcome, Severity
from audit_async.inspection import InspectedColumn, InspectedTable, TableName
from audit_async.table_map.adapters import UnfitError, adapter
from audit_async.table_map.filling import constant, is_whole_or_nothing
from audit_async.table_map.kinds import Kind, kind_of
from audit_async.table_map.mapping import TableMap
from audit_async.table_map.rows import covered_by
from audit_async.table_map.source import FIELDS, OBJECTS, Constant, Field, First, Function, Source, paths_of

ERROR, WARNING, UNKNOWN, INFO = LEVELS = ("error", "warning", "unknown", "info")

_ALWAYS_SET = {"id", "created_at", "action", "category", "severity", "outcome", "details", "metadata", "tags", "event"}
_ALWAYS_SET |= {"success", "result", "family", "created_at.epoch", "created_at.epoch_ms"}
_WORDS = {"category": Category, "severity": Severity, "outcome": Outcome}
_UUID_CHARS = 36
_SINGLE_BITS = 32
_NEVER_FOLDED = {"writer_id", "writer_seq"}
_IMPLIED = {"category", "severity", "outcome"}


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that a map and its table do not agree on.

    Attributes:
        level: `error` (no event gets into the table until it is mended), `warning` (some events are refused, or
            lose a value), `unknown` (it cannot be told whether there is such a thing) or `info` (nothing is lost).
        column: the table's; empty where it is about the table as a whole.
        message: what it is, and what happens.
        hint: what to do about it, or None.
    """

    level: str
    column: str
    message: str
    hint: str | None = None


def review(table_map: TableMap, found: InspectedTable) -> list[Finding]:
    """Return what is to be said of *table_map* on the table *found*, errors first."""
    if not found.exists:
        return [Finding(ERROR, "", f"there is no table {table_map.table}", "correct the map, or make the table")]
    table_map = table_map.of_table(found)
    findings = [*_of_columns(table_map, found), *_of_unfilled(table_map, found), *_of_folding(table_map, found)]
    findings += [*_of_keys(table_map, found), *_of_actions(table_map)]
    return in_order(findings)


def in_order(findings: Iterable[Finding]) -> list[Finding]:
    """Return *findings*, errors first, then warnings."""
    return sorted(findings, key=lambda finding: LEVELS.index(finding.level))


def key_of(table_map: TableMap, found: InspectedTable) -> tuple[str, ...]:
    """Return the unique columns by which a row is recognised: the event's id, or it together with others.

    The others must be filled, with the same for the same event, or two rows of one event would not collide. The id is
    the last.
    """
    ids = [name for name, source in table_map.sources.items() if paths_of(source) == ("id",)]
    keys = sorted({found.primary_key, *found.unique_keys}, key=lambda key: (len(key), key))
    for key in keys:
        own = [name for name in key if name in ids]
        others = tuple(name for name in key if name not in ids)
        if own and all(_is_settled(table_map, found, name) for name in others):
            return (*others, *own)
    return ()


def _is_settled(table_map: TableMap, found: InspectedTable, name: str) -> bool:
    column, source = found.column(name), table_map.sources.get(name)
    return column is not None and not column.is_nullable and source is not None and not isinstance(source, Function)


def other_keys_of(table_map: TableMap, found: InspectedTable) -> list[tuple[str, ...]]:
    """Return the further unique keys that a row of ours could violate."""
    own = set(key_of(table_map, found))
    return sorted(
        key
        for key in {found.primary_key, *found.unique_keys}
        if set(key) != own and ((not key and key in found.unique_keys) or _can_collide(table_map, found, key))
    )


def has_other_keys(table_map: TableMap, found: InspectedTable) -> bool:
    """Return whether anything but our key could refuse a row, so that a replay must not pass over whatever is refused.

    Only a number that the database gives cannot: a unique column which it fills otherwise may well.
    """
    own = set(key_of(table_map, found))
    others = [key for key in (found.primary_key, *found.unique_keys) if key and set(key) != own]
    return () in found.unique_keys or any(not _is_number_of_rows(table_map, found, key) for key in others)


def _is_number_of_rows(table_map: TableMap, found: InspectedTable, key: tuple[str, ...]) -> bool:
    column = found.column(key[0])
    return (
        len(key) == 1
        and column is not None
        and column.name not in table_map.sources
        and key == found.primary_key
        and column.has_default
        and kind_of(column, found.dialect).name == "int"
    )


def _can_collide(table_map: TableMap, found: InspectedTable, key: tuple[str, ...]) -> bool:
    """Return whether two rows of ours can have the same in all columns of *key*: not where the database numbers one
    of them, or leaves it empty."""
    for name in key:
        column = found.column(name)
        if name not in table_map.sources and column is not None:
            is_numbered = column.has_default and name in found.primary_key
            if is_numbered or (column.is_nullable and not column.has_default):
                return False
    return bool(set(key) & set(table_map.sources))


# --- columns -----------------------------------------------------------------------------------------


def _of_columns(table_map: TableMap, found: InspectedTable) -> Iterator[Finding]:
    for name, source in table_map.sources.items():
        column = found.column(name)
        if column is None:
            there = [each.name for each in found.columns]
            yield Finding(
                ERROR,
                name,
                f"table {found.name} has no column {name}{meant(name, there)}",
                f"there are {', '.join(there)}: correct the map",
            )
        elif column.is_generated:
            yield Finding(ERROR, name, "its values are made by the database and cannot be given", "take it off the map")
        else:
            yield from _of_column(table_map, column, source, kind_of(column, found.dialect), found)


def _of_column(
    table_map: TableMap, column: InspectedColumn, source: Source, kind: Kind, found: InspectedTable
) -> Iterator[Finding]:
    """Yield what is to be said of a column that is there; three kinds of sources."""
    fixed = source.value if isinstance(source, Constant) else source.otherwise if isinstance(source, First) else None
    try:
        if kind.name != "other":
            constant(column, fixed, adapter(kind))
    except ConfigStoreError as error:
        yield Finding(ERROR, column.name, error.message, error.hint)
    if isinstance(source, Function):
        yield Finding(INFO, column.name, "is filled by a function of the program; what it returns is not looked at")
        return
    paths = paths_of(source)
    if paths and fixed is None and not column.is_nullable and not _ALWAYS_SET & set(paths):
        yield Finding(
            WARNING,
            column.name,
            f"must not be empty: events without {_or(paths)} are refused and go to quarantine",
            f'give a constant for them: {column.name} = {{ first = ["{paths[0]}"], otherwise = ... }}',
        )
    if "tenant_id" in paths and len(paths) > 1:
        yield Finding(
            WARNING,
            column.name,
            f"takes {_or(paths)}: readers of a tenant of that id see events of all of them",
            "give tenant_id a column of its own, or leave the others to the JSON",
        )
    if column.name != table_map.fold_into:
        for path in paths:
            is_key = column.name in key_of(table_map, found)
            yield from _of_value(table_map, column, path, kind, is_key=is_key, has_constant=fixed is not None)


def _of_value(
    table_map: TableMap, column: InspectedColumn, path: str, kind: Kind, *, is_key: bool, has_constant: bool
) -> Iterator[Finding]:
    """Yield what of the values of *path* does not fit; eight kinds of columns."""
    level, kept = (INFO, f"and is in {table_map.fold_into} whole") if table_map.fold_into else (WARNING, "and is lost")
    is_never_refused = column.is_nullable or has_constant
    instead = "refuses the event, which goes to quarantine,"
    if is_never_refused:
        instead = "gives its place to the constant" if has_constant else "is left out"
    if kind.name == "int" and path == "id":
        yield Finding(
            ERROR,
            column.name,
            f"is of type {column.type}, and events have ids of text",
            "take it off the map, so that the database numbers the rows",
        )
    elif kind.name in ("uuid", "int", "address", "decimal", "float", "bool") and path in _texts():
        if is_key:
            kept, instead = f"and {kept.removeprefix('and ')}", "becomes a UUID made from it"
        elif not is_never_refused:
            level = WARNING
        yield Finding(level, column.name, f"{_a(path)} that is no {_said(kind)} {instead} {kept}")
    elif kind.name == "text" and kind.chars is not None and _may_exceed(path, kind.chars):
        what = "is left out" if is_whole_or_nothing(path) and column.is_nullable else "is cut"
        if is_key:
            what = "is replaced by a digest of it"
            if kind.chars < LEAST_DIGEST_CHARS:
                level, kept = ERROR, "which two events may share: the second one would be lost"
        yield Finding(level, column.name, f"{_a(path)} of more than {kind.chars} characters {what} {kept}")
    elif kind.name == "enum":
        yield from _of_labels(column, path, kind, f"{instead} {kept}", level if is_never_refused else WARNING)
    elif kind.name == "date" and path == "created_at":
        yield Finding(WARNING, column.name, "keeps the day only: the time of day is lost", "use a column for the time")
    elif kind.name == "float" and kind.bits == _SINGLE_BITS and path in ("created_at.epoch", "created_at.epoch_ms"):
        yield Finding(
            WARNING,
            column.name,
            "keeps times to a minute or two, and where the server rounds them they cannot be listed",
            "make it double, or a column for the time",
        )
    elif kind.name == "moment" and not kind.has_fractions:
        yield Finding(INFO, column.name, "keeps whole seconds: events of one second have no order among them")
    elif kind.name == "moment" and path not in ("created_at",) and path in FIELDS:
        yield Finding(WARNING, column.name, f"is of type {column.type}, which {path} is not")
    elif kind.name == "other":
        level = level if is_never_refused else WARNING
        yield Finding(level, column.name, f"is of type {column.type}, which is not known here: {path} {instead} {kept}")


def _texts() -> set[str]:
    return set(FIELDS) - {*OBJECTS, "tags", "created_at", "status_code", "duration_ms", "writer_seq"}


def _may_exceed(path: str, chars: int) -> bool:
    """Return whether values of *path* are seen that are longer than *chars*."""
    if path == "action":
        return chars < MAX_ACTION_CHARS
    if path in _WORDS:
        return any(len(word) > chars for word in _WORDS[path])
    if path in ("success", "result", "family", "actor_type"):
        return False
    return chars < _UUID_CHARS or path in ("description", "error_message", "user_agent", *OBJECTS) or "." in path


def _of_labels(column: InspectedColumn, path: str, kind: Kind, what: str, level: str) -> Iterator[Finding]:
    adapt = adapter(kind)
    missing = []
    for word in _WORDS.get(path, ()):
        try:
            adapt(str(word))
        except UnfitError:
            missing.append(str(word))
    if missing:
        yield Finding(level, column.name, f"has no label for the {path} {_or(missing)}, which {what}")
    elif path not in _WORDS:
        yield Finding(level, column.name, f"takes {_or(kind.labels)}; any other {path} {what}")


def _said(kind: Kind) -> str:
    words = {
        "uuid": "UUID",
        "int": "positive integer" if kind.bits % 2 else f"integer of {kind.bits} bits",
        "address": "IP address",
        "decimal": "number",
    }
    return words.get(kind.name, {"float": "number", "bool": "truth value"}.get(kind.name, kind.name))


# --- the table as a whole ----------------------------------------------------------------------------


def _of_unfilled(table_map: TableMap, found: InspectedTable) -> Iterator[Finding]:
    for column in found.columns:
        if column.name in table_map.sources or column.is_nullable or column.has_default or column.is_generated:
            continue
        yield Finding(
            ERROR,
            column.name,
            "must not be empty, has no default, and the map does not fill it",
            f'add it to the map: {column.name} = {{ constant = "?" }}, or a field such as "tenant_id"',
        )


def _of_folding(table_map: TableMap, found: InspectedTable) -> Iterator[Finding]:
    target = table_map.fold_into
    homeless = [name for name in FIELDS if name not in covered_by(table_map) | _NEVER_FOLDED]
    if target is None:
        if homeless:
            yield Finding(
                WARNING,
                "",
                f"{', '.join(homeless)} have no column and are lost",
                "name a JSON column by fold_into, or name them in left_out",
            )
        return
    column = found.column(target)
    if column is None and target not in table_map.sources:
        there = [each.name for each in found.columns]
        yield Finding(
            ERROR,
            target,
            f"is to take what has no column, but table {found.name} has no column {target}{meant(target, there)}",
            "correct fold_into",
        )
    elif target not in table_map.sources:
        yield Finding(
            ERROR,
            target,
            "is to take what has no column, but the map does not fill it",
            f'add it to the map: {target} = "details"',
        )
    elif (text := _text_of(table_map.sources[target])) is not None:
        yield Finding(
            ERROR,
            target,
            f"is to take what has no column, but the map fills it from {text}, which is no object",
            f'correct fold_into, or the map: {target} = "details"',
        )
    elif column is not None:
        kind = kind_of(column, found.dialect)
        if kind.name not in ("json", "text") or (kind.chars or LEAST_FOLD_CHARS) < LEAST_FOLD_CHARS:
            yield Finding(
                ERROR, target, f"is of type {column.type}, which holds no JSON", "name another column by fold_into"
            )
        elif kind.chars is not None:
            yield Finding(
                WARNING,
                target,
                f"holds {kind.chars:,} characters: an event with more to fold is refused, and goes to quarantine",
                f"ALTER TABLE {found.name}: make it longtext, or json",
            )
    said = [name for name in homeless if name not in _IMPLIED]
    if said:
        yield Finding(INFO, target, f"takes what has no column: {', '.join(said)}")


def _text_of(source: Source) -> str | None:
    """Return the path of *source* that has a text or a number; None where it may have an object."""
    return source.path if isinstance(source, Field) and source.path in set(FIELDS) - set(OBJECTS) else None


def _of_actions(table_map: TableMap) -> Iterator[Finding]:
    for action in table_map.actions or ():
        if action not in TERMS:
            yield Finding(
                INFO, "", f"actions names {action!r}, which is no canonical name{meant(action, TERMS)}: an own one?"
            )


def _of_keys(table_map: TableMap, found: InspectedTable) -> Iterator[Finding]:
    key = key_of(table_map, found)
    beside = TableName(found.schema, found.name).beside("_delivered")
    if not key and table_map.delivered_ids is None:
        yield Finding(
            WARNING,
            "",
            "the table has no unique column for an event's id: when a connection breaks in the middle of a commit, the "
            "events of that batch cannot be told from new ones, and may be stored twice",
            f'give it a unique column for id, or a table beside it that remembers them: delivered_ids = "{beside}" in '
            f"the map, and CREATE TABLE {beside.quoted()} (id text PRIMARY KEY)",
        )
    for other in other_keys_of(table_map, found):
        named = ", ".join(other) or "an expression"
        yield Finding(
            WARNING, "", f"the table has a unique key over {named}: a second row with the same values is refused"
        )


def _a(path: str) -> str:
    return f"{'an' if path[0] in 'aeio' else 'a'} {path}"


def _or(words: tuple[str, ...] | list[str]) -> str:
    *first, last = words
    return f"{', '.join(first)} or {last}" if first else last
