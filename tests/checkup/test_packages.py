"""Packages whose faults are known are told by their versions."""

from __future__ import annotations

from audit_async.checkup.packages import of_versions


def test_versions_with_known_faults_are_told() -> None:
    """A driver below its least version is an error with the command that mends it; pre-releases count as theirs."""
    (old,) = (one for one in of_versions({"sqlalchemy": "2.0.40", "asyncpg": "0.31.9"}) if one.level == "error")
    assert ("asyncpg 0.31.9 is too old" in old.message, "pip install 'asyncpg>=0.32'") == (True, old.hint)
    assert ["ok"] == [one.level for one in of_versions({"sqlalchemy": "2.1.0rc1", "asyncpg": "0.32", "asyncmy": None})]
