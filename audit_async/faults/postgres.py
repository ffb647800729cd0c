"""PostgreSQL's verdicts, by the five characters of the SQL standard, and rows that any database refuses."""

from __future__ import annotations

import re

from audit_async.errors import (
    ConfigStoreError,
    DataStoreError,
    DuplicateStoreError,
    StoreError,
    TransientStoreError,
)
from audit_async.faults.causes import primary
from audit_async.faults.place import Place

_TRANSIENT = ("08", "25", "40", "53", "55", "57")
_WRONG_STATE = "55000"
# Of a function, as triggers and checks have them, also those that fail: 20 (a CASE that has no place for a value), 21,
# 2F, 38 and 39.
_DATA = ("20", "21", "22", "23", "2F", "38", "39", "44", "54", "P0")
_DAMAGE = ("58", "XX")
_CLASSES = frozenset(
    (
        *("00", "01", "02", "03", "08", "09", "0A", "0B", "0F", "0L", "0P", "0Z", "10"),
        *("20", "21", "22", "23", "24", "25", "26", "27", "28", "2B", "2D", "2F", "34"),
        *("38", "39", "3B", "3D", "3F", "40", "42", "44", "53", "54", "55", "57", "58"),
        *("72", "F0", "HV", "P0", "XX"),
    )
)
"""All that PostgreSQL gives by itself.

Source: its manual, Appendix A.
"""
_UNIQUE_VIOLATION = "23505"
_CHECK_VIOLATION = "23514"

_RAISED = re.compile(r"RAISE(?![\w\"(])")
"""In whatever language the server says it: the name of the statement is not translated."""
_REFUSED = re.compile(r"(permission denied for|must be owner of) (\w+) (.+)")
_TABLES = ("table", "relation", "view")
_COPY_COLUMN = re.compile(r", column ([^:]+)")


def of_sqlstate(state: str, native: BaseException, place: Place) -> StoreError:
    if state == _UNIQUE_VIOLATION:
        return DuplicateStoreError(
            f"rows of the batch are in table {place.table} already", sqlstate=state, hint="replay the batch"
        )
    if type(native).__name__ == "InvalidCachedStatementError":
        # The table was altered while its statement was prepared: a fresh connection prepares it anew.
        return TransientStoreError(f"table {place.table} was altered under a prepared statement", sqlstate=state)
    if state == _CHECK_VIOLATION and _came_between(native, place):
        return TransientStoreError(f"a partition of table {place.table} was made for a row under way", sqlstate=state)
    if state.startswith(_DATA) or (place.purpose == "write to" and _is_of_a_trigger(state, native)):
        return unfit_row(state, native, place)
    if _may_pass(state):
        return TransientStoreError(f"{place.server} did not take the batch: {primary(native)}", sqlstate=state)
    if state.startswith(_DAMAGE):
        return ConfigStoreError(
            f"{place.server} reports damage or a fault of its disk: {primary(native)}",
            sqlstate=state,
            hint="look at the server's own log; nothing is given up meanwhile",
        )
    return ConfigStoreError(_refusal(state, native, place), sqlstate=state, hint=hint_for(state, native, place))


def _is_of_a_trigger(state: str, native: BaseException) -> bool:
    """Say whether *state* is a word of whoever wrote a trigger: PostgreSQL has none such, or says that it was raised.

    It says where it was said; a proxy before the server, which may have states of its own as well, does not. One that
    asks to be tried again is taken at its word.
    """
    context = getattr(getattr(native, "diag", native), "context", None)
    if not isinstance(context, str) or not context:
        return False
    innermost = context.partition("\n")[0]
    was_raised = "PL/pgSQL" in innermost and _RAISED.search(innermost) is not None
    return state[:2] not in _CLASSES or (was_raised and not _may_pass(state))


def _may_pass(state: str) -> bool:
    return state.startswith(_TRANSIENT) and state != _WRONG_STATE


def _came_between(native: BaseException, place: Place) -> bool:
    """Say whether a row was on its way into one partition when another one was made for it.

    PostgreSQL then names the partition, and no constraint: the next attempt finds the right one.
    """
    source = getattr(native, "diag", native)
    partition, constraint = (getattr(source, name, None) for name in ("table_name", "constraint_name"))
    return bool(partition) and not constraint and partition != place.table.rpartition(".")[2]


