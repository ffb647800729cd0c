"""Control characters: one record is one line, and none of them reaches a log or a terminal."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
from pathlib import Path

import pytest
from sqlalchemy import make_url

from audit_async import AuditLogger, TableMap, create_table, events
from audit_async.diagnostics import describe, one_line, report
from audit_async.errors import AuditError
from audit_async.maintenance.holds import place_hold
from tests.logs import heard
from tests.polling import eventually
from tests.tables import run_sql
from tests.terminal import filled_file, here, hostile
from tests.test_cli import audit_async

NASTY = {
    "line feed": "a\nINJECTED",
    "carriage return": "a\rINJECTED",
    "both": "a\r\nINJECTED",
    "line separator": "a\u2028INJECTED",
    "paragraph separator": "a\u2029INJECTED",
    "next line": "a\x85INJECTED",
    "vertical tab": "a\x0bINJECTED",
    "form feed": "a\x0cINJECTED",
    "colour": "a\x1b[31mINJECTED",
    "clear": "a\x1b[2J\x1b[HINJECTED",
    "title": "a\x1b]0;INJECTED\x07",
    "link": "a\x1b]8;;http://x\x1b\\INJECTED\x1b]8;;\x1b\\",
    "one byte": "a\x9b31mINJECTED",
    "bell": "a\x07INJECTED",
    "backspace": "a\b\b\bINJECTED",
    "delete": "a\x7fINJECTED",
    "direction": "a\u202eINJECTED",
    "isolate": "a\u2066INJECTED\u2069",
    "zero width": "a\u200bINJECTED\ufeff",
    "markup": "a[red]INJECTED[/]",
    "braces": "a{0.__class__}{x}%s%n",
}
EACH = pytest.mark.parametrize("name", NASTY)
# What `rich` itself writes to a terminal is no matter here: the tool's output goes into a pipe.
CONTROL = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u200b\ufeff\u202a-\u202e\u2066-\u2069]")


@EACH
def test_our_own_lines_are_lines(name: str) -> None:
    """Whatever comes into a message of ours, or into an error that it tells of, it is one printable line."""
    with heard() as lines:
        report("a", f"something is wrong with {NASTY[name]}")
        report("b", describe(ValueError(NASTY[name])))
        report("c", describe(AuditError(NASTY[name])))
    assert 3 == len(lines)
    assert all(line.endswith("\n") and line[:-1].isprintable() for line in lines)


@EACH
async def test_no_field_of_an_event_reaches_a_line(name: str, sqlite_url: str, tmp_path: Path) -> None:
    """With nasty texts in an event, the service and the destination, each mirrored line is one."""
    text = NASTY[name]
    fields = dict.fromkeys(("user_id", "tenant_id", "ip_address", "description", "error_message", "resource_id"), text)
    with heard() as lines:
        async with AuditLogger(
            sqlite_url, journal_dir=tmp_path / "journal", service=text, destination=text, mirror=True
        ) as audit:
            audit.log(events.custom(text, details={text: text}, tags=[text], **fields))
            audit.log(events.security("security.suspicious_activity", severity="critical", **fields))
            assert await audit.flush(20)
    assert all(line[:-1].isprintable() for line in lines)
    # The mirrored event, the mirrored security event, and its alert.
    assert 3 == len([line for line in lines if "AUDIT [" in line or "SECURITY ALERT" in line])


async def test_what_a_database_says_is_one_line(postgres_url: str, tmp_path: Path) -> None:
    """The names of database, user and table, and what a server says of them, are told on one line."""
    text = NASTIEST
    url = make_url(postgres_url).set(database=text, username=text).render_as_string(hide_password=False)
    with heard() as lines:
        async with AuditLogger(url, journal_dir=tmp_path / "journal") as audit:
            audit.log(events.custom("a"))
            await eventually(lambda: audit.stats().last_error, 20)
            health = audit.health()
            await audit.close(0)
    assert lines
    assert all(line[:-1].isprintable() for line in lines)
    assert "not" in str(health.reasons) or "refuses" in str(health.reasons)


def check(done: subprocess.CompletedProcess[str]) -> None:
    assert "Traceback" not in done.stderr
    assert [] == CONTROL.findall(done.stdout + done.stderr)
    # Where a line may begin with it, somebody has broken out of his.
    assert not re.search(r"^INJECTED", done.stdout + done.stderr, re.MULTILINE)


NASTIEST = "".join(text for name, text in NASTY.items() if name not in ("markup", "braces")) + "[red]x[/red]"


@pytest.fixture(scope="module")
def held_url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Our table, with a legal hold of a nasty tenant for a nasty reason."""
    url = f"sqlite+aiosqlite:///{tmp_path_factory.mktemp('held') / 'audit.db'}"

    async def place() -> None:
        await create_table(url)
        await place_hold(url, reason=NASTIEST, placed_by=NASTIEST, tenant_id=NASTIEST)

    asyncio.run(place())
    return url


