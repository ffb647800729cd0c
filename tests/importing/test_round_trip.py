"""What an export of ours wrote is imported as the events that it was made of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from audit_async import AuditEvent, events
from audit_async.events.vocabulary import TERMS
from audit_async.importing.formats import FORMATS, Reading
from audit_async.importing.records import read_records
from audit_async.importing.source import opened
from tests.importing.test_own import FULL, PLAIN
from tests.shared import shared_file

exports: Any = pytest.importorskip("audit_async.exports", reason="there are no exports to read back")


def back(directory: Path, format: str, given: list[AuditEvent]) -> list[AuditEvent]:
    """Export *given*, and return what becomes of the file."""
    with (directory / "file").open("wb") as file:
        sink = exports.open_export(format, file)
        sink.write(given)
        sink.close()
    kind = FORMATS[format]
    with opened(directory / "file") as (_, content):
        return [kind.read(each.body or {}, Reading()).event for each in read_records(content, kind.header_mark)]


def real_events() -> list[AuditEvent]:
    with opened(shared_file("data/m365_identity_events.jsonl")) as (_, content):
        return [FORMATS["m365"].read(each.body or {}, Reading()).event for each in read_records(content)]


@pytest.mark.parametrize("format", ["jsonl", "csv"])
def test_the_real_events_come_back_whole(format: str, tmp_path: Path) -> None:
    """Every field of every one of them."""
    given = real_events()
    assert given == back(tmp_path, format, given)


@pytest.mark.parametrize("format", ["jsonl", "csv"])
def test_every_field_comes_back(format: str, tmp_path: Path) -> None:
    """Formulas, numbers, empty objects, nothing at all."""
    assert [FULL, PLAIN] == back(tmp_path, format, [FULL, PLAIN])


def test_the_real_events_come_back_from_ocsf(tmp_path: Path) -> None:
    """With all that they say; only who is the user of an actor is not told apart."""
    given = real_events()
    for before, after in zip(given, back(tmp_path, "ocsf", given), strict=True):
        assert before == msgspec.structs.replace(after, user_id=before.user_id, actor_id=before.actor_id)


@pytest.mark.parametrize("name", [*sorted(TERMS), "report.print"])
def test_every_action_comes_back_from_ocsf(name: str, tmp_path: Path) -> None:
    """Action, outcome, severity, time to the microsecond, resource and details are what they were."""
    given = [
        events.custom(
            name,
            created_at="2026-03-01T09:30:00.123456Z",
            outcome=outcome,
            user_id="u-1",
            actor_id="a-1",
            actor_type="user",
            resource_type=kind,
            resource_id="r-1",
            details={"n": 1, "role_name": "x"},
            tags=["a"],
        )
        for outcome in ("success", "denied", "partial")
        for kind in ("user", "report")
    ]
    assert given == back(tmp_path, "ocsf", given)
