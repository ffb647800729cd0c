"""A logger into a SQLite file."""

from __future__ import annotations

from tests.jobs.conftest import log

__all__ = ["log"]
