"""MySQL's and MariaDB's errors are judged by number, and what they quote is not told on."""

from __future__ import annotations

import pytest
from asyncmy import errors
from sqlalchemy import exc

from audit_async.errors import (
    ConfigStoreError,
    DataStoreError,
    DuplicateStoreError,
    MissingPartitionError,
    StoreError,
    TransientStoreError,
)
from audit_async.faults import Place, translate
from audit_async.faults.mysql import duplicate_key

PLACE = Place(server="db:3306", database="app", table="audit_logs", role="writer")


@pytest.mark.parametrize(
    ("numbers", "kind"),
    [
        (
            "1040 1203 1226 1129 1053 1077 1047 1158 1159 1160 1161 1205 1213 1021 1114 1290 1836 1792",
            TransientStoreError,
        ),
        ("1317 1969 3024 1927 1615 1243 2002 2003 2006 2013 2014 2055 4031 0", TransientStoreError),
        ("1044 1045 1049 1054 1130 1142 1143 1146 1227 1698 2059 1064 1193", ConfigStoreError),
        ("1048 1364 1406 1264 1265 1292 1366 1451 1452 1644 1690 1153 3140 3819 4025", DataStoreError),
        ("1139 1172 1242 1329 1339 1643 1001 31001 65535", DataStoreError),
        ("1526", MissingPartitionError),
        ("1062 1586 1022", DuplicateStoreError),
    ],
)
@pytest.mark.parametrize("is_wrapped", [False, True])
def test_the_number_decides(numbers: str, kind: type[StoreError], is_wrapped: bool) -> None:
    """Raw or wrapped by SQLAlchemy, whatever the driver's class: the same verdict, with the number in its message."""
    for number in numbers.split():
        error: Exception = errors.OperationalError(int(number), "what the server says")
        if is_wrapped:
            error = exc.DBAPIError("INSERT ...", {"secret": "s3cret"}, error, hide_parameters=True)
        verdict = translate(error, PLACE)
        assert (number, type(verdict)) == (number, kind)
        assert f"[{number}]" in verdict.message


@pytest.mark.parametrize(
    ("number", "said", "culprit"),
    [
        (1048, "Column 'action' cannot be null", "action"),
        (1364, "Field 'action' doesn't have a default value", "action"),
        (1406, "Data too long for column 'description' at row 1", "description"),
        (1264, "Out of range value for column 'status_code' at row 3", "status_code"),
        (1292, "Incorrect datetime value: 's3cret' for column `app`.`audit_logs`.`created_at` at row 1", "created_at"),
        (1366, "Incorrect string value: 's3cret for column b at row 1' for column 'a' at row 1", "a"),
        (
            3140,
            "Invalid JSON text: \"Invalid value.\" at position 0 in value for column 'audit_logs.details'.",
            "details",
        ),
        (4025, "CONSTRAINT `no_poison` failed for `app`.`audit_logs`", "no_poison"),
        (4025, "CONSTRAINT `audit_logs.details` failed for `app`.`audit_logs`", "details"),
        (3819, "Check constraint 'no_poison' is violated.", "no_poison"),
        (1690, "BIGINT value is out of range in '(s3cret * 9)'", "1690"),
        (1644, "s3cret, says the trigger", "1644"),
        (
            1452,
            "Cannot add or update a child row: a foreign key constraint fails (`app`.`audit_logs`, CONSTRAINT `who` "
            "FOREIGN KEY (`user_id`) REFERENCES `people` (`id`))",
            "who",
        ),
    ],
)
def test_a_refused_row_is_told_by_its_column(number: int, said: str, culprit: str | None) -> None:
    """Of the server's message the name of column or constraint is told on, and no value."""
    verdict = translate(errors.DataError(number, said), PLACE)
    assert isinstance(verdict, DataStoreError)
    assert verdict.culprit == culprit
    assert "s3cret" not in str(verdict)
    assert verdict.may_heal == (number == 1452)


@pytest.mark.parametrize(
    ("said", "key"),
    [
        ("Duplicate entry 'x' for key 'PRIMARY'", "PRIMARY"),
        ("Duplicate entry 'x' for key 'audit_logs.PRIMARY'", "PRIMARY"),
        ("Duplicate entry 'x for key 'PRIMARY'' for key 'one_each'", "one_each"),
    ],
)
def test_the_key_of_a_duplicate_is_read_from_the_end(said: str, key: str) -> None:
    """Whatever the value is that is quoted before, the key's name is the last."""
    assert duplicate_key(errors.IntegrityError(1062, said), "audit_logs") == key
    assert "x" not in translate(errors.IntegrityError(1062, said), Place(table="t")).message


def test_other_errors_name_no_key() -> None:
    """Only a duplicate has one."""
    assert duplicate_key(errors.OperationalError(1205, "Lock wait timeout exceeded for key 'a'"), "audit_logs") is None
    assert duplicate_key(ValueError(1062), "audit_logs") is None


def test_a_missing_right_is_a_statement_that_gives_it() -> None:
    """The hint names the account as the server sees it, and the whole table."""
    said = "INSERT command denied to user 'writer'@'10.0.0.7' for table `app`.`audit_logs`"
    verdict = translate(errors.OperationalError(1142, said), PLACE)
    assert verdict.hint == "GRANT INSERT ON app.audit_logs TO 'writer'@'10.0.0.7'"


def test_a_refused_connection_is_judged_by_its_cause() -> None:
    """The driver's number says only that there is none: host and port are what one has to look at."""
    error = errors.OperationalError(2003, "Can't connect to MySQL server on 'db'")
    error.__cause__ = ConnectionRefusedError(111, "refused")
    verdict = translate(error, PLACE)
    assert (type(verdict), verdict.message) == (TransientStoreError, "nothing takes connections at db:3306")


def test_a_protocol_out_of_step_is_no_fault_of_the_set_up() -> None:
    """What the driver says without a number passes with the connection."""
    error = errors.InternalError("Packet sequence number wrong - got 3 expected 1")
    assert isinstance(translate(error, PLACE), TransientStoreError)
