"""`audit-async count`, `top`, `behavior` and `suspicious`, against a plain reckoning."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from audit_async import events
from audit_async.cli.counted import lines
from tests.shared import shared_file
from tests.terminal import SHOWN, at_terminal, filled, filled_file, here, hostile, made

NOW = datetime.now(UTC)  # when the tests were collected, which may be some hours ago
RECENT = [
    events.auth("login_failed", user_id="u-1", tenant_id="t-1", ip_address="192.0.2.9", created_at=NOW),
    events.security(
        "security.suspicious_activity", user_id="u-1", tenant_id="t-1", created_at=NOW - timedelta(hours=12)
    ),
    events.custom("api.request", user_id="u-1", tenant_id="t-1", created_at=NOW - timedelta(hours=3)),
]
GIVEN = [*made(), *RECENT]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A SQLite file with the forty events, and some of today."""
    return filled_file(tmp_path_factory.mktemp("log") / "audit.db", GIVEN)


def objects(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    assert (0, "") == (done.returncode, done.stderr), done
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_events_are_counted(url: str) -> None:
    """All that a search would find, as a number alone; none is a number as well."""
    assert "43\n" == here("count", url, "--all-tenants").stdout
    assert [{"events": 40}] == objects(here("count", url, "--all-tenants", "--until", "2026-03-01", "--json"))
    none = here("count", url, "--tenant", "t-9")
    assert (0, "0\n") == (none.returncode, none.stdout)


def test_values_are_counted(url: str) -> None:
    """By one field or by several, which may be named as the options are; the most first."""
    by_user = objects(here("count", url, "--all-tenants", "--by", "user", "--json"))
    assert Counter(event.user_id for event in GIVEN) == {each["user_id"]: each["events"] for each in by_user}
    by_two = objects(here("count", url, "--all-tenants", "--by", "action", "--by", "outcome", "--json"))
    assert Counter((event.action, event.outcome) for event in GIVEN) == {
        (each["action"], each["outcome"]): each["events"] for each in by_two
    }
    twice = here("count", url, "--all-tenants", "--by", "user", "--by", "user_id", "--json")
    assert by_user == objects(twice)
    assert by_two == sorted(by_two, key=lambda each: -each["events"])
    cut = here("count", url, "--all-tenants", "--by", "tenant_id", "--limit", 2)
    assert (2, True) == (len(cut.stdout.splitlines()), "may be more than 2" in cut.stderr)
    assert "13  -" in here("count", url, "--all-tenants", "--by", "tenant_id").stdout


def test_hours_and_days_are_counted(url: str) -> None:
    """Those in which nothing happened are there."""
    asked = ("count", url, "--all-tenants", "--since", "2026-02-28", "--until", "2026-03-01")
    days = objects(here(*asked, "--by", "day", "--json"))
    assert [("2026-02-28T00:00:00Z", 0), ("2026-03-01T00:00:00Z", 40)] == [tuple(each.values()) for each in days]
    hours = here(*asked, "--by", "hour").stdout.splitlines()
    assert (48, "    40  2026-03-01 00:00Z") == (len(hours), hours[24])


@pytest.mark.parametrize(
    "by", [(), ("--by", "user"), ("--by", "day", "--since", "2026-03-01", "--until", "2026-03-01")]
)
def test_a_count_of_none_says_so(by: tuple[str, ...], url: str) -> None:
    """Whose events were counted is told beside the number, and that an action may be misspelt."""
    none = here("count", url, "--tenant", "t-1", "--action", "auth.logn", *by)
    said = "No such event is there, of t-1\n  HINT: no known action is called 'auth.logn' (did you mean 'auth.login'?)"
    assert (0, True) == (none.returncode, none.stderr.startswith(said)), none


def test_the_most_frequent_values_are_shown(url: str) -> None:
    """With the first and the last time; filters are those of a search."""
    [first, *_] = objects(here("top", url, "--all-tenants", "--until", "2026-03-01", "--by", "ip", "--json"))
    assert {"ip_address": "192.0.2.0", "events": 6} == {name: first[name] for name in ("ip_address", "events")}
    assert ("2026-03-01T00:00:00Z", "2026-03-01T00:35:00Z") == (first["first_at"], first["last_at"])
    shown = here("top", url, "--tenant", "t-1", "--limit", 1, "--until", "2026-03-01").stdout
    assert shown.split() == ["3", "u-0", "2026-03-01", "00:00:00Z", "2026-03-01", "00:30:00Z"]
    assert 1 == here("top", url, "--tenant", "t-9").returncode


def test_what_a_user_did_is_told_in_numbers(url: str) -> None:
    """In the last days, within the tenant; the JSON has the keys of the call."""
    [told] = objects(here("behavior", url, "u-1", "--tenant", "t-1", "--days", 1, "--json"))
    assert (1, 1, 3) == (told["suspicious_activities"], told["success_requests"], sum(told["event_counts"].values()))
    shown = here("behavior", "--url", url, "u-1", "--tenant", "t-1", "--days", "1").stdout
    assert all(word in shown for word in ("u-1, in the last 1 day", "login_failed", "1 request, 100.0%"))
    nobody = here("behavior", url, "u-1", "--tenant", "t-2", "--days", 1)
    assert (1, "", "No event of user u-1 is there, of t-2, in the last 1 day\n") == (
        nobody.returncode,
        nobody.stdout,
        nobody.stderr,
    )
    assert (2, 2) == tuple(here("behavior", url, *users, "--all-tenants").returncode for users in ((), ("a", "b")))


def test_suspicious_events_are_a_finding(url: str) -> None:
    """Exit code 1 where there are some, 0 where there are none; as many as are asked for."""
    some = here("suspicious", url, "--tenant", "t-1")
    assert (1, "", 2) == (some.returncode, some.stderr, len(some.stdout.splitlines()))
    one = here("suspicious", url, "--all-tenants", "--hours", "6", "--json")
    assert (1, [RECENT[0].id]) == (one.returncode, [json.loads(line)["id"] for line in one.stdout.splitlines()])
    none = here("suspicious", url, "--tenant", "t-2")
    assert (0, "", True) == (none.returncode, none.stdout, "of t-2, in the last 24 hours" in none.stderr)
    assert "may be more" in here("suspicious", url, "--tenant", "t-1", "--limit", 1).stderr


async def test_a_server_says_the_same(url: str, postgres_url: str) -> None:
    """Each command prints of the same events the same there."""
    await filled(postgres_url, GIVEN)
    for command in (
        ("count", "--by", "action", "--by", "outcome"),
        ("count", "--by", "day", "--until", "2026-03-02"),
        ("top", "--by", "resource_type"),
        ("suspicious",),
    ):
        both = [
            await asyncio.to_thread(here, command[0], each, "--all-tenants", *command[1:])
            for each in (url, postgres_url)
        ]
        assert both[0].stdout == both[1].stdout != ""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("count", "--by", "usr"), "there are action"),
        (("count", "--by", "day", "--by", "action"), "stand alone"),
        (("count", "--by", "day", "--limit", "3"), "--by day shows every day"),
        (("count", "--limit", "3"), "there is one number"),
        (("count", "--by", "action", "--limit", "0"), "whole number from 1"),
        (("top", "--by", "details"), "there are action"),
        (("behavior", "u-1", "--days", "-1"), "above 0"),
        (("suspicious", "--hours", "nan"), "above 0"),
        (("suspicious", "--limit", "0"), "whole number from 1"),
    ],
)
def test_a_slip_is_told_with_what_is_allowed(arguments: tuple[str, ...], said: str, url: str) -> None:
    """Exit code 2, what is wrong, and what is right."""
    done = here(*arguments, "--url", url, "--all-tenants")
    assert (2, "", True) == (done.returncode, done.stdout, said in done.stderr), done
    assert 2 == here(*arguments, "--url", url).returncode


