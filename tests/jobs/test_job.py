"""A job is two events: that it began, and how it ended."""

from __future__ import annotations

from typing import Any

import pytest

from audit_async import AuditAction, audit_context, current_job, events
from audit_async.config import JOB_NAMES, MAX_KEY_CHARS
from tests.jobs.journal import Log
from tests.logs import heard


async def test_a_job_that_the_vocabulary_knows_is_its_two_actions(log: Log) -> None:
    """An org-sync is `org.sync_start` and `org.sync`, with provider, tenant, duration and counters."""
    async with log.audit.job("org.sync", provider="feishu", tenant_id="t-1") as job:
        for _ in range(3):
            job.count("created")
        job.count("updated", 2)
    start, finish = await log.rows()
    assert ["org.sync_start", "org.sync"] == [start["action"], finish["action"]]
    assert ["feishu", "feishu"] == [row["details"]["provider"] for row in (start, finish)]
    assert ["t-1", "t-1"] == [start["tenant_id"], finish["tenant_id"]]
    assert (3, 2) == (finish["details"]["created"], finish["details"]["updated"])
    assert ("success", None) == (finish["outcome"], start["duration_ms"])
    assert finish["duration_ms"] > 0


async def test_any_other_is_known_by_its_name(log: Log) -> None:
    """It is `job.start` and `job.finish`, whose resource is the run, with the id of the first event."""
    with log.audit.job("schedule.execute", schedule="nightly") as first:
        pass
    with log.audit.job("schedule.execute") as second:
        pass
    rows = await log.rows()
    assert ["job.start", "job.finish"] * 2 == [row["action"] for row in rows]
    assert [first.id] * 2 + [second.id] * 2 == [row["resource_id"] for row in rows]
    assert {"job_name": "schedule.execute", "job_id": first.id, "schedule": "nightly"} == rows[0]["details"]
    assert rows[0]["id"] == first.id != second.id


@pytest.mark.parametrize("name", [AuditAction.ORG_SYNC, "org_sync", "org.sync"])
async def test_every_spelling_of_an_action_is_that_job(log: Log, name: Any) -> None:
    """A job that is named by an action's old spelling has the canonical name."""
    with log.audit.job(name) as job:
        pass
    assert ("org.sync", "org.sync") == (job.name, (await log.last())["action"])


@pytest.mark.parametrize("name", ["", None, 7, "\0\ud800", "x" * 5000, object(), {"a": 1}])
async def test_any_name_is_one(log: Log, name: Any) -> None:
    """Whatever a job is called, it begins and ends."""
    with log.audit.job(name):
        pass
    rows = await log.rows()
    assert ["job.start", "job.finish"] == [row["action"] for row in rows]
    assert all(rows[0]["details"]["job_name"] == row["details"]["job_name"] for row in rows)


async def test_the_job_acts_and_who_started_it_is_in_its_first_event(log: Log) -> None:
    """The actor of the first event is the outer one; inside, and at the end, the job acts, and for nobody."""
    with audit_context(actor_type="user", actor_id="u-1", on_behalf_of="u-2", request_id="r-7"):
        with log.audit.job("schedule.execute"):
            log.audit.log(events.auth("auth.login"))
        log.audit.log(events.auth("auth.logout"))
    rows = await log.rows()
    actors = [(row["actor_type"], row["actor_id"], row["on_behalf_of"]) for row in rows]
    job = ("job", "schedule.execute", None)
    assert [("user", "u-1", "u-2"), job, job, ("user", "u-1", "u-2")] == actors
    assert ["r-7"] * 4 == [row["request_id"] for row in rows]


async def test_a_job_that_nobody_started_starts_itself(log: Log) -> None:
    """Without an outer actor the job is that of its first event, too; one that is given is that of all."""
    with log.audit.job("schedule.execute"):
        pass
    with log.audit.job("schedule.execute", actor_id="cron", on_behalf_of="u-2"):
        pass
    actors = [(row["actor_type"], row["actor_id"], row["on_behalf_of"]) for row in await log.rows()]
    assert [("job", "schedule.execute", None)] * 2 + [(None, "cron", "u-2")] * 2 == actors


async def test_what_is_given_is_sorted(log: Log) -> None:
    """Fields of a context hold inside; those of its own events for these; the rest is details."""
    given: dict[str, Any] = {
        "user_id": "u-1",
        "severity": "high",
        "tags": ["nightly"],
        "resource_id": "7",
        "id": "x",
        "outcome": "y",
    }
    with log.audit.job("schedule.execute", details={"step": 1, "outcome": "z"}, name="n", size=None, **given):
        log.audit.log(events.auth("auth.login"))
    start, inside, finish = await log.rows()
    assert [("u-1", ["nightly"], "high")] * 2 == [
        (row["user_id"], row["tags"], row["severity"]) for row in (start, finish)
    ]
    assert ("u-1", "low") == (inside["user_id"], inside["severity"])
    assert "nightly" not in inside["tags"]
    said = {"step": 1, "outcome": "y", "name": "n", "resource_id": "7", "id": "x"}
    assert said.items() <= start["details"].items()
    assert "size" not in start["details"]


