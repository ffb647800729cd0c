"""MySQL's and MariaDB's verdicts, by their own numbers: the state that comes with a number is often the same for all.

Their messages quote values and keys, so of an error about a row only the name of the column or key is told on. It
stands at the end, behind whatever was quoted.
"""

from __future__ import annotations

import re

from audit_async.diagnostics import describe
from audit_async.errors import (
    ConfigStoreError,
    DataStoreError,
    DuplicateStoreError,
    MissingPartitionError,
    StoreError,
    TransientStoreError,
)
from audit_async.faults.causes import chain
from audit_async.faults.place import Place

_CLIENT_ERRORS = range(2000, 2060)
_TRANSIENT = frozenset(
    (
        *(0, 1020, 1021, 1028, 1030, 1037, 1038, 1040, 1041, 1047, 1053, 1077, 1078, 1079, 1105, 1114, 1129, 1135),
        *(1152, 1156, 1157, 1158, 1159, 1160, 1161, 1180, 1184, 1203, 1205, 1206, 1213, 1223, 1226, 1243, 1290),
        *(1317, 1412, 1461, 1568, 1615, 1637, 1792, 1835, 1836, 1927, 1969, 3024, 3100, 3101, 3169, 3572, 4031),
    )
)
# Numbers that no server gives by itself, the first ones in the manual's examples: a trigger's SIGNAL has set them.
_OF_TRIGGERS = frozenset((*range(1000, 1004), *range(10_000, 65_536)))
_DUPLICATE = frozenset((1022, 1062, 1586, 1859))
_FOREIGN_KEY = frozenset((1216, 1217, 1451, 1452))
# With what a trigger stumbles over in a row: 1139, 1172, 1242, 1329, 1339; and one that it signals as "no data", 1643.
_DATA = _FOREIGN_KEY | frozenset(
    (
        *(1139, 1172, 1242, 1329, 1339, 1643),
        *(1048, 1118, 1138, 1153, 1263, 1264, 1265, 1292, 1300, 1301, 1364, 1365, 1366, 1367, 1369, 1406, 1411, 1416),
        *(1425, 1426, 1441, 1644, 1690, 3140, 3141, 3143, 3144, 3156, 3157, 3819, 4025, 4078),
    )
)
_PACKET_TOO_LARGE, _NO_PARTITION, _AUTHENTICATION_PLUGIN = 1153, 1526, 2059
_NO_DATABASE, _NO_TABLE, _NO_COLUMN = 1049, 1146, 1054
_LOG_IN = frozenset((1044, 1045, 1130, 1251, 1275, 1698, 3118, 3159, 4151))
_NOT_GRANTED = frozenset((1142, 1143, 1227, 1370))
_NO_SAVEPOINT = 1305
_RIGHTS = {
    "make": "CREATE, INSERT, INDEX",
    "maintain": "SELECT, INSERT, DELETE",
    "upgrade": "CREATE, SELECT, INSERT, DELETE, INDEX",
}
# What PostgreSQL says in these cases: it was waited for in vain, it is a deadlock.
_LOCKED = {1205: "55P03", 1213: "40P01"}

_NAME = r"[`'\"]?([^`'\"]+)[`'\"]?"
_COLUMNS = (
    re.compile(r" column (\S+) at row \d+$"),
    re.compile(r" value for column (\S+)\.$"),
    re.compile(rf"^Column {_NAME} cannot be null$"),
    re.compile(rf"^Field {_NAME} doesn't have a default value$"),
    re.compile(rf"^CONSTRAINT {_NAME} failed for "),
    re.compile(rf"^Check constraint {_NAME} is violated"),
    re.compile(r" CONSTRAINT `([^`]+)` FOREIGN KEY "),
)
_DENIED = re.compile(r" for table (?:`[^`]+`\.)?[`']([^`']+)[`']$")
_ACCOUNT = re.compile(r" to user ('[^']*'@'[^']*')")


def number_of(error: BaseException) -> int | None:
    """Return the number that the server or the driver gave *error*, None if it is none of theirs."""
    for link in chain(error):
        if type(link).__module__.partition(".")[0] in ("asyncmy", "aiomysql", "pymysql"):
            number = link.args[0] if link.args else None
            return number if isinstance(number, int) else None
    return None


def duplicate_key(error: BaseException, table: str) -> str | None:
    """Return the name of the unique key of *table* that *error* says has its value already; None for other errors."""
    if number_of(error) not in _DUPLICATE:
        return None
    return _bare(_said(error).rpartition(" for key ")[2], table) or "some unique key"


