"""docs/bridges.md is true: its programs run, and leave what it says."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import structlog
from loguru import logger

from audit_async import audit_context, configure, shutdown
from audit_async.config import DUMPED_CONTEXT_BYTES
from tests.integrations.log import Log

PAGE = (Path(__file__).parents[2] / "docs" / "bridges.md").read_text()
LOGURU, LOGGING, STRUCTLOG, QUEUED = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    """The logger of the process."""
    log = Log(tmp_path)
    log.audit = configure(f"sqlite+aiosqlite:///{log.file}", journal_dir=tmp_path / "journal")
    yield log
    shutdown()


def test_loguru(log: Log) -> None:
    """The line is the event that the page shows."""
    names: dict[str, Any] = {}
    handler = logger.add(lambda _: None)  # the next one has the number behind it
    exec(LOGURU, names)
    names["log_in"]("u-17", "Ann")
    logger.remove(handler)
    logger.remove(handler + 1)
    [shown] = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    expected = msgspec.json.decode(shown)
    row = log.row()
    assert expected == {name: row[name] for name in expected}


def test_logging(log: Log) -> None:
    """Configured by a dictionary, the record with an exception is a failed event."""
    names: dict[str, Any] = {}
    exec(LOGGING, names)
    names["refund"]("o-7", "u-17")
    logging.getLogger("shop").handlers.clear()
    row = log.row()
    assert (
        "order.refund",
        "u-17",
        "refund of o-7",
        "failure",
        "high",
        "TimeoutError: the bank does not answer",
    ) == tuple(row[name] for name in ("action", "user_id", "description", "outcome", "severity", "error_message"))
    assert ("o-7", "builtins.TimeoutError") == (row["details"]["order"], row["details"]["exception"]["$type"])


def test_structlog(log: Log, capsys: pytest.CaptureFixture[str]) -> None:
    """The line is printed as it would be, and is an event."""
    names: dict[str, Any] = {}
    try:
        exec(STRUCTLOG, names)
        names["assign"]("u-17", "admin")
    finally:
        structlog.reset_defaults()
    printed = msgspec.json.decode(capsys.readouterr().out)
    assert ("role.assign", "warning", "admin") == (printed["audit"], printed["level"], printed["role"])
    assert ("role.assign", "u-17", "high", {"role": "admin"}) == log.told("action", "user_id", "severity", "details")


def test_behind_a_queue(log: Log) -> None:
    """What the page says of a queue brings the context along."""
    names: dict[str, Any] = {"logging": logging}
    exec(QUEUED, names)
    names["listener"].start()
    with audit_context(tenant_id="t-1"):
        logging.getLogger("shop.slow").warning("printed", extra={"audit": "report.print"})
    names["listener"].stop()
    logging.getLogger("shop.slow").handlers.clear()
    assert ("t-1",) == log.told("tenant_id")


def test_its_numbers_are_those_of_the_package() -> None:
    """What is said of the size of a context holds."""
    assert f"up to {DUMPED_CONTEXT_BYTES // 1024} KiB" in PAGE
