"""An import that is killed, wherever it is, and started again: each record is in the table once."""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path

import pytest

from audit_async import create_table
from audit_async.config import IMPORT_BATCH_RECORDS
from audit_async.importing.cursor import SUFFIX
from tests.children import Child
from tests.importing.files import TIME, lines
from tests.polling import eventually
from tests.tables import all_rows, count_rows
from tests.test_cli import audit_async

RECORDS = 8 * IMPORT_BATCH_RECORDS
KILLS = 2


@pytest.mark.timeout(180)  # four programs, one after another, on a machine that may be busy
async def test_killed_and_started_again_it_brings_each_record_once(sqlite_url: str, tmp_path: Path) -> None:
    """With `kill -9` at random points, of records with an id and without one, alike or not, none is lost or doubled."""
    await create_table(sqlite_url)
    file = lines(
        tmp_path / "file.jsonl",
        (
            {"created_at": TIME, "action": "report.print", "details": {"number": number // 3}}
            | ({"id": f"own-{number}"} if number % 2 else {})
            for number in range(RECORDS)
        ),
    )
    arguments = ("import", file, "--format", "jsonl", "--url", sqlite_url, "--journal-dir", tmp_path / "j")
    for kill in range(KILLS):
        target = RECORDS * kill // KILLS + random.randrange(1, RECORDS // KILLS // 2)
        with Child("__main__", *arguments, package="audit_async") as child:

            async def is_far(target: int = target, child: Child = child) -> bool:
                return child.returncode is not None or await count_rows(sqlite_url) >= target

            await eventually(is_far, 50)
            child.kill()
    was_begun = file.with_name(file.name + SUFFIX).exists()
    done = audit_async(*arguments, "--json")
    report = json.loads(done.stdout)
    assert (0, RECORDS, was_begun) == (done.returncode, report["confirmed"], report["earlier"] > 0)
    # The kill may come in the very moment of an append.
    assert all("is cut off after" in line for line in done.stderr.splitlines())
    assert 0 == audit_async("drain", sqlite_url, "--journal-dir", tmp_path / "j").returncode
    rows = [row for row in await all_rows(sqlite_url) if row["action"] == "report.print"]
    wanted = Counter(number // 3 for number in range(RECORDS))
    assert (RECORDS, wanted) == (len(rows), Counter(row["details"]["number"] for row in rows))