def _refusal(state: str, native: BaseException, place: Place) -> str:
    """Return what is not as it must be; five cases."""
    if state.startswith("28"):
        return f"{place.server} refuses the log-in of {place.role}: {primary(native)}"
    if state == "3D000":
        return f"{place.server} has no database {place.database}"
    if state == "42P01":
        return f"there is no table {place.table} in {place.database} at {place.server}"
    if state == "42501":
        return f"{place.role} may not {place.purpose} table {place.table} at {place.server}: {primary(native)}"
    return f"{place.server} refuses to {place.purpose} table {place.table}: {primary(native)}"


def hint_for(state: str, native: BaseException, place: Place) -> str:
    """Return what to do about a fault of the set-up; nine cases."""
    if state == "42501":
        if "row-level security" in primary(native):
            return f"add a policy FOR INSERT on {place.table} that lets {place.role} write every tenant's rows"
        return _hint_for_right(native, place)
    if state in ("42P01", "3F000"):
        return f"make it with `{place.making}`, or name another one by table="
    if state == "42703":
        return f"add the column to {place.table}, as `audit-async init` would make it in a new table"
    if state == "3D000":
        return f"create database {place.database} at {place.server}, or correct the URL"
    if state.startswith("28"):
        return f"check user {place.role} and its password in the URL, and pg_hba.conf at {place.server}"
    if state in ("26000", "42P05"):
        return "behind a transaction pooler add ?prepared_statement_cache_size=0 to the URL"
    if state == _WRONG_STATE:
        return f"a key that is DEFERRABLE cannot tell whether a row is there: make that of {place.table} immediate"
    if state == "42804":
        return f"a column of {place.table} has another type than `audit-async init` gives it; ALTER TABLE {place.table}"
    return f"compare table {place.table} with one that `audit-async init` makes under another name"


def _hint_for_right(native: BaseException, place: Place) -> str:
    """Return what gives the right that is missing on what PostgreSQL names, if that can be read; five cases."""
    named = _REFUSED.search(primary(native))
    verb, kind, name = named.groups() if named else ("", "", "")
    if verb == "must be owner of":
        return f"connect as the owner of {kind} {name}, or as a member of it"
    makes_tables = place.purpose in ("make", "maintain", "upgrade")
    tables = place.table.split(", ")
    schema = tables[0].rpartition(".")[0]
    if kind == "schema" or (makes_tables and kind not in _TABLES):
        right = "CREATE" if makes_tables else "USAGE"
        return f"GRANT {right} ON SCHEMA {name if kind == 'schema' else schema or 'public'} TO {place.role}"
    rights = "SELECT, INSERT, UPDATE, DELETE" if makes_tables else "INSERT"
    if kind in _TABLES and name not in (table.rpartition(".")[2] for table in tables):
        # The schema is left out by PostgreSQL; what we touch beside the table lies in the same.
        return f"GRANT {rights} ON {f'{schema}.{name}' if schema else name} TO {place.role}"
    return f"GRANT {rights} ON {place.table} TO {place.role}"


def unfit_row(state: str | None, native: BaseException, place: Place) -> DataStoreError:
    culprit = _culprit(native)
    kind = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(native).__name__.removesuffix("Error")).lower()
    where = f" ({culprit})" if culprit else ""
    code = f" [{state}]" if state else ""
    return DataStoreError(
        f"table {place.table} refuses a row: {kind}{where}{code}",
        sqlstate=state,
        # Where nothing is named its code or kind has to do: what refuses everything alike is no fault of the rows.
        culprit=culprit or state or kind,
        hint="the row that is refused goes to quarantine",
    )


def _culprit(native: BaseException) -> str | None:
    """Return the column or constraint that the driver names apart from its message, or None."""
    source = getattr(native, "diag", native)
    for attribute in ("constraint_name", "column_name"):
        name = getattr(source, attribute, None)
        if isinstance(name, str) and name:
            return name
    context = getattr(source, "context", None)
    found = _COPY_COLUMN.search(context) if isinstance(context, str) else None
    return found.group(1) if found else None
