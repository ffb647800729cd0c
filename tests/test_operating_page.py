"""docs/operating.md is true: its commands run as they stand, in their order."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from audit_async import AuditLogger, events
from audit_async.cli import journal, quarantine
from audit_async.config import CLOSE_SECONDS, FOREIGN_KEY_SECONDS, MIB, SEGMENT_BYTES
from tests.tables import all_rows
from tests.test_cli import audit_async
from tests.test_cli_quarantine import put

PAGE = (Path(__file__).parent.parent / "docs" / "operating.md").read_text()
COMMANDS = [line for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()]


@pytest.mark.timeout(180)  # nine programs, one after another, on a machine that may be busy
async def test_the_commands_run_as_they_stand(sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each ends with 0 beside a journal and a quarantine; in the end everything is in the table."""
    monkeypatch.setenv("AUDIT_DATABASE_URL", sqlite_url)
    monkeypatch.setenv("AUDIT_JOURNAL_DIR", str(tmp_path / "j"))
    logger = AuditLogger(writer="none")
    logger.log(events.custom("report.print", details={"number": 1}))
    logger.close_sync()
    put(sqlite_url, tmp_path / "j", 2)
    for line in COMMANDS:
        if "drop" in line:
            put(sqlite_url, tmp_path / "j", 3, first_seq=3)
        done = audit_async(*shlex.split(line)[1:])
        # A busy machine may not take the event of `drop` in time, which is said; `drain` brings it then.
        assert (0, True) == (done.returncode, done.stderr == "" or "drop" in line), (line, done.stderr)
    stored = [row["details"].get("number") for row in await all_rows(sqlite_url)]
    assert [1, 2, None] == stored


def test_the_page_names_what_there_is() -> None:
    """Every command and every state that `journal ls` can show is on the page, and its numbers are those of the
    code."""
    source = Path(journal.__file__).read_text()
    states = set(re.findall(r'"([a-z]+ [a-z]+)"', source.split("def _states")[1].split("def _is_foreign")[0]))
    assert {"living here", "unknown format", "other host", "left over", "other destination"} <= states
    assert [] == [state for state in states if f"| {state} |" not in PAGE]
    for application in (journal.journals, quarantine.quarantined):
        names = [name for name in application if not name.startswith("-")]
        assert [] == [name for name in names if f"`{name}" not in PAGE and f" {name}" not in PAGE]
    assert (f"{SEGMENT_BYTES // MIB} MiB" in PAGE, FOREIGN_KEY_SECONDS, CLOSE_SECONDS) == (True, 60, 5)
