"""docs/reading.md is true: the session is what is seen beside the real records, and the program runs."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest

from audit_async import AuditLogger, create_table, events
from tests.shared import shared_file
from tests.tables import run_sql
from tests.terminal import here

PAGE = (Path(__file__).parents[2] / "docs" / "reading.md").read_text()
TENANT = "0873ee4d-d342-44f2-8961-74c442a2fad2"


def session() -> list[tuple[str, list[str]]]:
    """Return the commands of the page, each with what it shows."""
    lines = [line for block in re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()]
    found: list[tuple[str, list[str]]] = []
    for line in lines:
        if line.startswith("$ "):
            found.append((line.removeprefix("$ audit-async "), []))
        else:
            found[-1][1].append(line)
    return found


def test_the_session_is_what_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sqlite_url: str) -> None:
    """Each command shows what the page says; where it leaves something out, there is more."""
    shutil.copy(shared_file("data/m365_identity_events.jsonl"), tmp_path / "entra.jsonl")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AUDIT_DATABASE_URL", sqlite_url)
    monkeypatch.setenv("AUDIT_JOURNAL_DIR", str(tmp_path / "journal"))
    assert 0 == here("init", sqlite_url).returncode
    assert 0 == here("import", "entra.jsonl", "--format", "m365", "--quiet-log").returncode
    for command, shown in session():
        done = here(*shlex.split(command.replace("$TENANT", TENANT)))
        assert 0 == done.returncode, done.stderr
        lines = [line.rstrip() for line in (done.stdout or done.stderr).splitlines()]
        is_cut = shown[-1] == "..."
        expected = shown[:-1] if is_cut else shown
        seen = lines[: len(expected)] if is_cut else lines
        # How long ago it was is another number every day.
        assert [line for line in expected if "days ago" not in line] == [
            line for line in seen if "days ago" not in line
        ]
        assert not is_cut or len(lines) > len(expected)


async def test_the_program_runs(sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It prints what was logged, and its export is in the log."""
    monkeypatch.chdir(tmp_path)
    await create_table(sqlite_url)
    [block] = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    names: dict[str, object] = {}
    exec(block, names)
    async with AuditLogger(sqlite_url, journal_dir=tmp_path / "journal") as audit:
        for _ in range(60):
            await audit.log(events.auth("login", user_id="u-17", tenant_id="t-1", success=False)).on_disk()
        assert await audit.flush(30)
        await names["look"](sqlite_url, audit)  # type: ignore[operator]
        assert await audit.flush(30)
    assert 61 == len((tmp_path / "failures.csv").read_text().splitlines())
    (told,) = await run_sql(sqlite_url, "SELECT * FROM audit_logs WHERE action = 'audit.export'")
    assert (60, "t-1") == (told["details"]["events"], told["tenant_id"])
