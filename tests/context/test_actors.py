"""Who acts: people, the program itself, jobs, and people as somebody else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from audit_async import AuditEvent, AuditLogger, audit_context, events
from audit_async.context import fill, job_actor, system_actor
from tests.tables import all_rows


def actor_of(event: AuditEvent) -> tuple[str | None, str | None, str | None, str | None]:
    return event.actor_type, event.actor_id, event.actor_name, event.on_behalf_of


@pytest.mark.parametrize(("make", "kind"), [(system_actor, "system"), (job_actor, "job")])
def test_a_new_actor_has_nothing_of_the_outer_one(make: Callable[[str], audit_context], kind: str) -> None:
    """A scheduler or a job inside a request acts as itself and for nobody; where it runs stays."""
    person = {"actor_type": kind, "actor_id": "admin", "actor_name": "Ann", "on_behalf_of": "u-7"}
    with audit_context(**person, tenant_id="t1", request_id="r1"), make("nightly"):
        event = fill(events.custom("a"))
    assert (kind, "nightly", "nightly", None) == actor_of(event)
    assert ("t1", "r1") == (event.tenant_id, event.request_id)


def test_a_new_actor_even_of_the_outer_ones_name_acts_for_nobody() -> None:
    """For whom the outer one acted is not taken over, whatever the two are called."""
    with system_actor("nightly"), audit_context(on_behalf_of="u-7"):
        with system_actor("nightly"):
            inside = fill(events.custom("a"))
        outside = fill(events.custom("a"))
    assert (None, "u-7") == (inside.on_behalf_of, outside.on_behalf_of)


def test_a_job_may_act_for_somebody_by_saying_so() -> None:
    """`on_behalf_of` said inside the actor's block holds."""
    with job_actor("export"), audit_context(on_behalf_of="u-7"):
        event = fill(events.custom("a"))
    assert ("job", "export", "export", "u-7") == actor_of(event)


def test_after_a_job_in_a_request_the_person_acts_again() -> None:
    """The end of a nested job gives the request its own actor back."""
    with audit_context(actor_type="user", actor_id="u-7"):
        with job_actor("export"):
            pass
        event = fill(events.custom("a"))
    assert ("user", "u-7", None, None) == actor_of(event)


@pytest.mark.parametrize("name", [None, "", object(), "\0", {"a": 1}, 7])
def test_an_actor_of_any_name_is_legal(name: object) -> None:
    """Whatever a job is called, nothing is raised, and nobody else is named in its place."""
    with audit_context(actor_type="user", actor_id="u-7", actor_name="Ann"), job_actor(name):
        event = fill(events.custom("a"))
    assert "job" == event.actor_type
    assert {"u-7", "Ann"}.isdisjoint({event.actor_id, event.actor_name})


async def test_impersonation_stores_both_identities(sqlite_url: str, tmp_path: Path) -> None:
    """The row names who acted and as whom."""
    async with AuditLogger(sqlite_url, journal_dir=tmp_path / "journal") as audit:
        with audit_context(actor_type="user", actor_id="admin"), audit_context(on_behalf_of="u-7", user_id="u-7"):
            await audit.write(events.custom("profile.update"))
    (row,) = await all_rows(sqlite_url)
    assert ("user", "admin", "u-7", "u-7") == (
        row["actor_type"],
        row["actor_id"],
        row["on_behalf_of"],
        row["user_id"],
    )


@pytest.mark.parametrize("said", [{"actor_id": "u-8"}, {"actor_type": "system"}])
def test_an_event_of_another_actor_does_not_get_the_contexts_name(said: dict[str, str]) -> None:
    """An event that names its actor gets the name of no other one; an actor it agrees on is completed."""
    with audit_context(actor_type="user", actor_id="u-7", actor_name="Ann"):
        other, same = fill(events.custom("a", **said)), fill(events.custom("a", actor_id="u-7"))
    assert (said.get("actor_type"), said.get("actor_id"), None, None) == actor_of(other)
    assert ("user", "u-7", "Ann", None) == actor_of(same)


def test_an_inner_context_of_another_actor_does_not_get_the_outer_name() -> None:
    """Nested contexts never put an actor together from two; parts that do not contradict each other join."""
    with audit_context(actor_type="user"), audit_context(actor_id="u-7", actor_name="Ann"):
        joined = fill(events.custom("a"))
        with audit_context(actor_id="u-8"):
            other = fill(events.custom("a"))
    assert ("user", "u-7", "Ann", None) == actor_of(joined)
    assert (None, "u-8", None, None) == actor_of(other)
