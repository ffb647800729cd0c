"""Every event is valid OCSF, by the schema of its class, and nothing of it is lost."""

from __future__ import annotations

import functools
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from jsonschema import Draft202012Validator  # type: ignore[import-untyped,unused-ignore]
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema  # type: ignore[import-untyped,unused-ignore]

from audit_async import AuditEvent, Outcome, Severity, events
from audit_async.events.catalogue import catalogue
from audit_async.exports.ocsf import ocsf_event
from audit_async.exports.ocsf.classes import CLASSES
from tests.exports.samples import (
    EVERY_FIELD,
    NOON,
    any_event,
    every_action,
    line_of,
    nasty_events,
    real_events,
    some,
    whole_event,
)


@functools.cache
def _schemas() -> Any:
    return OcsfJsonSchemaEmbedded(get_ocsf_schema("1.8.0"))


@functools.cache
def _validator(class_uid: int, profiles: tuple[str, ...]) -> Draft202012Validator:
    name = _schemas().lookup_class_name_from_uid(class_uid)
    return Draft202012Validator(_schemas().get_class_schema(name, list(profiles)))


def checked(event: AuditEvent) -> dict[str, Any]:
    """Return the event of OCSF, having held it against the schema of its class, which leaves no attribute open."""
    found: dict[str, Any] = json.loads(line_of("ocsf", event))
    validator = _validator(found["class_uid"], tuple(found["metadata"].get("profiles", ())))
    assert [] == [f"{event.action}: {fault.json_path} {fault.message}" for fault in validator.iter_errors(found)]
    return found


def test_the_referee_refuses() -> None:
    """The schema finds an attribute that is missing, of a wrong type, or that a class does not have."""
    found = checked(whole_event("auth.login"))
    validator = _validator(3002, ())
    Draft202012Validator.check_schema(validator.schema)
    several: list[dict[str, Any]] = [{"user": {}}, {"time": "now"}, {"severity_id": 7}, {"own": 1}]
    for wrong in [*several, {"src_endpoint": {"ip": "nowhere"}}]:
        assert not validator.is_valid({**found, **wrong})
    for needed in ("time", "user", "metadata", "service"):
        assert not validator.is_valid({name: value for name, value in found.items() if name != needed})


def test_every_known_event_is_valid() -> None:
    """Each action of the vocabulary, with each outcome, with nothing and with everything, is valid by its class."""
    types = {item.action: (item.ocsf_class, item.ocsf_type_uid) for item in catalogue()}
    for event in every_action():
        found = checked(event)
        assert types.get(event.action, ("Base Event", 99)) == (found["class_name"], found["type_uid"])
        names = _validator(found["class_uid"], ()).schema
        assert names["title"] == found["class_name"]


def test_every_nasty_event_is_valid() -> None:
    """An event of each nasty input is valid by its class."""
    for event in nasty_events():
        checked(event)


def test_every_real_event_is_valid() -> None:
    """Every event of the real records is valid by its class, and most are no Base Event."""
    found = [checked(event) for event in real_events()]
    assert sum(event["class_uid"] == 0 for event in found) < len(found) / 2


