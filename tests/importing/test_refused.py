"""What of a file is refused, and where it is kept; and what is said of wrong use before anything is logged."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from audit_async import AuditLogger
from audit_async.config import IMPORT_BATCH_RECORDS, SHOWN_REJECTS
from audit_async.errors import AuditError, ConfigurationError
from audit_async.importing import import_file
from tests.importing.cancelled import import_in_part
from tests.importing.files import TIME, events_of, lines
from tests.tables import count_rows


async def test_two_records_of_one_key_are_not_both_said_to_be_there(
    audit: AuditLogger, sqlite_url: str, tmp_path: Path
) -> None:
    """The table has a row for one of them: another that says the same counts as repeated, one that does not is
    refused, also by a run that goes on."""
    first, *others = (
        {"id": "1", "created_at": TIME, "action": "a.b", "user_id": "u"},
        {"created_at": TIME, "action": "a.c", "id": "1"},
        {"user_id": "u", "action": "a.b", "created_at": TIME, "id": "1"},
        {"id": "1", "created_at": "2026-03-02", "action": "a.c"},
    )
    file, rejects = lines(tmp_path / "file", [first, *events_of(IMPORT_BATCH_RECORDS), *others]), tmp_path / "rejects"
    await import_in_part(file, audit, logs_itself=False)
    report = await import_file(file, "jsonl", audit=audit, logs_itself=False, rejects=rejects)
    said = "it has the id and time of line 1, and says something else"
    assert [(IMPORT_BATCH_RECORDS + 2, said)] == [(each.line, each.reason) for each in report.rejected]
    assert (False, [others[0]]) == (
        report.is_complete,
        [json.loads(each) for each in rejects.read_bytes().splitlines()],
    )
    rows = await count_rows(sqlite_url)
    assert (rows, rows, 1) == (report.confirmed - 1, IMPORT_BATCH_RECORDS + 2, report.repeated)


async def test_what_is_refused_is_named_and_kept_for_mending(audit: AuditLogger, tmp_path: Path) -> None:
    """The first by line and reason, all by number, and each as it stands in a file of its own."""
    bad = [b"no json \xff\n", b'{"action": "a.b"}\n'] * SHOWN_REJECTS
    good = [json.dumps(each).encode() + b"\n" for each in events_of(len(bad))]
    file, rejects = tmp_path / "file", tmp_path / "rejects"
    file.write_bytes(b"".join(part for pair in zip(bad, good, strict=True) for part in pair))
    report = await import_file(file, "jsonl", audit=audit, rejects=rejects)
    assert (len(bad), len(good), len(good)) == (report.refused, report.mapped, report.confirmed)
    assert [1, 3, 5] == [each.line for each in report.rejected[:3]]
    assert (SHOWN_REJECTS, "no UTF-8", "it has no time") == (
        len(report.rejected),
        report.rejected[0].reason,
        report.rejected[1].reason,
    )
    assert b"".join(bad) == rejects.read_bytes()


async def test_rows_are_kept_for_mending_with_their_header(tmp_path: Path) -> None:
    """What was refused of a table is a table, which can be imported when it is mended."""
    file, rejects = tmp_path / "file.csv", tmp_path / "rejects"
    file.write_bytes(b"created_at,action\r\n" + f"{TIME},a.b\r\n".encode() + b",a.b\r\nnow,a.b\r\n")
    report = await import_file(file, "csv", rejects=rejects, dry_run=True)
    assert (1, 2, b"created_at,action\r\n,a.b\r\nnow,a.b\r\n") == (
        report.mapped,
        report.refused,
        rejects.read_bytes(),
    )


@pytest.mark.parametrize(
    ("format", "options", "named"),
    [
        ("m356", {}, "m365"),
        ("csv", {"columns": {"when": "created"}}, "created_at"),
        ("m365", {"columns": {"when": "created_at"}}, "fixed"),
        ("jsonl", {"rejects": "file"}, "another name"),
        ("jsonl", {"rejects": "."}, "is a folder"),
        ("jsonl", {"rejects": "other"}, "already"),
        ("jsonl", {"rejects": "none/other"}, "no folder"),
        ("jsonl", {"columns": {"x": "id", "y": "id"}}, "'x' and 'y' are both"),
        ("jsonl", {"tenant_id": ""}, "tenant"),
        ("jsonl", {"wait_seconds": math.nan}, "nan is no time"),
    ],
)
async def test_wrong_use_is_told_before_anything_is_logged(
    format: str, options: dict[str, Any], named: str, audit: AuditLogger, tmp_path: Path
) -> None:
    """The message names what is right."""
    file, other = lines(tmp_path / "file", events_of(1)), lines(tmp_path / "other", [])
    if "rejects" in options:
        options = {"rejects": tmp_path / options["rejects"]}
    with pytest.raises(ConfigurationError, match=named):
        await import_file(file, format, audit=audit, **options)
    assert (0, True, {file, other}) == (
        audit.stats().accepted,
        file.read_bytes() != b"",
        {each for each in tmp_path.iterdir() if each.is_file() and "audit.db" not in each.name},
    )


async def test_what_is_refused_has_its_name_when_all_of_it_is_there(audit: AuditLogger, tmp_path: Path) -> None:
    """A run that is cut short leaves a part, which the next one writes anew; a file that is there is replaced only by
    who says so."""
    file, rejects = lines(tmp_path / "file", [1, *events_of(3 * IMPORT_BATCH_RECORDS), 2]), tmp_path / "rejects"
    await import_in_part(file, audit, rejects=rejects)
    assert (False, True) == (rejects.exists(), rejects.with_name("rejects.part").exists())
    await import_file(file, "jsonl", audit=audit, rejects=rejects)
    assert (b"1\n2\n", False) == (rejects.read_bytes(), rejects.with_name("rejects.part").exists())
    await import_file(lines(file, [3]), "jsonl", audit=audit, rejects=rejects, may_replace=True)
    assert b"3\n" == rejects.read_bytes()


async def test_what_is_refused_may_go_to_a_device(tmp_path: Path) -> None:
    """It is written to and not replaced; a full one is told."""
    file = lines(tmp_path / "file", [1])
    assert 1 == (await import_file(file, "jsonl", dry_run=True, rejects="/dev/null")).refused
    with pytest.raises(AuditError, match="/dev/full") as told:
        await import_file(file, "jsonl", dry_run=True, rejects="/dev/full")
    assert "another place" in str(told.value.hint)


@pytest.mark.parametrize("format", ["m365", "csv", "ocsf"])
@pytest.mark.parametrize(
    "data", [b"", b"\0" * 1000, b"\xff\xfe\x00\xd8{\x00", b"x" * 10_000_000, b"[" * 100_000, b'"\n' * 9]
)
async def test_no_file_ends_an_import(format: str, data: bytes, tmp_path: Path) -> None:
    """Whatever is in it: what cannot be read is refused."""
    (tmp_path / "file").write_bytes(data)
    report = await import_file(tmp_path / "file", format, dry_run=True)
    assert (0, report.records, None) == (report.mapped, report.refused, report.stopped)
