"""A reader is told what can be meant, or says what can."""

from __future__ import annotations

import math

import pytest

from audit_async import AuditReader, Scope
from audit_async.errors import ConfigurationError


@pytest.mark.parametrize("seconds", [0, -1, math.inf, math.nan, 86_401])
def test_a_question_takes_some_time_and_not_any(seconds: float, sqlite_url: str) -> None:
    """A time that no server can be told is refused when the reader is made, and not when it is asked."""
    with pytest.raises(ConfigurationError, match="no question can take") as refused:
        AuditReader(sqlite_url, tenant=Scope.all(), statement_seconds=seconds)
    assert "more than 0" in str(refused.value.hint)
