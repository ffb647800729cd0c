"""docs/org-sync.md is true: its sync of 5,000 departments and members leaves what it says, and no flood."""

from __future__ import annotations

import json
import re
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import parse_qs, urlsplit

import httpx2
import msgspec
import pytest

from audit_async.config import JOB_ITEMS
from tests.jobs.conftest import log
from tests.jobs.journal import Log

__all__ = ["log"]

PAGE = (Path(__file__).parents[2] / "docs" / "org-sync.md").read_text()
DEPARTMENTS, MEMBERS, NAMELESS = 400, 4_600, 7
Known: TypeAlias = dict[tuple[str, str], str]


@dataclass(slots=True)
class Directory:
    """What a server on the loopback says of a company: a page at a time, errors with status 200, as Feishu does."""

    address: str
    names: dict[str, dict[str, str]]
    refused_page: str = ""

    def answer(self, path: str, token: str, size: int) -> dict[str, Any]:
        if token and token == self.refused_page:
            return {"code": 99991400, "msg": "request trigger frequency limit"}
        items = [{"id": item_id, "name": name} for item_id, name in self.names[path].items()]
        start = int(token or 0)
        end = start + size
        page = {"items": items[start:end], "has_more": end < len(items), "page_token": str(end)}
        return {"code": 0, "msg": "success", "data": page}


@pytest.fixture
def directory() -> Iterator[Directory]:
    """A directory of 5,000, some of them without a name."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # one packet an answer: two wait for each other

        def do_GET(self) -> None:
            there = urlsplit(self.path)
            asked = {name: value for name, [value] in parse_qs(there.query).items()}
            answer = found.answer(there.path, asked.get("page_token", ""), int(asked["page_size"]))
            body = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        departments = {f"od-{number}": f"Department {number}" for number in range(DEPARTMENTS)}
        members = {f"ou-{number}": f"Member {number}" if number >= NAMELESS else "" for number in range(MEMBERS)}
        found = Directory(f"http://127.0.0.1:{server.server_port}", {"/departments": departments, "/members": members})
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield found
        server.shutdown()
        thread.join(20)


def recipe() -> dict[str, Any]:
    """Run the program of the page, and return its names."""
    [block] = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    names: dict[str, Any] = {"__name__": __name__}
    exec(compile(block, "recipe", "exec", dont_inherit=True), names)
    return names


async def run(log: Log, directory: Directory, known: Known, **options: Any) -> None:
    """Sync once."""
    async with httpx2.AsyncClient(base_url=directory.address) as client:
        await recipe()["sync"](log.audit, client, "t-1", known, **options)


async def test_a_first_sync_leaves_a_summary_and_its_failures(log: Log, directory: Directory) -> None:
    """Of 5,000 items 9 rows are left, with the details that stand on the page."""
    known: Known = {}
    await run(log, directory, known)
    first, *failures, last = await log.rows()
    assert DEPARTMENTS + MEMBERS - NAMELESS == len(known)
    assert ["org.sync_start", "org.sync", "partial"] == [first["action"], last["action"], last["outcome"]]
    assert {f"ou-{number}" for number in range(NAMELESS)} == {row["resource_id"] for row in failures}
    assert {("org.member_create", "failure", "no name")} == {
        (row["action"], row["outcome"], row["error_message"]) for row in failures
    }
    assert NAMELESS == len(failures)
    said = msgspec.json.decode(re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)[0])
    assert {**said, "job_id": last["resource_id"]} == last["details"]
    assert 1 == len({(row["tenant_id"], row["trace_id"]) for row in (first, *failures, last)})


@pytest.mark.parametrize(("options", "logged"), [({"each": 100}, JOB_ITEMS), ({"each": True}, 4_993)])
async def test_more_is_logged_where_that_is_asked_for(
    log: Log, directory: Directory, options: dict[str, Any], logged: int
) -> None:
    """`each` says how much of what went well is logged one by one; failures always are."""
    await run(log, directory, {}, **options)
    found = Counter(row["outcome"] for row in (await log.rows())[1:-1])
    assert {"success": logged, "failure": NAMELESS} == found
    assert f"first {JOB_ITEMS} are" in PAGE
    assert f"{4_993 + NAMELESS + 2:,} rows" in PAGE


async def test_a_second_sync_tells_what_has_changed(log: Log, directory: Directory) -> None:
    """Who has another name, and who has left, is counted; what is as it was is only a number."""
    known: Known = {}
    await run(log, directory, known)
    directory.names["/members"]["ou-100"] = "Another"
    del directory.names["/members"]["ou-200"]
    await run(log, directory, known)
    details = (await log.last())["details"]
    expected = {"unchanged": 4_991, "updated": 1, "deleted": 1, "failed": NAMELESS}
    assert expected == {name: details[name] for name in expected}
    assert {"org.member_update": 1, "org.member_delete": 1} == details["events_rolled_up"]


async def test_a_directory_that_breaks_off_ends_the_job(log: Log, directory: Directory) -> None:
    """The job is a failure, with the directory's reason and what had been done; nobody is deleted for it."""
    directory.refused_page = "1000"
    known: Known = {("member", "ou-4000"): "Member 4000"}
    with pytest.raises(Exception, match="frequency limit"):
        await run(log, directory, known)
    last = await log.last()
    assert ("org.sync", "failure") == (last["action"], last["outcome"])
    assert "DirectoryError: 99991400: request trigger frequency limit" == last["error_message"]
    assert DEPARTMENTS + 1_000 - NAMELESS == last["details"]["created"]
    assert "Member 4000" == known["member", "ou-4000"]
