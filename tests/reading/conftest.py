"""Databases to read from."""

from __future__ import annotations

from tests.store.conftest import empty as empty
from tests.store.conftest import place as place
