"""The logger of the process: made when it is needed, replaced when it is configured otherwise."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from apscheduler.schedulers.background import BackgroundScheduler  # type: ignore[import-untyped]
from celery import Celery  # type: ignore[import-untyped]

from audit_async import (
    AuditLogger,
    ConfigurationError,
    ashutdown,
    audited_job,
    configure,
    events,
    get_audit_logger,
    shutdown,
)
from audit_async.integrations import apscheduler, celery, logging, loguru, prometheus, structlog, taskiq
from audit_async.middleware import AuditMiddleware
from tests.logs import heard
from tests.tables import count_rows

pytestmark = pytest.mark.usefixtures("no_default")


async def test_without_a_word_events_go_to_a_file_here(tmp_path: Path) -> None:
    """The first event of a program that configured nothing is in `audit.db`, and one line says where and how to
    change it."""
    with heard() as lines:
        await get_audit_logger().write(events.custom("report.print"))
        await get_audit_logger().write(events.custom("report.print"))
    assert await ashutdown()
    assert await count_rows(f"sqlite+aiosqlite:///{tmp_path}/audit.db") == 2
    said = [line for line in lines if str(tmp_path / "audit.db") in line and "AUDIT_DATABASE_URL" in line]
    assert len(said) == 1


def test_equal_settings_keep_the_logger(sqlite_url: str, tmp_path: Path) -> None:
    """Configuring the same again does nothing."""
    first = configure(sqlite_url, journal_dir=tmp_path / "j")
    assert first is configure(sqlite_url, journal_dir=tmp_path / "j")
    assert first is get_audit_logger()


async def test_other_settings_replace_it_and_lose_nothing(sqlite_url: str, tmp_path: Path) -> None:
    """A logger that is replaced delivers what it took, and is closed."""
    first = configure(sqlite_url, journal_dir=tmp_path / "j")
    first.log(events.custom("report.print"))
    second = configure(sqlite_url, journal_dir=tmp_path / "j", service="other")
    assert (True, False) == (first.is_closed, second.is_closed)
    assert await count_rows(sqlite_url) == 1


def test_a_wrong_setting_keeps_the_old_logger(sqlite_url: str, tmp_path: Path) -> None:
    """A setting that cannot be meant raises, and what was configured stays."""
    first = configure(sqlite_url, journal_dir=tmp_path / "j")
    with pytest.raises(ConfigurationError):
        configure("sqlite:///x.db")
    assert first is get_audit_logger()


def test_a_wrong_keyword_names_the_right_ones(sqlite_url: str) -> None:
    """A keyword that is none is a TypeError, as of any function."""
    with pytest.raises(TypeError, match="jurnal_dir"):
        configure(sqlite_url, jurnal_dir="x")  # type: ignore[call-arg]


def test_shutdown_without_a_logger_is_no_fault() -> None:
    """Shutting down twice, or before anything was logged, is fine."""
    assert shutdown(timeout=0.1)
    assert shutdown(timeout=0.1)


def test_after_shutdown_a_new_logger_is_made(sqlite_url: str, tmp_path: Path) -> None:
    """A helper that is called after `shutdown` finds a logger again."""
    first = configure(sqlite_url, journal_dir=tmp_path / "j")
    shutdown()
    assert first is not configure(sqlite_url, journal_dir=tmp_path / "j")


@pytest.mark.parametrize("given", ["sqlite+aiosqlite:///audit.db", 5, AuditLogger])
@pytest.mark.parametrize(
    "take",
    [
        lambda audit: AuditMiddleware(_nothing, audit),
        lambda audit: audited_job("report.print", audit=audit),
        lambda audit: apscheduler.install(BackgroundScheduler(), audit),
        lambda audit: celery.install(Celery(), audit),
        taskiq.AuditMiddleware,
        loguru.audit_sink,
        logging.AuditHandler,
        structlog.AuditProcessor,
        prometheus.AuditCollector,
    ],
)
def test_what_is_no_logger_is_refused_where_it_is_named(take: Callable[[Any], object], given: object) -> None:
    """An address in the place of a logger is an error at the start, and not the loss of each event."""
    with pytest.raises(ConfigurationError, match="which is no audit logger"):
        take(given)


@pytest.mark.parametrize("install", [apscheduler.install, celery.install])
@pytest.mark.parametrize("given", [None, "app", BackgroundScheduler, Celery])
def test_what_cannot_be_watched_is_refused(install: Callable[[Any], object], given: object) -> None:
    """A scheduler, or an app, that is none is an error at the start, and not a log without jobs."""
    with pytest.raises(ConfigurationError, match=r"install\(\) takes an? .*, not "):
        install(given)


async def _nothing(scope: Any, receive: Any, send: Any) -> None:
    raise AssertionError
