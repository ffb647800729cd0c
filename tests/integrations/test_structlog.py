"""Event dictionaries of structlog become events, by the real structlog."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import structlog
from structlog.contextvars import bound_contextvars, merge_contextvars
from structlog.types import Processor

from audit_async import audit_context
from audit_async.integrations.structlog import AuditProcessor
from tests.integrations.log import Log


def wrapped(*processors: Processor, **options: Any) -> Any:
    """Return a logger of *processors*, that prints nothing."""
    return structlog.wrap_logger(structlog.ReturnLogger(), processors=[*processors], **options)


def test_a_dictionary_with_audit_is_an_event(log: Log) -> None:
    """What it carries is that of the event, without what structlog says of every line."""
    logger = wrapped(
        merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(),
        AuditProcessor(log.audit),
    )
    with bound_contextvars(tenant_id="t-1"), audit_context(request_id="r-7"):
        logger.bind(user_id=7).info("logged in", audit="auth.login", method="oidc", _own=1)
        logger.info("nothing", user_id=7)
    row = log.row()
    names = ("action", "user_id", "tenant_id", "request_id", "description")
    assert ("auth.login", "7", "t-1", "r-7", "logged in") == tuple(row[name] for name in names)
    assert {"method": "oidc"} == row["details"]


def test_the_dictionary_goes_on_as_it_is(log: Log) -> None:
    """The processors behind get the very same one, unchanged."""
    processor, event = AuditProcessor(log.audit), {"event": "logged in", "audit": "auth.login", "user_id": 7}
    before = dict(event)
    assert event is processor(None, "info", event)
    assert before == event


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (lambda logger: logger.debug("a", audit="a.b"), "info"),
        (lambda logger: logger.warn("a", audit="a.b"), "medium"),
        (lambda logger: logger.fatal("a", audit="a.b"), "critical"),
        (lambda logger: logger.msg("a", audit="a.b"), "low"),
        (lambda logger: logger.info("a", audit="a.b", level="error"), "high"),
    ],
    ids=["debug", "warn", "fatal", "msg", "level"],
)
def test_the_level_is_that_of_the_method_or_the_dictionary(
    log: Log, call: Callable[[Any], object], expected: str
) -> None:
    """A method that is no level says nothing of it."""
    call(wrapped(AuditProcessor(log.audit), wrapper_class=structlog.BoundLogger))
    assert (expected,) == log.told("severity")


@pytest.mark.parametrize("behind", [False, True], ids=["before", "behind"])
def test_an_exception_is_recorded(log: Log, behind: bool) -> None:
    """Before `format_exc_info` as type and text, behind it by its last line."""
    processors: list[Processor] = [AuditProcessor(log.audit)]
    processors.insert(0 if behind else 1, structlog.processors.format_exc_info)
    error = ValueError("no such user")
    try:
        raise error
    except ValueError:
        wrapped(*processors).error("refused", audit="auth.login", exc_info=True)
    wrapped(*processors).error("refused", audit="auth.login", exc_info=error)
    wrapped(*processors).error("refused", audit="auth.login", exc_info=(ValueError, error, error.__traceback__))
    rows = log.rows()
    assert ["ValueError: no such user"] * 3 == [row["error_message"] for row in rows]
    assert {"failure"} == {row["outcome"] for row in rows}


async def test_the_context_is_kept_where_a_line_is_logged_in_another_thread(log: Log) -> None:
    """structlog's `ainfo` brings the caller's context along."""
    logger = wrapped(AuditProcessor(log.audit), wrapper_class=structlog.make_filtering_bound_logger(0))
    with audit_context(tenant_id="t-1"):
        await logger.ainfo("printed", audit="report.print")
    assert ("t-1",) == log.told("tenant_id")


def test_nothing_in_a_dictionary_raises(log: Log) -> None:
    """The line is said, and the event holds what can be held."""

    class Hostile:
        def __str__(self) -> str:
            raise RuntimeError("no")

        __repr__ = __str__

    event = {"event": Hostile(), "audit": "report.print", "exc_info": (1,), "value": Hostile(), 7: 7}
    assert event is AuditProcessor(log.audit)(None, "info", event)  # type: ignore[arg-type]
    assert 1 == len(log.rows())


@pytest.mark.parametrize(
    ("message", "arguments", "expected"),
    [
        ("%s deleted %s", ("ann", "a.txt"), "ann deleted a.txt"),
        ("%(who)s", ({"who": "ann"},), "ann"),
        ("100 %", ("ann",), "100 % ("),
    ],
)
def test_positional_arguments_are_in_the_description(
    log: Log, message: str, arguments: tuple[Any, ...], expected: str
) -> None:
    """Also where the processor that puts them into the message stands behind, and whether or not they fit."""
    logger = wrapped(AuditProcessor(log.audit), wrapper_class=structlog.stdlib.BoundLogger)
    logger.info(message, *arguments, audit="file.delete")
    assert log.row()["description"].startswith(expected)
