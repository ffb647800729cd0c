"""The portal runs: what it does is in its trail, and SIGKILL in the middle loses nothing, and doubles nothing."""

from __future__ import annotations

import http.client
import signal
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.children import Child
from tests.examples.browser import Answer, Browser
from tests.polling import eventually, eventually_sync
from tests.servers.process import free_port
from tests.tables import all_rows

ANSWERS_BEFORE_KILL = 60
"""Of all browsers together: by then each of them has signed in, and done everything some times."""

LOGGED = {"/sign-in/callback": "sso.login", "/members/ben/role": "role.assign", "/sign-out": "auth.logout"}
"""What an endpoint logs itself, before it answers."""


@contextmanager
def portal(url: str, folder: Path) -> Iterator[tuple[Child, int]]:
    """Start the example as `examples/run` does, and give it when it answers; behind the block it is ended."""
    port = free_port()
    with Child("portal", url, "--folder", folder, "--port", port, package="examples") as child:
        with Browser(port) as browser:
            eventually_sync(browser.is_answered, 30)
        yield child, port
        child.kill(signal.SIGTERM)


def is_synced(browser: Browser) -> bool:
    """Return whether the first sync is over: both its own events are in the trail, and nothing is left to come."""
    return {"org.sync_start", "org.sync"} <= {row[1] for row in browser.rows("/audit")}


@pytest.fixture(params=["sqlite_url", "postgres_url"])
def url(request: pytest.FixtureRequest) -> str:
    """A database without any table."""
    found = request.getfixturevalue(request.param)
    assert isinstance(found, str)
    return found


async def test_the_trail_is_of_one_company(postgres_url: str, tmp_path: Path) -> None:
    """Who signs in sees what was done in the own company, by whom, and nothing of another's; only who may sees it."""
    with (
        portal(postgres_url, tmp_path) as (_, port),
        Browser(port) as ann,
        Browser(port) as gus,
        Browser(port) as nobody,
    ):
        eventually_sync(lambda: ann.sign_in("acme/ann").status == 303 and ann.ask("/").status == 200)
        eventually_sync(lambda: gus.sign_in("globex/gus").status == 303 and gus.ask("/").status == 200)
        eventually_sync(lambda: is_synced(ann))
        assert 401 == nobody.sign_in("").status
        assert 401 == nobody.ask("/").status
        assert 303 == ann.ask("/members/ben/role?role=admin", "POST").status
        assert 404 == ann.ask("/members/gus/role?role=member", "POST").status
        assert 303 == ann.ask("/sync", "POST").status
        assert ["Ben Baker", "Support", "admin"] in [row[:3] for row in ann.rows("/")]
        assigned = ["role.assign", "success", "ann", "admin", "Ben Baker becomes admin"]
        eventually_sync(lambda: assigned in [row[1:] for row in ann.rows("/audit")])
        eventually_sync(lambda: 2 == [row[1] for row in ann.rows("/audit")].count("org.sync"))
        failed = [row[2] for row in ann.rows("/audit") if row[1] == "org.sync"]
        assert ["partial", "partial"] == failed
        assert "role.assign" not in {row[1] for row in gus.rows("/audit")}
        with Browser(port) as ida:
            ida.sign_in("globex/ida")
            assert [200, 403] == [ida.ask("/").status, ida.ask("/audit").status]
    rows = await all_rows(postgres_url)
    refused = [row for row in rows if row["action"] == "sso.login" and row["outcome"] == "failure"]
    assert [(None, "127.0.0.1")] == [(row["tenant_id"], row["ip_address"]) for row in refused]
    asked = [row["actor_id"] for row in rows if row["action"] == "org.sync_start" and row["tenant_id"] == "acme"]
    assert ["directory.sync", "ann"] == asked


async def test_what_was_answered_is_in_the_log_once_after_sigkill(url: str, tmp_path: Path) -> None:
    """Killed in the middle of requests and started again, the portal has each event of an answered request exactly
    once, and no event of any request twice."""
    with portal(url, tmp_path) as (child, port):
        with Browser(port) as ann:
            eventually_sync(lambda: ann.sign_in("acme/ann").status == 303 and ann.ask("/").status == 200)
        browsers = [Browser(port) for _ in range(3)]
        threads = [threading.Thread(target=work_until_killed, args=(browser,)) for browser in browsers]
        for thread in threads:
            thread.start()
        eventually_sync(lambda: sum(len(browser.answers) for browser in browsers) >= ANSWERS_BEFORE_KILL, 30)
        child.kill(signal.SIGKILL)
        for thread in threads:
            thread.join(30)
    with portal(url, tmp_path):
        await eventually(lambda: len(list((tmp_path / "journal").glob("*.lock"))) == 1, 30)
    rows = await all_rows(url)
    asked = {request_id for browser in browsers for request_id in browser.asked}
    found = Counter(key_of(row) for row in rows if row["request_id"] in asked)
    assert {1} == set(found.values())
    answers = [answer for browser in browsers for answer in browser.answers]
    assert {answer.path for answer in answers} >= LOGGED.keys()
    assert [] == [answer for answer in answers if not is_told(answer, found)]
    # A request's own event follows its answer: of the last one of each connection it may be missing.
    followed = [answer for browser in browsers for answer in browser.answers[:-1] if "/company" not in answer.path]
    assert [] == [answer for answer in followed if (answer.request_id, "api.request", None) not in found]
    assert [] == [row for row in rows if row["action"] == "audit.gap"]