@pytest.mark.parametrize(
    ("name", "meant"), [("tenant", "tenant_id"), ("userId", "user_id"), ("useragent", "user_agent")]
)
def test_a_slip_in_the_name_of_a_field_is_told(log: Log, name: str, meant: str) -> None:
    """A tenant by another name would leave every event inside without one."""
    fields: dict[str, Any] = {name: "t-1"}
    with pytest.raises(TypeError, match=f"did you mean '{meant}'"):
        log.audit.job("schedule.execute", **fields)


async def test_values_that_no_field_holds_are_kept_beside(log: Log) -> None:
    """What cannot be an address, or a severity, is in the metadata of the job's events."""
    with log.audit.job("schedule.execute", ip_address="unknown", severity="grave", tenant_id={"a": 1}):
        pass
    for row in await log.rows():
        assert {"ip_address": "unknown", "severity": "grave", "tenant_id": {"a": 1}} == row["metadata"]["$invalid"]
        assert "low" == row["severity"]


async def test_details_are_those_of_the_call(log: Log) -> None:
    """What becomes of the caller's objects afterwards does not change the events."""
    given = {"department": {"ids": [1, 2]}}
    with log.audit.job("schedule.execute", details=given):
        given["department"]["ids"].clear()
    assert [[1, 2], [1, 2]] == [row["details"]["department"]["ids"] for row in await log.rows()]


async def test_a_counter_never_stands_in_for_what_the_job_says(log: Log) -> None:
    """A counter named as one of the job's own details is kept beside it."""
    with log.audit.job("schedule.execute") as job:
        job.count("job_id", 5)
    details = (await log.last())["details"]
    assert (job.id, 5) == (details["job_id"], details["job_id#2"])


async def test_odd_counters_are_kept(log: Log) -> None:
    """Names and numbers of any size are in the last event, and an event that holds them is stored."""
    with log.audit.job("schedule.execute") as job:
        for name in ("\0", "\ud800", "x" * 1000, 7, None):
            job.count(name)
        job.count("atoms", 10**30)
        job.count("states", 10**5000)
    details = (await log.last())["details"]
    assert (1, 1) == (details["7"], details["\u2400"])
    [long] = [name for name in details if name.startswith("xxx")]
    assert len(long) <= MAX_KEY_CHARS
    assert str(10**30) in str(details["atoms"])
    assert "sha256" in str(details["states"])


async def test_counters_are_bounded_and_none_is_lost(log: Log) -> None:
    """Of many names the first are kept, and the sum of all counters is what was counted."""
    with log.audit.job("schedule.execute") as job:
        for number in range(5 * JOB_NAMES):
            job.count(f"member-{number}")
    details = (await log.last())["details"]
    counted = {name: value for name, value in details.items() if type(value) is int}
    assert (JOB_NAMES + 1, 5 * JOB_NAMES) == (len(counted), sum(counted.values()))
    assert 4 * JOB_NAMES == details["other"]


@pytest.mark.parametrize("n", ["1", 1.5, None])
def test_what_is_no_whole_number_is_not_counted(log: Log, n: Any) -> None:
    """A count that is none is a slip, told where it is made."""
    with log.audit.job("schedule.execute") as job:
        with pytest.raises(TypeError):
            job.count("created", n)
        assert {} == job.counts


def test_a_job_runs_once(log: Log) -> None:
    """A second `with` of the same job is a slip; nothing of the first is changed."""
    with log.audit.job("schedule.execute") as job:
        pass
    with pytest.raises(RuntimeError, match="was begun before"), job:
        pass
    assert "success" == job.outcome


def test_what_is_counted_after_the_end_is_told(log: Log) -> None:
    """No event will have it any more, and one log line says so."""
    with log.audit.job("schedule.execute") as job:
        pass
    with heard() as lines:
        job.count("created")
        job.count("created")
    [line] = lines
    assert "schedule.execute is not under way" in line


def test_the_current_job_is_the_innermost_one(log: Log) -> None:
    """Deep inside of a job it can be asked for; outside of any there is none."""
    assert current_job() is None
    with log.audit.job("a") as outer:
        with log.audit.job("b") as inner:
            assert inner is current_job()
        assert outer is current_job()
    assert current_job() is None


def test_how_it_stands_is_its_repr(log: Log) -> None:
    """Name, id and state, before, inside and after."""
    job = log.audit.job("schedule.execute")
    assert "<Job schedule.execute -: not begun>" == repr(job)
    with job:
        assert f"<Job schedule.execute {job.id}: running>" == repr(job)
    assert f"<Job schedule.execute {job.id}: success>" == repr(job)