@some
@given(any_event)
def test_any_event_is_valid(event: AuditEvent) -> None:
    """Whatever is in an event, also one of a table that others filled, it is valid by its class."""
    found = checked(event)
    assert event.id == found["metadata"]["uid"]
    for item in catalogue()[:: len(catalogue()) // 6]:
        checked(msgspec.structs.replace(event, action=item.action))


def test_nothing_is_lost() -> None:
    """Every value of an event is somewhere in that of OCSF."""
    for event in every_action():
        text = json.dumps(ocsf_event(event), ensure_ascii=False)
        for name in EVERY_FIELD:
            value = getattr(event, name)
            if value not in (None, {}, ()):
                kept = json.dumps(msgspec.to_builtins(value), ensure_ascii=False)
                assert kept in text or str(value) in text, (event.action, name)
        for name in ("resource_type", "resource_id", "category", "outcome"):
            value = getattr(event, name)
            assert value is None or value in text.lower() or value in text, (event.action, name)


def test_what_all_have() -> None:
    """Time in milliseconds, severity and status by number and name, where it came from, and what has no attribute."""
    found = checked(whole_event("auth.login", severity=Severity.HIGH, ip_address="192.0.2.1"))
    assert (1772368200123, 4, "High", 1, "Success") == tuple(
        found[name] for name in ("time", "severity_id", "severity", "status_id", "status")
    )
    assert ("1.8.0", "tenant-1", 7, "trace-1", ["first", "second"]) == tuple(
        found["metadata"][name] for name in ("version", "tenant_uid", "sequence", "correlation_uid", "labels")
    )
    assert ("192.0.2.1", "request-1") == (found["src_endpoint"]["ip"], found["http_request"]["uid"])
    assert {"own": ["a", 1, None], "success": "maybe"} == found["unmapped"]["details"]
    assert ("user-1@example.com", "actor-1", "Zoë Actor") == tuple(
        found["actor"]["user"][name] for name in ("email_addr", "uid_alt", "name")
    )


@pytest.mark.parametrize(
    ("outcome", "status_id", "status"),
    [
        (Outcome.SUCCESS, 1, "Success"),
        (Outcome.FAILURE, 2, "Failure"),
        (Outcome.DENIED, 2, "Failure"),
        (Outcome.ERROR, 2, "Failure"),
        (Outcome.UNKNOWN, 0, "Unknown"),
        (Outcome.PARTIAL, 99, "partial"),
        (Outcome.CANCELLED, 99, "cancelled"),
        (Outcome.PENDING, 99, "pending"),
    ],
)
def test_an_outcome_is_a_status(outcome: Outcome, status_id: int, status: str) -> None:
    """An outcome is the status that it means; one that the status does not tell from another is kept beside it."""
    found = checked(events.custom("auth.login", outcome=outcome))
    assert (status_id, status) == (found["status_id"], found["status"])
    assert (outcome in (Outcome.DENIED, Outcome.ERROR)) == ("outcome" in found["unmapped"])


def test_the_status_of_a_finding_is_left_to_its_reader() -> None:
    """A finding's status says how the work on it stands: none is made up, the outcome is kept."""
    found = checked(events.security("security.unauthorized_access", ip_address="192.0.2.1"))
    assert ("denied", False) == (found["unmapped"]["outcome"], "status_id" in found)
    assert "192.0.2.1" == found["evidences"][0]["src_endpoint"]["ip"]


def test_who_it_was_done_to_is_the_user() -> None:
    """In classes about a user it is the one acted upon; the one who acted is the actor."""
    found = checked(events.role("role.assign", target_user_id="u2", role_name="admin", user_id="u1"))
    assert ("u2", ["admin"], "u1") == (found["user"]["uid"], found["privileges"], found["actor"]["user"]["uid"])
    found = checked(events.user("user.delete", target_user_id="u2", user_id="u1"))
    assert ("u2", "u1") == (found["user"]["uid"], found["actor"]["user"]["uid"])
    found = checked(events.custom("user.delete", resource_type="user", resource_id="u2", user_id="u1"))
    assert ("u2", "u1", False) == (found["user"]["uid"], found["actor"]["user"]["uid"], "unmapped" not in found)
    found = checked(events.session("session.impersonate_start", target_user_id="u2", user_id="u1", session_id="s"))
    assert ("u2", "u1", 2) == (found["user"]["uid"], found["actor"]["user"]["uid"], found["account_switch_type_id"])


def test_a_change_is_before_and_after() -> None:
    """What was managed is there as it was and as it became."""
    found = checked(
        events.data_change(
            "data.update", resource_type="invoice", resource_id="7", old_values={"a": 1}, new_values={"a": 2}
        )
    )
    assert ({"a": 1}, {"a": 2}, "invoice") == (
        found["entity"]["data"],
        found["entity_result"]["data"],
        found["entity"]["type"],
    )


def test_what_a_class_demands_is_unknown_where_it_is() -> None:
    """A request that nobody is known to have made is valid, and says so."""
    found = checked(events.custom("api.request"))
    assert ("unknown", "unknown") == (found["actor"]["user"]["name"], found["src_endpoint"]["name"])
    found = checked(events.custom("api.request", session_id="s-1"))
    assert {"session": {"uid": "s-1"}} == found["actor"]


def test_an_action_in_own_words_is_a_base_event() -> None:
    """An action that the vocabulary does not have claims no class: it is named, and its address can be searched for."""
    found = checked(events.custom("report.print", ip_address="192.0.2.1", user_id="u1"))
    assert (0, 99, "report.print") == (found["class_uid"], found["type_uid"], found["activity_name"])
    assert ("192.0.2.1", "192.0.2.1", "u1") == (
        found["observables"][0]["value"],
        found["unmapped"]["ip_address"],
        found["actor"]["user"]["uid"],
    )


@pytest.mark.parametrize("duration", [0.0, 12.0, 12.5, -1.0, 1e300])
def test_a_duration_is_whole_or_kept(duration: float) -> None:
    """A duration in whole milliseconds is one; of any other the exact number is kept."""
    found = checked(events.custom("auth.login", duration_ms=duration, created_at=NOON))
    assert duration == found.get("unmapped", {}).get("duration_ms", found.get("duration"))


def test_no_attribute_is_deprecated() -> None:
    """Nothing that the schema will drop is used, in an event or in any object of it."""
    used = set()
    for event in every_action():
        found = ocsf_event(event)
        validator = _validator(found["class_uid"], tuple(found["metadata"].get("profiles", ())))
        used |= set(_deprecated(found, validator.schema, validator.schema["$defs"]))
    assert set() == used


def _deprecated(value: Any, schema: Any, objects: Any) -> Any:
    schema = objects[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
    if isinstance(value, list):
        for item in value:
            yield from _deprecated(item, schema.get("items", {}), objects)
    elif isinstance(value, dict):
        for name, inner in value.items():
            known = schema.get("properties", {}).get(name, {})
            if known.get("deprecated"):
                yield name
            yield from _deprecated(inner, known, objects)


def test_every_class_of_the_vocabulary_is_mapped() -> None:
    """There is a mapping for each class that an action has, and for none besides them and the Base Event."""
    assert {0, *(item.ocsf_class_uid for item in catalogue())} == set(CLASSES)
