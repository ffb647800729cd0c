"""Settings: arguments, then the environment, then the embedded default."""

from __future__ import annotations

from pathlib import Path

import pytest

from audit_async.errors import ConfigurationError
from audit_async.settings import read_settings

VARIABLES = ("AUDIT_DATABASE_URL", "AUDIT_JOURNAL_DIR", "AUDIT_SERVICE", "STATE_DIRECTORY", "XDG_STATE_HOME")


@pytest.fixture(autouse=True)
def empty_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


def test_nothing_given_is_a_file_in_the_working_directory(tmp_path: Path) -> None:
    """Without any setting events go to `audit.db` here, their journal beside it."""
    settings = read_settings()
    assert (str(tmp_path / "audit.db"), tmp_path / "audit.db.events") == (
        settings.address.database,
        settings.journal_dir,
    )
    assert settings.is_embedded


def test_the_environment_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`AUDIT_DATABASE_URL`, `AUDIT_JOURNAL_DIR` and `AUDIT_SERVICE` are the defaults of their arguments."""
    monkeypatch.setenv("AUDIT_DATABASE_URL", "postgresql+asyncpg://db/app")
    monkeypatch.setenv("AUDIT_JOURNAL_DIR", str(tmp_path / "j"))
    monkeypatch.setenv("AUDIT_SERVICE", "billing")
    settings = read_settings()
    assert ("postgresql://db:5432/app", tmp_path / "j", "billing") == (
        str(settings.address),
        settings.journal_dir,
        settings.service,
    )


def test_an_argument_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What is given in code counts more than what is set around it."""
    monkeypatch.setenv("AUDIT_SERVICE", "billing")
    assert read_settings(service="shop", journal_dir=tmp_path).service == "shop"


def test_a_unit_s_state_directory_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Under systemd the first of the unit's state directories holds the journal."""
    monkeypatch.setenv("STATE_DIRECTORY", "/var/lib/one:/var/lib/two")
    assert Path("/var/lib/one/audit") == read_settings("postgresql+asyncpg://db/app").journal_dir


def test_the_user_s_state_directory_is_the_last_resort(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise the journal is in the user's state directory."""
    monkeypatch.setenv("XDG_STATE_HOME", "/home/someone/.state")
    assert Path("/home/someone/.state/audit_async") == read_settings("postgresql+asyncpg://db/app").journal_dir


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"writer": "process"}, "give 'thread'"),
        ({"max_wait_seconds": -1}, "give seconds"),
        ({"max_wait_seconds": float("nan")}, "give seconds"),
        ({"max_wait_seconds": "2"}, "give seconds"),
        ({"journal_max_bytes": 1000}, "two segments"),
        ({"journal_max_bytes": "1GB"}, "two segments"),
        ({"memory_max_bytes": -1}, "no number of bytes"),
        ({"max_wait_seconds": 10**400}, "give seconds"),
        ({"journal_max_bytes": float("inf")}, "no number"),
        ({"journal_max_bytes": 10**400}, "no number"),
        ({"memory_max_bytes": float("inf")}, "no number of bytes"),
        ({"memory_max_bytes": float("nan")}, "no number of bytes"),
        ({"strict": "false"}, "neither True nor False"),
        ({"mirror": 1}, "neither True nor False"),
        ({"table": ""}, "names no table"),
        ({"table": 5}, "names no table"),
    ],
)
def test_a_setting_that_cannot_be_meant_is_answered(options: dict[str, object], said: str) -> None:
    """A wrong setting is an error that says what to give."""
    with pytest.raises(ConfigurationError, match=said):
        read_settings(**options)  # type: ignore[arg-type]
