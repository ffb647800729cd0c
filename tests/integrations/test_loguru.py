"""Lines of loguru become events, by the real loguru."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from loguru import logger

from audit_async import AuditLogger, audit_context, configure, shutdown
from audit_async.integrations.loguru import audit_sink, audited
from tests.integrations.log import Log, logging_to
from tests.logs import heard


@contextmanager
def sinking(audit: AuditLogger | None, **options: Any) -> Iterator[None]:
    """Have a sink of *audit* among loguru's handlers."""
    number = logger.add(audit_sink(audit), **options)
    try:
        yield
    finally:
        logger.remove(number)


def caught_up() -> None:
    """Wait until loguru's own threads have written what was logged."""
    _ = logger.complete()


class Hostile:
    """A value that raises whatever is asked of it."""

    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError("no")

    __str__ = __repr__ = __bool__ = __hash__ = __reduce__ = None  # type: ignore[assignment]


def test_a_bound_line_is_an_event(log: Log) -> None:
    """Its action, its fields, its message and its time are those of the event, and the rest is in the details."""
    seen: list[Any] = []
    number = logger.add(lambda message: seen.append(message.record), format="{message}")
    with sinking(log.audit, filter=audited):
        logger.bind(audit="auth.login", user_id=7, method="oidc").info("{} logged in", "Ann")
    logger.remove(number)
    row = log.row()
    assert ("auth.login", "7", "Ann logged in", "success", "low") == tuple(
        row[name] for name in ("action", "user_id", "description", "outcome", "severity")
    )
    assert {"method": "oidc"} == row["details"]
    assert f"{seen[0]['time']:%H:%M:%S.%f}" in row["created_at"]


@pytest.mark.parametrize("options", [{}, {"filter": audited}, {"enqueue": True}], ids=["plain", "filter", "enqueue"])
def test_a_line_without_audit_is_none_of_ours(log: Log, options: dict[str, Any]) -> None:
    """Nothing is logged for it, with and without the filter."""
    with sinking(log.audit, **options):
        logger.info("started")
        logger.bind(user_id=7).error("lost")
    assert [] == log.rows()


def test_what_the_log_is_contextualized_with_is_in_the_event(log: Log) -> None:
    """What loguru itself knows of the context, and an `audit_context`, fill the event together."""
    with sinking(log.audit), logger.contextualize(tenant_id="t-1", batch=3), audit_context(request_id="r-7"):
        logger.bind(audit="report.print").info("printed")
    assert ("t-1", "r-7", {"batch": 3}) == log.told("tenant_id", "request_id", "details")


def test_an_exception_is_recorded(log: Log) -> None:
    """`logger.exception` and `opt(exception=...)` leave a failed event with type and text."""
    with sinking(log.audit):
        try:
            raise ValueError("no such user")
        except ValueError as error:
            logger.bind(audit="auth.login").exception("refused")
            logger.bind(audit="auth.logout").opt(exception=error).info("anyway")
    for row in log.rows():
        assert ("failure", "ValueError: no such user") == (row["outcome"], row["error_message"])
        assert "builtins.ValueError" == row["details"]["exception"]["$type"]


def test_the_context_is_kept_in_another_thread(log: Log) -> None:
    """With `enqueue=True` the filter brings context and exception along, and nobody else's `extra` changes."""
    seen: list[dict[str, Any]] = []
    with sinking(log.audit, filter=audited, enqueue=True), audit_context(tenant_id="t-1", user_id="u-1"):
        number = logger.add(lambda message: seen.append(dict(message.record["extra"])), format="{message}")
        try:
            raise ValueError("no")
        except ValueError:
            logger.bind(audit="report.print", user_id="u-2").exception("not printed")
        caught_up()
        logger.remove(number)
    assert ("t-1", "u-2", "ValueError: no") == log.told("tenant_id", "user_id", "error_message")
    assert [{"audit": "report.print", "user_id": "u-2"}] == seen


