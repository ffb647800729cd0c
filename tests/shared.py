"""What lies beside the project where it is developed, and is missing in a clone of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

SHARED = Path(__file__).parent.parent.parent / "shared"


def shared_file(name: str) -> Path:
    """Return the file *name* from beside the project, or skip the test."""
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"no {name} beside this clone")
    return path
