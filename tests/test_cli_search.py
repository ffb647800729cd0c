"""`audit-async search`, run as a person runs it: every event that is asked for, whole, a page after another."""

from __future__ import annotations

import asyncio
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from rich.cells import cell_len

from audit_async import AuditEvent, TableMap, events
from audit_async.cli.listed import Listed
from audit_async.config import COLUMN_CHARS
from tests.shared import shared_file
from tests.tables import run_sql
from tests.terminal import HOSTILE, SHOWN, at_terminal, filled, filled_file, here, hostile, made

GIVEN = made()


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A SQLite file with the forty events."""
    return filled_file(tmp_path_factory.mktemp("log") / "audit.db", GIVEN)


def found(done: subprocess.CompletedProcess[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_each_event_is_one_line(url: str) -> None:
    """In a pipe an event is a line with everything that a list shows, the newest first; and how to go on is no part
    of the output."""
    done = here("search", url, "--tenant", "t-1", "--limit", 5)
    assert 0 == done.returncode
    lines = done.stdout.splitlines()
    assert [39, 36, 33, 30, 27] == [int(match[1]) for line in lines if (match := re.search(r"document:(\d+)", line))]
    event = GIVEN[36]
    words = ("2026-03-01 00:36:00Z", "auth.login", "success", "u-1", "document:36", "192.0.2.1", "Number 36 of a")
    assert [] == [word for word in words if word not in lines[1]]
    assert "t-1" not in done.stdout
    assert done.stderr.startswith("Next page: audit-async search sqlite")
    assert event.action in lines[1]


async def test_it_is_the_same_on_a_server(postgres_url: str) -> None:
    """With the database from the environment, filters, and one object a line."""
    await filled(postgres_url, GIVEN)
    asked = ("--all-tenants", "--action", "auth.*", "--outcome", "failure", "--since", "2026-03-01", "--json")
    done = await asyncio.to_thread(here, "search", *asked, AUDIT_DATABASE_URL=postgres_url)
    assert (0, "5 events\n") == (done.returncode, done.stderr)
    given = [event for event in reversed(GIVEN) if event.action.startswith("auth.") and event.outcome == "failure"]
    kept = ("action", "created_at", "tenant_id", "user_id", "resource_id", "details", "description", "success")
    assert [{name: event.to_dict()[name] for name in kept} for event in given] == [
        {name: event[name] for name in kept} for event in found(done)
    ]


def test_the_printed_command_leads_to_the_next_page(url: str) -> None:
    """Followed from page to page it shows every event once, and the last page says that there is none behind."""
    words = ["search", url, "--tenant", "t-1", "--no-tenant", "--user=u-1", "--user", "u-2", "--limit", "4", "--json"]
    seen: list[object] = []
    for _ in range(5):
        done = here(*words)
        seen += [event["id"] for event in found(done)]
        further = re.search("^Next page: audit-async (.*)$", done.stderr, re.MULTILINE)
        if further is None:
            break
        words = shlex.split(further[1])
    given = [event for event in GIVEN if event.tenant_id != "t-2" and event.user_id in ("u-1", "u-2")]
    assert len(given) == len(seen) == len(set(seen))
    back = re.search("^Page before: audit-async (.*)$", done.stderr, re.MULTILINE)
    assert back is not None
    assert seen[-4 - len(found(done)) : -len(found(done))] == [
        event["id"] for event in found(here(*shlex.split(back[1])))
    ]


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_all_is_every_page(form: tuple[str, ...], url: str) -> None:
    """`--all` goes through all pages, whatever the limit of one is, and asks nobody to go on."""
    done = here("search", url, "--all-tenants", "--all", "--limit", 3, *form)
    assert (0, "", 40) == (done.returncode, done.stderr, len(done.stdout.splitlines()))
    refused = here("search", url, "--all-tenants", "--all", "--cursor", "x")
    assert (2, True) == (refused.returncode, "exclude each other" in refused.stderr)


def test_nothing_found_is_exit_code_1(url: str) -> None:
    """As with `grep`; who was asked for is said, and the output is empty."""
    for more in ((), ("--all",), ("--json",)):
        done = here("search", url, "--tenant", "t-9", *more)
        assert (1, "", True) == (done.returncode, done.stdout, "of t-9" in done.stderr)


@pytest.mark.parametrize(
    ("action", "said"),
    [
        ("auth.logn", "'auth.logn' (did you mean 'auth.login'?)"),
        ("logn_failed", "(did you mean 'login_failed'?)"),
        ("aut.*", "'aut.*' (did you mean 'auth'?)"),
        ("door", "a family of your own is 'door.*'"),
        ("auth.lock*", None),
        ("sso_login_failed", None),
        ("api_key", None),
    ],
)
def test_an_action_that_nobody_knows_may_be_a_slip(action: str, said: str | None, url: str) -> None:
    """Where nothing is found, and it is no known action, that is told: `nothing happened` may be a wrong answer."""
    told = here("search", url, "--tenant", "t-1", "--action", action).stderr
    assert (said is not None) == ("HINT" in told)
    assert (said or "") in told


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--since", "2h"), "--tenant T"),
        (("--all-tenants", "--tenant", "t-1"), "--all-tenants excludes"),
        (("--all-tenants", "--since", "soon"), "HINT: write"),
        (("--all-tenants", "--cursor", "x"), "the cursor is damaged"),
        (("--all-tenants", "--limit", "501"), "1 to 500"),
        (("--all-tenants", "--limit", "many"), "--limit"),
        (("--all-tenants", "--usr", "u-1"), "Unknown option"),
        (("--all-tenants", "u-1"), "There is no place for: u-1"),
        (("--all-tenants", "--user", ""), "--user is empty"),
        (("--all-tenants", "--timeout", "0"), "more than 0"),
        (("--all-tenants", "--map", "/nowhere.toml"), "/nowhere.toml"),
    ],
)
def test_a_slip_is_told_with_what_is_allowed(arguments: tuple[str, ...], said: str, url: str) -> None:
    """Exit code 2, a line on what is wrong and one on what is right, and no traceback."""
    done = here("search", url, *arguments)
    assert (2, "", True) == (done.returncode, done.stdout, said in done.stderr), done
    assert "Traceback" not in done.stderr


def test_a_cursor_is_of_its_query(url: str) -> None:
    """With another filter, or another tenant, it is refused."""
    page = here("search", url, "--tenant", "t-1", "--limit", 2)
    cursor = page.stderr.rpartition(" ")[2].strip()
    assert cursor.startswith("--cursor=")
    for other in (("--tenant", "t-2"), ("--tenant", "t-1", "--user", "u-1")):
        done = here("search", url, *other, cursor)
        assert (2, True) == (done.returncode, "another query, scope or table" in done.stderr)


def test_without_a_database_none_is_made(tmp_path: Path) -> None:
    """A forgotten address, a file that is not there, and a server that is away are told; nothing is made."""
    command = [sys.executable, "-m", "audit_async", "search", "--all-tenants"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=50, check=False)
    assert (2, True) == (done.returncode, "no database is given" in done.stderr)
    missing = here("search", f"sqlite+aiosqlite:///{tmp_path}/a.db", "--all-tenants")
    away = here("search", "postgresql+asyncpg://u:secret@127.0.0.1:1/x", "--all-tenants")
    assert (True, True) == ("there is no SQLite file" in missing.stderr, "127.0.0.1:1" in away.stderr)
    assert (1, 1, []) == (missing.returncode, away.returncode, list(tmp_path.iterdir()))
    assert "secret" not in away.stderr


def test_an_address_with_a_password_is_not_repeated(url: str) -> None:
    """The printed command has stars in its place."""
    done = here("search", url.replace(":///", "://u:secret@/"), "--all-tenants", "--limit", 1)
    assert "secret" not in done.stdout + done.stderr


def test_what_others_wrote_commands_no_terminal(tmp_path: Path) -> None:
    """Control characters are shown as letters, in lines, in JSON, and in the command for the next page."""
    url = filled_file(tmp_path / "audit.db", [hostile(), *(events.custom("a", user_id=HOSTILE) for _ in range(3))])
    for form in ((), ("--json",), ("--all",)):
        done = here("search", url, "--all-tenants", "--user", HOSTILE, "--limit", 2, *form)
        said = (done.stdout + done.stderr).replace("\n", "")
        assert (0, True, "") == (done.returncode, said.isprintable(), done.stderr if form == ("--all",) else "")
    assert SHOWN in here("search", url, "--tenant", HOSTILE).stdout
    parsed = found(here("search", url, "--tenant", HOSTILE, "--json"))
    assert ([HOSTILE], {HOSTILE: HOSTILE}) == ([event["description"] for event in parsed], parsed[0]["details"])
    further = here("search", url, "--all-tenants", "--user", HOSTILE, "--limit", 1).stderr
    assert "the same with --cursor=" in further


@pytest.mark.parametrize("columns", [40, 60, 100, 200, None])
def test_no_value_is_cut(columns: int | None) -> None:
    """Whatever the width, every value of a list stands whole on one line, and no line is wider than the terminal."""
    given = [*GIVEN, events.custom("x", tenant_id="日本" * 3, user_id="u" * 30, description="plenty " * 50)]
    lines = [line.plain for line in Listed(columns, has_tenant=True).lines(given)]
    together = "\n".join(lines)
    for event in given:
        for value in (
            event.id,
            event.action,
            event.outcome,
            event.user_id,
            event.tenant_id or "",
            event.ip_address or "",
        ):
            assert any(str(value) in line for line in lines), value
    assert together.count("plenty") == 50
    assert [] == [line for line in lines if line != line.rstrip()]
    if columns is None:
        assert len(given) == len(lines)
    else:
        assert columns >= max(map(cell_len, lines))


def test_a_long_value_moves_its_own_line_only() -> None:
    """Beside it the columns of the others stay as narrow as they can be."""
    plain = [line.plain for line in Listed(None, has_tenant=False).lines(GIVEN[:3])]
    long = events.custom("report.print", user_id="u" * 200, resource_type="r" * 200, description="x")
    *beside, pushed = [line.plain for line in Listed(None, has_tenant=False).lines([*GIVEN[:3], long])]
    assert max(map(len, beside)) <= max(map(len, plain)) + 2 * COLUMN_CHARS
    assert "u" * 200 in pushed


def test_a_terminal_gets_colours_and_headings(url: str) -> None:
    """Failures are red and columns have names; with NO_COLOR no colour is left, and every word."""
    wide = at_terminal(200, "search", url, "--all-tenants")
    narrow = at_terminal(60, "search", url, "--all-tenants", NO_COLOR="1")
    assert (True, True) == ("\x1b[31mfailure\x1b[0m" in wide, "description\x1b[0m" in wide)
    assert ([], False) == (re.findall(r"\x1b\[3\dm", narrow), "description" in narrow.partition("Number")[0])
    assert all(event.id in each for event in GIVEN for each in (wide, narrow))


def test_a_row_that_cannot_be_read_is_shown_with_a_mark(tmp_path: Path) -> None:
    """Broken JSON in a legacy table ends no listing."""
    url = filled_file(tmp_path / "audit.db", [])
    names = "event_type description user_id api_key_id ip_address user_agent request_id status_code error_message"
    columns = ", ".join(f"{name} TEXT" for name in (*names.split(), "event_metadata", "created_at"))
    values = (
        "('login_failed', 'x', '{broken', '2026-03-01 00\\:00'), ('login_success', 'y', '{}', '2026-03-01 00\\:01')"
    )
    asyncio.run(
        run_sql(
            url,
            f"CREATE TABLE trail (id INTEGER PRIMARY KEY, {columns})",
            f"INSERT INTO trail (event_type, description, event_metadata, created_at) VALUES {values}",
        )
    )
    (tmp_path / "map.toml").write_text(TableMap.ready("aether", table="trail").to_toml())
    done = here("search", url, "--all-tenants", "--map", tmp_path / "map.toml")
    assert (0, 2) == (done.returncode, len(done.stdout.splitlines())), done
    assert [False, True] == ["cannot be read" in line for line in done.stdout.splitlines()]


def test_whoever_has_seen_enough_gets_no_traceback(url: str) -> None:
    """`| head` closes the pipe, which is no fault."""
    command = f"{sys.executable} -m audit_async search {shlex.quote(url)} --all-tenants --all --json | head -c 10"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=50, check=False)  # noqa: S602
    assert ("", True) == (done.stderr, done.stdout.startswith('{"id"'))


def test_real_records_are_found(tmp_path: Path) -> None:
    """Of the real records every one is a line, and each is what it was, as JSON."""
    from scripts.demo_parts.mapping import event_of
    from scripts.demo_parts.records import read_records

    records = read_records(shared_file("data/m365_identity_events.jsonl"), rounds=1)
    given: list[AuditEvent] = [event_of(record) for record in records]
    url = filled_file(tmp_path / "audit.db", given)
    done = here("search", url, "--all-tenants", "--all")
    assert (0, len(given)) == (done.returncode, len(done.stdout.splitlines()))
    listed = here("search", url, "--all-tenants", "--all", "--json", "--oldest-first")
    kept = ("action", "created_at", "user_id", "ip_address", "outcome", "description", "details")
    assert {event.id: {name: event.to_dict()[name] for name in kept} for event in given} == {
        event["id"]: {name: event[name] for name in kept} for event in found(listed)
    }