def test_without_the_filter_no_context_is_made_up(log: Log) -> None:
    """What loguru's own thread does not know stays open; the event is there all the same."""
    with sinking(log.audit, enqueue=True), audit_context(tenant_id="t-1"):
        logger.bind(audit="report.print").info("printed")
        caught_up()
    assert (None, "printed") == log.told("tenant_id", "description")


def test_in_its_own_thread_the_context_is_the_present_one(log: Log) -> None:
    """What was noted for another thread does not stand before what holds here, nor is it cut to a payload."""
    agent = "agent " * 500
    with sinking(log.audit, filter=audited), audit_context(user_agent=agent):
        logger.bind(audit="report.print").info("printed")
    assert (agent,) == log.told("user_agent")


@pytest.mark.parametrize("options", [{}, {"filter": audited}, {"enqueue": True}], ids=["plain", "filter", "enqueue"])
def test_our_own_lines_never_come_back(log: Log, options: dict[str, Any]) -> None:
    """Where everything that is logged has an action, what we say of a refused event is no event in turn."""
    log.audit.close_sync()
    with heard() as lines, sinking(log.audit, **options), logger.contextualize(audit="everything"):
        logger.info("one")
        caught_up()
    assert {"closed": 1} == log.audit.stats().refused_by_reason
    assert 1 == sum("is closed" in line for line in lines)


@pytest.mark.parametrize("options", [{"filter": audited}, {"filter": audited, "enqueue": True}], ids=["", "enqueue"])
def test_the_mirrored_line_of_an_event_is_no_event(tmp_path: Path, options: dict[str, Any]) -> None:
    """A logger that mirrors says each event in the log, once."""
    with logging_to(tmp_path, mirror=True) as log, heard() as lines:
        with sinking(log.audit, **options), logger.contextualize(audit="everything"):
            logger.info("one")
            caught_up()
        assert 1 == len(log.rows())
    assert 1 == sum("AUDIT [everything]" in line for line in lines)


@pytest.mark.parametrize("enqueue", [False, True])
def test_nothing_that_is_bound_raises(log: Log, enqueue: bool) -> None:
    """The line goes on to the other handlers; of what can be passed on, the event is made."""
    cycle: dict[str, Any] = {}
    cycle["cycle"] = cycle
    value = cycle if enqueue else Hostile()  # which loguru itself cannot pass to its thread
    seen: list[str] = []
    with sinking(log.audit, enqueue=enqueue, catch=False, filter=audited):
        number = logger.add(seen.append, format="{message}", filter=audited)
        logger.bind(audit="report.print", user_id=value, value=value, details=value).info("printed")
        caught_up()
        logger.remove(number)
    assert ["printed\n"] == seen
    assert "printed" == log.row()["description"]


def test_a_default_logger_that_cannot_be_made_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong address in the environment costs the event, and not the caller."""
    shutdown()
    monkeypatch.setenv("AUDIT_DATABASE_URL", "nonsense")
    with heard() as lines, sinking(None, catch=False, filter=audited):
        logger.bind(audit="report.print").info("printed")
    assert "a line of the log could not be made an event" in "".join(lines)


def test_the_default_logger_is_that_of_the_moment(tmp_path: Path) -> None:
    """A sink that was added before `configure` uses what was configured."""
    with sinking(None):
        for name in ("one", "two"):
            audit = configure(f"sqlite+aiosqlite:///{tmp_path / name}.db", journal_dir=tmp_path / "journal")
            logger.bind(audit="report.print").info("printed")
            assert 1 == audit.stats().accepted
    shutdown()


def test_many_threads_log_at_once(log: Log) -> None:
    """Each line is one event, with the fields and the context of its own thread."""

    def work(name: str) -> None:
        with audit_context(user_id=name):
            for number in range(50):
                logger.bind(audit="report.print", number=number, who=name).info("printed")

    with sinking(log.audit, filter=audited, enqueue=True):
        threads = [threading.Thread(target=work, args=(f"u-{number}",)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        caught_up()
    rows = log.rows()
    assert 200 == len({(row["user_id"], row["details"]["number"]) for row in rows})
    assert all(row["user_id"] == row["details"]["who"] for row in rows)
