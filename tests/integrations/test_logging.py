"""Records of the standard library become events."""

from __future__ import annotations

import logging
import logging.handlers
import queue
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from audit_async import audit_context
from audit_async.integrations.logging import AuditHandler, KeepContext
from tests.integrations.log import Log
from tests.logs import heard

NAME = "tests.integrations.app"


@contextmanager
def handled(
    *handlers: logging.Handler, name: str | None = NAME, level: int = logging.DEBUG
) -> Iterator[logging.Logger]:
    """Give a logger with *handlers*."""
    logger = logging.getLogger(name)
    before = logger.level
    logger.setLevel(level)
    for handler in handlers:
        logger.addHandler(handler)
    try:
        yield logger
    finally:
        logger.setLevel(before)
        for handler in handlers:
            logger.removeHandler(handler)


@contextmanager
def queued(handler: logging.Handler, *filters: logging.Filter) -> Iterator[logging.Logger]:
    """Give a logger whose records reach *handler* in the thread of a `QueueListener`."""
    records: queue.SimpleQueue[Any] = queue.SimpleQueue()
    first = logging.handlers.QueueHandler(records)
    for each in filters:
        first.addFilter(each)
    listener = logging.handlers.QueueListener(records, handler)
    listener.start()
    try:
        with handled(first) as logger:
            yield logger
    finally:
        listener.stop()


def test_a_record_with_audit_is_an_event(log: Log) -> None:
    """Its extra fields, its message and its time are those of the event; what every record has is not."""
    with handled(AuditHandler(log.audit)) as logger:
        logger.info("%s logged in", "Ann", extra={"audit": "auth.login", "user_id": 7, "method": "oidc", "_own": 1})
        logger.info("nothing")
        logger.info("nothing", extra={"user_id": 7})
    row = log.row()
    assert ("auth.login", "7", "Ann logged in", "success") == tuple(
        row[name] for name in ("action", "user_id", "description", "outcome")
    )
    assert {"method": "oidc"} == row["details"]


def test_what_other_handlers_have_left_in_a_record_is_not_in_the_event(log: Log) -> None:
    """A formatter's own texts are no details, whichever handler comes first."""
    first = logging.StreamHandler(open("/dev/null", "w"))  # noqa: SIM115 -- closed below
    first.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    with first.stream, handled(first, AuditHandler(log.audit)) as logger:
        try:
            raise ValueError("no")
        except ValueError:
            logger.exception("refused", extra={"audit": "auth.login"})
    assert ["exception"] == list(log.row()["details"])


def test_its_level_is_that_of_any_handler(log: Log) -> None:
    """Records below it are left."""
    with handled(AuditHandler(log.audit, level="WARNING")) as logger:
        logger.info("a", extra={"audit": "report.print"})
        logger.warning("b", extra={"audit": "report.print"})
    assert ("b", "medium") == log.told("description", "severity")


def test_an_exception_is_recorded(log: Log) -> None:
    """A record with an exception is a failed event, with type and text."""
    with handled(AuditHandler(log.audit)) as logger:
        try:
            raise ValueError("no such user")
        except ValueError:
            logger.exception("refused", extra={"audit": "auth.login"})
    assert ("refused", "failure", "ValueError: no such user") == log.told("description", "outcome", "error_message")


def test_the_context_is_kept_behind_a_queue(log: Log) -> None:
    """`KeepContext` notes it in the caller's thread, where the record's own fields win."""
    with queued(AuditHandler(log.audit), KeepContext()) as logger, audit_context(tenant_id="t-1", user_id="u-1"):
        logger.info("printed", extra={"audit": "report.print", "user_id": "u-2"})
        logger.info("nothing")
    assert ("t-1", "u-2", {}) == log.told("tenant_id", "user_id", "details")


def test_without_it_no_context_is_made_up(log: Log) -> None:
    """What the listener's thread does not know stays open."""
    with queued(AuditHandler(log.audit)) as logger, audit_context(tenant_id="t-1"):
        logger.info("printed", extra={"audit": "report.print"})
    assert (None, "printed") == log.told("tenant_id", "description")