def test_what_others_wrote_commands_no_terminal(tmp_path: Path) -> None:
    """Whatever is counted by, or whose behavior is asked for, is shown as letters."""
    url = filled_file(tmp_path / "audit.db", [hostile()])
    user = hostile().user_id
    for command in (("count", "--by=action", "--by=user"), ("top",), ("behavior", user), ("behavior", f"{user}x")):
        for form in ((), ("--json",)):
            done = here(*command, "--url", url, "--all-tenants", *form)
            assert (done.stdout + done.stderr).replace("\n", "").isprintable()
            assert form or done.returncode or SHOWN in done.stdout


@pytest.mark.parametrize("width", [20, 60, 200, None])
def test_no_value_is_cut(width: int | None) -> None:
    """However narrow, a number and its cells are on one line; the longest bar is of the largest number."""
    rows = [(1_234_567, ["日本" * 3, "x" * 50]), (0, ["", "y"])]
    told = [line.plain for line in lines(("events", "a", "b"), rows, width)]
    *_, first, last = told
    assert first.startswith(f"1,234,567  {'日本' * 3}  {'x' * 50}")
    assert last == "        0  -             y"
    assert ("#" * 20 in first) == (width == 200)
    assert len(told) == (2 if width is None else 3)
    assert cell_len(first) <= 200


def test_a_terminal_gets_headings(url: str) -> None:
    """And bars; a pipe gets numbers alone."""
    shown = at_terminal(80, "count", url, "--all-tenants", "--by", "action")
    assert ("\x1b[1mevents  action\x1b[0m" in shown, "####################" in shown) == (True, True)
    assert "#" not in here("count", url, "--all-tenants", "--by", "action").stdout


def test_real_records_are_counted(tmp_path: Path) -> None:
    """By user, of the real records, as a plain reckoning does."""
    from scripts.demo_parts.mapping import event_of
    from scripts.demo_parts.records import read_records

    records = read_records(shared_file("data/m365_identity_events.jsonl"), rounds=1)
    given = [event_of(record) for record in records]
    url = filled_file(tmp_path / "audit.db", given)
    found = objects(here("count", url, "--all-tenants", "--by", "user", "--by", "outcome", "--json"))
    assert Counter((event.user_id, event.outcome) for event in given) == {
        (each["user_id"], each["outcome"]): each["events"] for each in found
    }


async def test_at_a_terminal_it_is_said_that_it_takes_long(postgres_url: str) -> None:
    """Where a table is locked a terminal shows that something goes on, a pipe does not; in the time that was given
    both say that it took too long."""
    await filled(postgres_url, GIVEN[:1])
    asked = ("count", postgres_url, "--all-tenants", "--timeout", "1")
    engine = create_async_engine(postgres_url, poolclass=NullPool)
    async with engine.begin() as connection:
        await connection.execute(text("LOCK TABLE audit_logs IN ACCESS EXCLUSIVE MODE"))
        shown = await asyncio.to_thread(at_terminal, 80, *asked)
        piped = await asyncio.to_thread(here, *asked)
    await engine.dispose()
    assert (True, True) == ("Counting" in shown, "took longer than 1 s" in shown)
    assert (1, "", False) == (piped.returncode, piped.stdout, "Counting" in piped.stderr)
    assert "--timeout" in piped.stderr