@pytest.mark.parametrize(
    "arguments",
    [
        *(["catalog", "{}"], ["init", "{}"], ["init", "{url}", "--table", "{}"], ["{}"], ["init", "{url}", "--{}"]),
        *(["maintain", "{url}", "--keep", "{}"], ["maintain", "{url}", "--hold", "{}", "--reason", "{}"]),
        *(["maintain", "{url}", "--release", "{}"], ["maintain", "{url}", "--hold", "tenant={}", "--reason", "{}"]),
        *(["maintain", "{url}", "--holds"], ["drain", "{url}", "--journal-dir", "{}"], ["drain", "{url}", "--{}"]),
        *(["map", "check", "{url}", "--table", "{}"], ["map", "propose", "{url}", "{}"], ["map", "ready", "{}"]),
        *(["map", "check", "{url}", "--map", "{}"], ["roles", "{url}", "--writer", "{}"], ["upgrade", "{}"]),
        ["init", "sqlite+aiosqlite:///{}/x"],
        *(
            ["search", "{url}", "--tenant", "{}", "--cursor", "{}"],
            ["search", "{url}", "--all-tenants", "--since", "{}"],
        ),
        *(["search", "{url}", "--tenant", "{}", "--user", "{}"], ["search", "{url}", "--all-tenants", "--map", "{}"]),
        *(["show", "{url}", "--tenant", "{}", "{}"], ["count", "{url}", "--no-tenant", "--by", "{}"], ["show", "{}"]),
        *(["search", "{url}", "--all-tenants", "--detail", "{}"], ["top", "{url}", "--no-tenant", "--without", "{}"]),
        *(["tail", "{url}", "--tenant", "{}"], ["behavior", "{url}", "{}", "--tenant", "{}"], ["tail", "--{}"]),
        *(["suspicious", "{url}", "--tenant", "{}"], ["suspicious", "{url}", "--no-tenant", "--table", "{}"]),
    ],
    ids=" ".join,
)
def test_no_argument_reaches_the_terminal_as_it_is(arguments: list[str], held_url: str) -> None:
    """What a command repeats of its arguments, or of what it finds, has no control character in it."""
    check(here(*(each.replace("{url}", held_url).replace("{}", NASTIEST) for each in arguments)))


def test_no_event_reaches_the_terminal_as_it_is(tmp_path: Path) -> None:
    """`drain` of events with control characters, one of which the database refuses, shows none."""
    url = f"sqlite+aiosqlite:///{tmp_path / 'audit.db'}"
    audit = AuditLogger(url, journal_dir=tmp_path / "journal", writer="none", service=NASTIEST)
    audit.log(events.custom(NASTIEST, user_id=NASTIEST, details={NASTIEST: NASTIEST}))
    audit.close_sync(0)
    (segment,) = (tmp_path / "journal").glob("*.audj")
    assert segment.stat().st_size
    check(audit_async("drain", url, "--journal-dir", tmp_path / "journal"))


@pytest.fixture(scope="module")
def nasty_url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A table of events that have a nasty text wherever one can be."""
    return filled_file(
        tmp_path_factory.mktemp("nasty") / "audit.db",
        [hostile(NASTIEST, text=NASTIEST), *(hostile(tenant_id=text, text=text) for text in NASTY.values())],
    )


@pytest.mark.parametrize(
    "arguments",
    [
        *(["search"], ["search", "--all"], ["search", "--limit", "2"], ["search", "--json"], ["tail"]),
        *(["count", "--by", "action", "--by", "user", "--by", "tenant_id"], ["count", "--by", "user", "--json"]),
        *(["top"], ["top", "--by", "resource_type", "--json"], ["behavior", NASTIEST], ["suspicious"]),
    ],
    ids=" ".join,
)
def test_no_event_that_is_read_reaches_the_terminal_as_it_is(arguments: list[str], nasty_url: str) -> None:
    """Whatever is found, counted or looked for, no control character is in what a command of the reading wing says."""
    check(here(*arguments, "--all-tenants", "--url", nasty_url))


def test_no_event_that_is_shown_reaches_the_terminal_as_it_is(nasty_url: str) -> None:
    """Every event as a whole, each field and each key of its objects."""
    found = here("search", nasty_url, "--all-tenants", "--all", "--json").stdout.splitlines()
    assert 1 + len(NASTY) == len(found)
    ids = [json.loads(line)["id"] for line in found]
    check(here("show", nasty_url, "--all-tenants", *ids))
    check(here("show", nasty_url, "--all-tenants", *ids, "--json"))


async def test_no_name_in_a_table_reaches_the_terminal_as_it_is(postgres_url: str, tmp_path: Path) -> None:
    """`map propose` and `map check` of a table whose columns and constraints have nasty names show no control
    character, and the proposed map is TOML."""
    column = NASTIEST[:50].replace('"', "")
    await run_sql(
        postgres_url,
        f'CREATE TABLE trail (id text PRIMARY KEY, action text, "{column}" text NOT NULL, '
        f"CONSTRAINT \"{column}\" CHECK (id <> 'x'))".replace(":", "\\:"),
    )
    proposed = await asyncio.to_thread(audit_async, "map", "propose", postgres_url, "trail")
    check(proposed)
    (tmp_path / "map.toml").write_text(proposed.stdout)
    assert "trail" == TableMap.load(tmp_path / "map.toml").table
    check(await asyncio.to_thread(audit_async, "map", "check", postgres_url, "--map", tmp_path / "map.toml"))


def test_a_line_that_is_one_stays_as_it_is() -> None:
    """Letters of every alphabet, braces and quotes are text."""
    assert "日誌 é 'x' \"y\" {z} [w] \\" == one_line("日誌 é 'x' \"y\" {z} [w] \\")
