"""What is said of a foreign key, a check and a trigger, whatever database they are in."""

from __future__ import annotations

from collections.abc import Iterator

from audit_async.config import FOREIGN_KEY_SECONDS
from audit_async.inspection import InspectedTable
from audit_async.table_map.kinds import kind_of
from audit_async.table_map.mapping import TableMap
from audit_async.table_map.review import ERROR, INFO, WARNING, Finding
from audit_async.table_map.source import paths_of

_ACTORS = {"user_id", "actor_id", "agent_id", "api_key_id", "on_behalf_of"}

_ON_DELETE = {
    "CASCADE": "when that row is deleted, its events are deleted with it",
    "SET NULL": "when that row is deleted, its events no longer say whose they were",
    "SET DEFAULT": "when that row is deleted, its events no longer say whose they were",
}
_OTHERWISE = "while events point to it, that row cannot be deleted"


def of_foreign_key(
    table_map: TableMap, columns: tuple[str, ...], target: str, target_columns: tuple[str, ...], on_delete: str
) -> Iterator[Finding]:
    """Yield what a foreign key from *columns* to *target* means for events, if the map fills one of them."""
    filled = [name for name in columns if name in table_map.sources]
    if not filled:
        return
    paths = {path for name in filled for path in paths_of(table_map.sources[name])}
    whose = "of an actor" if paths & _ACTORS else "with a value"
    points_to = (
        f"{target}.{target_columns[0]}" if len(target_columns) == 1 else f"{target} ({', '.join(target_columns)})"
    )
    beside = f" (together with {', '.join(name for name in columns if name != filled[0])})" if len(columns) > 1 else ""
    yield Finding(
        WARNING,
        filled[0],
        f"points to {points_to}{beside}: an event {whose} whose row is not there, or not committed yet, waits up to "
        f"{FOREIGN_KEY_SECONDS:.0f} s, then goes to quarantine; ON DELETE {on_delete}: "
        f"{_ON_DELETE.get(on_delete, _OTHERWISE)}",
        "an audit log should outlive what it tells of: drop the foreign key, or take the column off the map",
    )


def of_check(table_map: TableMap, name: str, definition: str, columns: tuple[str, ...]) -> Iterator[Finding]:
    """Yield what a check on *columns* means for events; none known means any."""
    filled = [column for column in columns if column in table_map.sources]
    if columns and not filled:
        return
    named = f"the check {name}, {definition}" if name else f"the check {definition}"
    yield Finding(
        WARNING,
        filled[0] if len(filled) == 1 else "",
        f"has {named}: an event that violates it is refused and goes to quarantine"
        if len(filled) == 1
        else f"the table has {named}: an event that violates it is refused and goes to quarantine",
        "see that what the map fills in always holds it, or drop it",
    )


def of_trigger(name: str, when: str, runs: str, *, is_for_rows: bool = True) -> Finding:
    """Return what a trigger on INSERT means for events.

    Args:
        when: `before`, `after` or `instead of`.
        runs: what it runs, as far as is known.
    """
    each = "each row" if is_for_rows else "each INSERT"
    if when == "after" or not is_for_rows:
        what = "what it does is not seen from here; if it fails, the events are refused"
        return Finding(INFO, "", f"the trigger {name} runs {runs} {when} {each}: {what}")
    return Finding(
        WARNING,
        "",
        f"the trigger {name} runs {runs} {when} {each}: what it does is not seen from here; it can change a row, "
        "refuse it, or drop it without a word",
        f"read {name}, and see that it lets every event pass, in its table and with its key: a row that is not found "
        "by it is stored again after a connection that broke at the wrong moment",
    )


def of_delivered_ids(name: str, found: InspectedTable, create: str) -> Iterator[Finding]:
    """Yield what the table *name* lacks that is to remember the ids of what was delivered.

    Args:
        create: the statement that makes it as it should be.
    """
    column = found.column("id")
    if not found.exists:
        yield Finding(ERROR, "", f"the table {name} that delivered_ids names is not there", create)
    elif (
        column is None
        or kind_of(column, found.dialect).name != "text"
        or ("id",) not in (found.primary_key, *found.unique_keys)
    ):
        yield Finding(
            ERROR,
            "",
            f"the table {name} that delivered_ids names has no column id of type text with a unique key",
            f"make another one: {create}",
        )