def is_savepoint_gone(error: BaseException) -> bool:
    """Return whether *error* says that a savepoint is not there: the transaction that it was in has ended."""
    return number_of(error) == _NO_SAVEPOINT


def value_is_taken(table: object, key: str) -> DataStoreError:
    """Return the error of a row whose value for the unique *key*, which is not ours, is there already."""
    return DataStoreError(
        f"table {table} refuses a row: its value for {key} is there already", sqlstate="23505", culprit=key
    )


def of_number(number: int, error: BaseException, place: Place) -> StoreError:
    """Return what the error *number* means."""
    code = f"[{number}]"
    if number in _DUPLICATE:
        return DuplicateStoreError(f"rows of the batch are in table {place.table} already {code}")
    if number == _NO_PARTITION:
        return MissingPartitionError(
            f"table {place.table} has no partition for a row {code}",
            hint=f"ALTER TABLE {place.table} ADD PARTITION, one with VALUES LESS THAN MAXVALUE",
        )
    if number in _DATA or number in _OF_TRIGGERS:
        return _unfit_row(number, error, place)
    if number in _TRANSIENT or (number in _CLIENT_ERRORS and number != _AUTHENTICATION_PLUGIN):
        return TransientStoreError(
            f"{place.server} did not take the batch: {_said(error)} {code}", sqlstate=_LOCKED.get(number)
        )
    return ConfigStoreError(f"{_refusal(number, error, place)} {code}", hint=_hint(number, error, place))


def _unfit_row(number: int, error: BaseException, place: Place) -> DataStoreError:
    said = _said(error)
    found = next((match for match in (pattern.search(said) for pattern in _COLUMNS) if match), None)
    culprit = _bare(found.group(1), place.table) if found else None
    hint = "the row that is refused goes to quarantine"
    if number == _PACKET_TOO_LARGE:
        hint = f"let max_allowed_packet at {place.server} be a megabyte at least; {hint}"
    return DataStoreError(
        f"table {place.table} refuses a row" + (f": {culprit}" if culprit else "") + f" [{number}]",
        culprit=culprit or str(number),
        sqlstate="23503" if number in _FOREIGN_KEY else None,
        hint=hint,
    )


def _refusal(number: int, error: BaseException, place: Place) -> str:
    """Return what is not as it must be; five cases."""
    if number in _LOG_IN:
        return f"{place.server} refuses the log-in of {place.role}: {_said(error)}"
    if number == _NO_DATABASE:
        return f"{place.server} has no database {place.database}"
    if number == _NO_TABLE:
        return f"there is no table {place.table} in {place.database} at {place.server}"
    if number in _NOT_GRANTED:
        return f"{place.role} may not {place.purpose} table {place.table} at {place.server}: {_said(error)}"
    return f"{place.server} refuses to {place.purpose} table {place.table}: {_said(error)}"


def _hint(number: int, error: BaseException, place: Place) -> str:
    """Return what to do about a fault of the set-up; six cases."""
    if number in _NOT_GRANTED:
        account = _ACCOUNT.search(_said(error))
        right = _RIGHTS.get(place.purpose, "INSERT")
        schema, _, table = place.table.rpartition(".")
        denied = _DENIED.search(_said(error))
        table = f"{schema or place.database}.{denied.group(1) if denied else table}"
        return f"GRANT {right} ON {table} TO {account.group(1) if account else place.role}"
    if number in _LOG_IN:
        return f"check user {place.role} and its password in the URL, and its rights on database {place.database}"
    if number == _NO_DATABASE:
        return f"create database {place.database} at {place.server}, or correct the URL"
    if number == _NO_TABLE:
        return f"make it with `{place.making}`, or name another one by table="
    if number == _NO_COLUMN:
        return f"add the column to {place.table}, as `audit-async init` would make it in a new table"
    return f"compare table {place.table} with one that `audit-async init` makes under another name"


def _said(error: BaseException) -> str:
    """Return the message of the server or driver, without its number."""
    for link in chain(error):
        if number_of(link) is not None and len(link.args) > 1:
            return describe(Exception(link.args[1])).removeprefix("Exception: ")
    return describe(error)


def _bare(name: str, table: str) -> str:
    """Return *name* without quotes, and without the table in front of it."""
    plain = re.sub("[`'\"]", "", name)
    owner = f"{table.rpartition('.')[2]}."
    return plain.rpartition(owner)[2] if owner in plain else plain
