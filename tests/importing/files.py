"""Files to import, and what a plain re-calculation makes of them, with nothing of the library."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.shared import shared_file

TIME = "2026-03-01T09:30:00Z"


def real_records(directory: Path) -> Path:
    """Return a copy of the real records: an import leaves a cursor beside its file."""
    return Path(shutil.copy(shared_file("data/m365_identity_events.jsonl"), directory / "m365.jsonl"))


def operations_of(file: Path) -> Counter[str]:
    """Return how often each operation is in *file*."""
    return Counter(json.loads(line)["Operation"] for line in file.read_bytes().splitlines())


def lines(path: Path, objects: Iterable[Any]) -> Path:
    """Write *objects* to *path*, one a line."""
    path.write_bytes(b"".join(json.dumps(each, ensure_ascii=False).encode() + b"\n" for each in objects))
    return path


def events_of(count: int, **others: Any) -> list[dict[str, Any]]:
    """Return *count* objects with fields of ours, without an id, that differ in their details."""
    return [
        {"created_at": TIME, "action": "report.print", "details": {"number": number}, **others}
        for number in range(count)
    ]
