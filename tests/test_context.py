from __future__ import annotations

import asyncio

import pytest

from audit_async import audit_context, events
from audit_async.context import fill


def test_a_context_fills_what_an_event_leaves_open() -> None:
    """The event's own words win over the context's."""
    with audit_context(tenant_id="t1", user_id="outer"):
        event = fill(events.custom("a", user_id="own"))
    assert ("t1", "own") == (event.tenant_id, event.user_id)


def test_the_inner_context_wins_field_by_field() -> None:
    """Blocks nest, and a None leaves the outer field in place."""
    with audit_context(tenant_id="t1", request_id="r1"), audit_context(tenant_id="t2", request_id=None):
        event = fill(events.custom("a"))
    assert ("t2", "r1") == (event.tenant_id, event.request_id)


def test_nothing_outlives_the_block() -> None:
    """After the block an event is returned as it is."""
    event = events.custom("a")
    with audit_context(tenant_id="t1"):
        pass
    assert fill(event) is event


async def test_tasks_do_not_see_each_other() -> None:
    """A context belongs to the task that entered it."""

    async def tenant_of(name: str) -> str | None:
        async with audit_context(tenant_id=name):
            await asyncio.sleep(0)
            return fill(events.custom("a")).tenant_id

    assert ["t1", "t2"] == list(await asyncio.gather(tenant_of("t1"), tenant_of("t2")))


def test_one_context_can_be_entered_twice() -> None:
    """A context is a value: entering it again inside itself undoes nothing."""
    context = audit_context(tenant_id="t1")
    with context:
        with context:
            pass
        assert "t1" == fill(events.custom("a")).tenant_id


def test_a_wrong_name_is_told_the_right_one() -> None:
    """A field that no context has is the caller's slip."""
    with pytest.raises(TypeError, match="did you mean 'tenant_id'"):
        audit_context(tenantid="t1")


@pytest.mark.parametrize("value", [object(), "\0", "\ud800", b"\xff", {"a": 1}, 2**70])
def test_any_value_is_legal(value: object) -> None:
    """A value that a context cannot hold raises nothing."""
    with audit_context(tenant_id=value):
        tenant = fill(events.custom("a")).tenant_id
    assert "\0" not in (tenant or "").encode().decode()


def test_a_value_that_is_none_is_kept_beside() -> None:
    """What a field cannot hold goes into the metadata of each event, as it does where an event itself says it."""
    with audit_context(ip_address="unknown"), audit_context(tenant_id={"a": 1}):
        event = fill(events.custom("a", status_code="x"))
    invalid = {"ip_address": "unknown", "tenant_id": {"a": 1}, "status_code": "x"}
    assert (None, None, invalid) == (event.ip_address, event.tenant_id, event.metadata["$invalid"])