def test_a_port_that_is_taken_is_told_before_anything_is_begun(tmp_path: Path) -> None:
    """Without its port the example says so in one line, and neither a folder nor a log is made."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        errors, folder = tmp_path / "errors", tmp_path / "portal"
        with Child("portal", "--folder", folder, "--port", port, package="examples", errors=errors) as child:
            child.rest()
    said = errors.read_text().splitlines()[-1]
    assert f"port {port} cannot be had" in said
    assert said.endswith("name another one with --port")
    assert not folder.exists()


def test_ctrl_c_ends_it_without_a_traceback(sqlite_url: str, tmp_path: Path) -> None:
    """Whoever ends it as it says is shown no error of its own."""
    errors, port = tmp_path / "errors", free_port()
    with Child("portal", sqlite_url, "--folder", tmp_path, "--port", port, package="examples", errors=errors) as child:
        with Browser(port) as ann:
            eventually_sync(lambda: ann.is_answered() and ann.sign_in("acme/ann").status == 303, 30)
        child.kill(signal.SIGINT)
    said = errors.read_text()
    assert "Ctrl-C ends it" in said
    assert "KeyboardInterrupt" not in said


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["nonsense://x"], "one of"),
        (["x"], "as "),
        (["postgresql+asyncpg://u:secret@127.0.0.1:1/x"], "start the database, or correct host and port"),
        (["--folder", "/proc/x"], "name another one with --folder"),
        (["--folder", "/dev/null"], "name another one with --folder"),
    ],
)
def test_what_it_cannot_be_kept_in_is_told_in_one_line(tmp_path: Path, arguments: list[str], told: str) -> None:
    """A wrong database, one that is not there, and no folder are each a line with what to do."""
    errors, folder = tmp_path / "errors", ["--folder", str(tmp_path / "portal")]
    given = arguments if "--folder" in arguments else arguments + folder
    with Child("portal", *given, "--port", free_port(), package="examples", errors=errors) as child:
        child.rest()
    said = errors.read_text()
    assert 2 == child.returncode
    assert "Traceback" not in said
    assert "secret" not in said
    assert told in said.splitlines()[-1]


async def test_ctrl_c_in_the_first_sync_is_a_cancellation_and_no_traceback(sqlite_url: str, tmp_path: Path) -> None:
    """Its two jobs are in the trail as cancelled, and nothing is printed of them."""
    errors, port = tmp_path / "errors", free_port()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(30)
        company = {"PORTAL_COMPANY_URL": f"http://127.0.0.1:{silent.getsockname()[1]}"}
        arguments = ("portal", sqlite_url, "--folder", tmp_path, "--port", port)
        with (
            Child(*arguments, package="examples", errors=errors, environment=company) as child,
            Browser(port) as browser,
            silent.accept()[0],
        ):
            eventually_sync(browser.is_answered, 30)
            browser.close()
            child.kill(signal.SIGINT)
    assert "Traceback" not in errors.read_text()
    ends = {row["action"]: row["outcome"] for row in await all_rows(sqlite_url)}
    assert ("cancelled", "cancelled") == (ends["org.sync"], ends["job.finish"])


async def test_a_company_that_does_not_answer_is_a_line(sqlite_url: str, tmp_path: Path) -> None:
    """The portal serves: each sync has failed, in part the night, and who signs in is told why not."""
    errors, port, nobody = tmp_path / "errors", free_port(), free_port()
    company = {"PORTAL_COMPANY_URL": f"http://127.0.0.1:{nobody}"}
    arguments = ("portal", sqlite_url, "--folder", tmp_path, "--port", port)
    with Child(*arguments, package="examples", errors=errors, environment=company) as child, Browser(port) as ann:
        eventually_sync(ann.is_answered, 30)
        answer = ann.ask("/sign-in")
        eventually_sync(lambda: "globex" in errors.read_text(), 30)
        ann.close()
        child.kill(signal.SIGINT)
    assert (502, True) == (answer.status, "PORTAL_COMPANY_URL" in answer.text)
    said = errors.read_text()
    assert "Traceback" not in said
    assert [1, 1, 1] == [said.count(f"{each} does not answer") for each in ("provider", "acme", "globex")]
    rows = await all_rows(sqlite_url)
    assert ["failure", "failure"] == [row["outcome"] for row in rows if row["action"] == "org.sync"]
    assert ["partial"] == [row["outcome"] for row in rows if row["action"] == "job.finish"]


def work_until_killed(browser: Browser) -> None:
    """Sign in, change roles, sync and sign out, again and again, until nothing answers."""
    try:
        while True:
            browser.sign_in("acme/ann")
            for role in ("admin", "member"):
                browser.ask(f"/members/ben/role?role={role}", "POST")
                browser.ask("/")
            browser.ask("/sync", "POST")
            browser.ask("/sign-out", "POST")
    except (OSError, http.client.HTTPException):
        browser.close()


def key_of(row: dict[str, Any]) -> tuple[str, str, str | None]:
    """Return request and action, and the resource where a request has more than one of them."""
    return row["request_id"], row["action"], row["resource_id"] if row["action"].startswith("org.") else None


def is_told(answer: Answer, found: Counter[tuple[str, str, str | None]]) -> bool:
    """Return whether what the endpoint logged is there, if the answer says that it did."""
    action = LOGGED.get(answer.path)
    return action is None or answer.status != 303 or (answer.request_id, action, None) in found
