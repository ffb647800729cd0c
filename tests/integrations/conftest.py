"""What the tests of integrations share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integrations.log import Log, logging_to


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    """A logger into a SQLite file."""
    with logging_to(tmp_path) as log:
        yield log
