"""What is found out at the moment of `log()`: over what is around it, under what is inside."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from audit_async import AuditEvent, audit_context, events, job_actor
from audit_async.context import FIELDS, LateContext, dump, fill


def said(**fields: Any) -> dict[str, Any]:
    event: AuditEvent = fill(events.custom("a", **fields))
    return {name: value for name in FIELDS if (value := getattr(event, name)) is not None}


def test_a_late_context_is_asked_in_each_log() -> None:
    """What has changed between two events is seen by the second one."""
    numbers = itertools.count()
    with LateContext(lambda: {"user_id": f"u-{next(numbers)}"}):
        assert ["u-0", "u-1"] == [said()["user_id"] for _ in range(2)]
    assert {} == said()


def test_field_by_field_the_innermost_wins() -> None:
    """Over what is around it, under what is inside it or said by the event."""
    late = LateContext(lambda: {"user_id": "late", "tenant_id": "late", "request_id": "late", "session_id": "late"})
    with audit_context(user_id="outer", organization_id="outer"), late, audit_context(tenant_id="inner"):
        found = said(session_id="own")
    assert {
        "user_id": "late",
        "organization_id": "outer",
        "tenant_id": "inner",
        "request_id": "late",
        "session_id": "own",
    } == found


def test_what_is_not_known_yet_leaves_the_outer_one() -> None:
    """A source that says nothing is as if it were not there."""
    known: dict[str, str] = {}
    with audit_context(user_id="outer"), LateContext(lambda: known):
        assert {"user_id": "outer"} == said()
        known["user_id"] = "late"
        assert {"user_id": "late"} == said()


@pytest.mark.parametrize("between", [{}, {"tenant_id": "between"}, {"user_id": "between"}])
def test_of_two_late_contexts_the_inner_one_wins(between: dict[str, str]) -> None:
    """They nest as others do, whatever stands between them."""
    outer = LateContext(lambda: {"user_id": "outer", "session_id": "outer"})
    with outer, audit_context(**between), LateContext(lambda: {"user_id": "inner"}):
        assert {**between, "user_id": "inner", "session_id": "outer"} == said()


@pytest.mark.parametrize("inner", [{"actor_id": "u-8"}, {"actor_type": "system"}])
def test_no_actor_is_put_together_from_two(inner: dict[str, str]) -> None:
    """A late actor gets no name of another one, and gives none away; parts that agree join."""
    late = {"actor_type": "user", "actor_id": "u-7"}
    with audit_context(actor_name="Bob", actor_id="u-9"), LateContext(lambda: late):
        assert late == said()
        assert inner == said(**inner)
        with audit_context(**inner):
            assert inner == said()
        with audit_context(actor_name="Ann", actor_id="u-7"):
            assert {**late, "actor_name": "Ann"} == said()


def test_a_job_is_nobody_of_the_late_context() -> None:
    """Inside a job nothing of the late actor is left, nor for whom that one acted."""
    late = {"actor_type": "user", "actor_id": "u-7", "on_behalf_of": "u-8", "tenant_id": "t1"}
    with LateContext(lambda: late), job_actor("export"):
        assert {"actor_type": "job", "actor_id": "export", "actor_name": "export", "tenant_id": "t1"} == said()


def test_what_has_ended_does_not_come_back() -> None:
    """A late context inside of a job, inside of another late one, leaves the job what it is."""
    late = {"actor_type": "user", "actor_id": "u-7", "on_behalf_of": "u-8"}
    with LateContext(lambda: late), job_actor("export"), LateContext(lambda: {"tenant_id": "t1"}):
        assert {"actor_type": "job", "actor_id": "export", "actor_name": "export", "tenant_id": "t1"} == said()


def test_a_span_stays_with_its_trace() -> None:
    """An inner trace gets no span of a late one."""
    with LateContext(lambda: {"trace_id": "a" * 32, "span_id": "b" * 16}), audit_context(trace_id="c" * 32):
        assert {"trace_id": "c" * 32} == said()


def test_a_payload_carries_what_is_known_now() -> None:
    """`dump` asks, as `log()` does."""
    with audit_context(tenant_id="t1"), LateContext(lambda: {"user_id": "late"}):
        assert {"tenant_id": "t1", "user_id": "late"} == dump()["context"]
    assert {} == dump()["context"]