@pytest.mark.parametrize("is_group", [False, True])
def test_behind_a_queue_an_exception_is_text(log: Log, is_group: bool) -> None:
    """A `QueueHandler` makes one text of message and traceback: the event has them apart again."""
    with queued(AuditHandler(log.audit)) as logger:
        try:
            raise ExceptionGroup("two", [ValueError("no")]) if is_group else ValueError("no such user")
        except (ExceptionGroup, ValueError):
            logger.exception("refused\nat once", extra={"audit": "auth.login"})
    row = log.row()
    assert ("refused\nat once", "failure") == (row["description"], row["outcome"])
    assert "ValueError: no" in row["details"]["exception"]
    assert is_group or "ValueError: no such user" == row["error_message"]


def test_what_the_library_and_its_drivers_say_never_comes_in(log: Log) -> None:
    """Where every record has an action, down to the drivers' own, one event stays one."""
    factory = logging.getLogRecordFactory()

    def with_action(*arguments: Any, **keywords: Any) -> logging.LogRecord:
        record = factory(*arguments, **keywords)
        record.audit = "everything"
        return record

    logging.setLogRecordFactory(with_action)
    heard_of: list[str] = []
    listener = logging.Handler()
    listener.emit = lambda record: heard_of.append(record.name)  # type: ignore[method-assign]
    try:
        with handled(listener, AuditHandler(log.audit), name=None) as logger:
            logger.info("one")
            rows = log.rows()
    finally:
        logging.setLogRecordFactory(factory)
    assert "aiosqlite" in heard_of
    assert ["one"] == [row["description"] for row in rows]


def test_our_own_lines_never_come_back_through_it(log: Log) -> None:
    """A sink of loguru that passes lines on to `logging`, under whatever name, makes no events of our own."""
    from loguru import logger as loguru

    log.audit.close_sync()
    with heard() as lines, handled(AuditHandler(log.audit)) as logger:
        number = loguru.add(lambda message: logger.info(str(message), extra={"audit": "everything"}))
        logger.info("one", extra={"audit": "report.print"})
        loguru.remove(number)
    assert {"closed": 1} == log.audit.stats().refused_by_reason
    assert 1 == len(lines)


def test_nothing_in_a_record_raises(log: Log) -> None:
    """Arguments that do not fit the message, and values that raise, cost nothing but themselves."""

    class Hostile:
        def __str__(self) -> str:
            raise RuntimeError("no")

        __repr__ = __str__

    with handled(AuditHandler(log.audit)) as logger:
        logger.propagate = False
        logger.info("%d copies", "three", extra={"audit": "report.print", "user_id": Hostile()})
        logger.info(Hostile(), extra={"audit": "report.print", "value": Hostile()})
        logger.propagate = True
    first, second = log.rows()
    assert "%d copies (TypeError" in first["description"]
    assert "Hostile" in str(second["details"])


def test_it_is_closed_with_the_others_and_the_logger_goes_on(log: Log, tmp_path: Path) -> None:
    """`logging.shutdown` ends no logger of events."""
    handler = AuditHandler(log.audit)
    handler.flush()
    handler.close()
    with handled(handler) as logger:
        logger.info("printed", extra={"audit": "report.print"})
    assert not log.audit.is_closed
    assert ("printed",) == log.told("description")


def test_a_buffer_hands_on_records_of_their_own_requests(log: Log) -> None:
    """Who makes a `MemoryHandler` hand its records on gives them nothing: with `KeepContext` each has what held where
    it was logged, also where that was nothing."""
    buffer = logging.handlers.MemoryHandler(100, target=AuditHandler(log.audit))
    buffer.addFilter(KeepContext())
    with handled(buffer) as logger:
        with audit_context(user_id="ann"):
            logger.info("a", extra={"audit": "report.print"})
        logger.info("b", extra={"audit": "report.print"})
        with audit_context(user_id="bob", tenant_id="t-1"):
            buffer.flush()
    assert [("ann", None), (None, None)] == [(row["user_id"], row["tenant_id"]) for row in log.rows()]
