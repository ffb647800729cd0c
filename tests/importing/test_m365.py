"""Microsoft 365 records become events of which nothing is lost."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from audit_async.events import Outcome
from audit_async.events.vocabulary import TERMS
from audit_async.importing.formats import FORMATS, Mapped, Reading, RefusedError
from audit_async.importing.formats.m365_operations import OPERATIONS, action_of
from tests.importing.files import operations_of
from tests.shared import shared_file

RECORD: dict[str, Any] = {
    "CreationTime": "2026-03-01T09:30:00",
    "Id": "C05D9889-738D-4553-B5A6-36D26CD70801",
    "Operation": "Update user.",
    "OrganizationId": "t-1",
    "ResultStatus": "Success",
    "UserId": "ann@example.com",
    "UserType": 0,
}


def read(**others: Any) -> Mapped:
    return FORMATS["m365"].read({**RECORD, **others}, Reading(tenant_id="t-0"))


def test_the_key_is_the_record_s_own() -> None:
    """Id in the usual spelling, time in UTC to the second, tenant and user as the record says."""
    event = read().event
    assert (RECORD["Id"].lower(), datetime(2026, 3, 1, 9, 30, tzinfo=UTC)) == (event.id, event.created_at)
    assert ("user.update", "t-1", "ann@example.com") == (event.action, event.tenant_id, event.user_id)
    assert "t-0" == read(OrganizationId=None).event.tenant_id


@pytest.mark.parametrize(
    ("operation", "status", "action", "outcome"),
    [
        ("UserLoggedIn", "Success", "sso.login", Outcome.SUCCESS),
        ("UserLoginFailed", "Success", "sso.login", Outcome.FAILURE),
        ("Add member to role.", "Success", "role.assign", Outcome.SUCCESS),
        ("remove member from role", "Failure", "role.revoke", Outcome.FAILURE),
        ("Update user.", "PartiallySucceeded", "user.update", Outcome.PARTIAL),
        ("Delete user.", None, "user.delete", Outcome.UNKNOWN),
        (
            "Update application – Certificates and secrets management ",
            "Success",
            "application.secrets_update",
            "success",
        ),
        ("SomethingNewHappened", "True", "m365.something_new_happened", Outcome.SUCCESS),
        ("某事", "True", "m365.unnamed", Outcome.SUCCESS),
    ],
)
def test_an_operation_is_an_action(operation: str, status: str | None, action: str, outcome: str) -> None:
    """The dot at the end and capitals do not matter; what is not known is free-form, under its own words."""
    event = read(Operation=operation, ResultStatus=status).event
    assert (action, outcome, operation) == (event.action, event.outcome, event.metadata["operation"])


@pytest.mark.parametrize(
    ("client", "actor", "address", "port"),
    [
        ("192.0.2.1", "192.0.2.1", "192.0.2.1", None),
        ("192.0.2.1:443", None, "192.0.2.1", "443"),
        ("[2001:DB8::1]:443", None, "2001:db8::1", "443"),
        ("[::ffff:192.0.2.1]", None, "192.0.2.1", None),
        (None, "2001:db8::1", "2001:db8::1", None),
        ("<null>", "192.0.2.1", "192.0.2.1", None),
        ("300.0.2.1", None, None, None),
    ],
)
def test_an_address_is_one(client: str | None, actor: str | None, address: str | None, port: str | None) -> None:
    """Port and brackets are taken off; what is no address stays as it came."""
    event = read(ClientIP=client, ActorIpAddress=actor).event
    assert (address, port) == (event.ip_address, event.details.get("client_port"))
    assert (client if address is None or client == "<null>" else None) == event.details.get("ClientIP")


def test_another_address_stays_beside_it() -> None:
    """Of two that differ neither is lost."""
    event = read(ClientIP="192.0.2.1", ActorIpAddress="192.0.2.2").event
    assert ("192.0.2.1", "192.0.2.2") == (event.ip_address, event.details["ActorIpAddress"])


def test_what_changed_is_old_and_new() -> None:
    """Modified properties are the values before and after."""
    event = read(ModifiedProperties=[{"Name": "Role", "OldValue": "a", "NewValue": "b"}]).event
    assert ({"Role": "a"}, {"Role": "b"}) == (event.old_values, event.new_values)


def test_a_row_of_the_portal_is_its_record() -> None:
    """Of the table's columns `AuditData` counts; what it does not say is folded."""
    row = {
        "RecordId": RECORD["Id"],
        "CreationDate": "3/1/2026 9:30:00 AM",
        "AuditData": json.dumps(RECORD),
        "Unit": "x",
    }
    mapped = FORMATS["m365"].read(row, Reading())
    assert (read().event.id, read().event.created_at) == (mapped.event.id, mapped.event.created_at)
    assert ("x", True) == (mapped.event.details["Unit"], "Unit" in mapped.folded)


@pytest.mark.parametrize(
    ("others", "reason"),
    [
        ({"Operation": None}, "no Operation"),
        ({"Operation": 5}, "no Operation"),
        ({"CreationTime": None}, "no CreationTime"),
        ({"CreationTime": "yesterday"}, "its time is none: 'yesterday'"),
        ({"CreationTime": "1969-12-31T00:00:00"}, "years 1970"),
        ({"CreationTime": [1]}, "its time is none"),
        ({"AuditData": "{"}, "AuditData is no JSON"),
        ({"AuditData": "[]"}, "AuditData is no JSON object"),
    ],
)
def test_what_cannot_be_an_event_is_refused(others: dict[str, Any], reason: str) -> None:
    """Without time or operation a record says nothing that an auditor can use."""
    with pytest.raises(RefusedError, match=reason):
        read(**others)


def test_every_operation_of_the_table_leads_somewhere() -> None:
    """Actions are canonical, or free-form of a family; each operation is found as it is written in records."""
    assert [] == [name for name in OPERATIONS if action_of(f" {name}. ") != OPERATIONS[name]]
    known = {action for action in OPERATIONS.values() if action in TERMS}
    assert len(known) > 25
    families = {term.family for term in TERMS.values()}
    others = {action.partition(".")[0] for action in OPERATIONS.values()} - families
    assert others == {"application", "device", "domain", "group", "mailbox", "partner", "policy", "service_principal"}


def test_every_operation_of_the_real_records_is_known() -> None:
    """None of them is left to its own words."""
    found = operations_of(shared_file("data/m365_identity_events.jsonl"))
    assert {"UserLoggedIn", "UserLoginFailed"} == {operation for operation in found if action_of(operation) is None}
