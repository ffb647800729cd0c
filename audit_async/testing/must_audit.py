"""Which of the actions that have to be audited no test has emitted. Part of the pytest plugin, and loaded on demand."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from audit_async import context
from audit_async.errors import ConfigurationError
from audit_async.events import AuditEvent
from audit_async.events.vocabulary import Outcome
from audit_async.reading.spellings import Actions, read_actions


class MustAudit:
    """Notes what every logger of this process is given, and reports what was missed.

    Under pytest-xdist each worker's notes travel with the report of each test, so that those of a worker that has
    died are not lost.

    Args:
        wanted: names, families, patterns or spellings of old.
        is_worker: there is a controller, which reports.

    Raises:
        pytest.UsageError: nothing is wanted, or what is no action.
    """

    def __init__(self, wanted: Iterable[str], *, is_worker: bool) -> None:
        try:
            self._wanted = read_actions(wanted)
        except ConfigurationError as error:
            raise pytest.UsageError(f"must_audit: {error}") from error
        if not self._wanted:
            raise pytest.UsageError(
                "--must-audit needs a list of actions: set `must_audit` in the pytest configuration"
            )
        self._is_worker = is_worker
        self._emitted: set[tuple[str, str]] = set()
        self._fill = context.fill

    def pytest_configure(self) -> None:
        """Begin to note. Every way into a log leads through the context."""
        context.fill = self._note_and_fill

    def pytest_unconfigure(self) -> None:
        """End to note."""
        context.fill = self._fill

    def _note_and_fill(self, event: AuditEvent) -> AuditEvent:
        self._emitted.add((str(event.action), str(event.outcome)))
        return self._fill(event)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: Any) -> None:
        """Send what is new along with *report*, or take what came with it."""
        if self._is_worker:
            report.audit_emitted, self._emitted = sorted(self._emitted), set()
        else:
            self._emitted.update(map(tuple, getattr(report, "audit_emitted", ())))

    @property
    def missed(self) -> list[Actions]:
        """Those that nothing was emitted for."""
        emitted = [(action, Outcome(outcome)) for action, outcome in self._emitted]
        return [each for each in self._wanted if not any(each.mean(*said) for said in emitted)]

    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Let a run that went well fail for what was missed."""
        if exitstatus == pytest.ExitCode.OK and not self._is_silent(session.config) and self.missed:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: Any, config: pytest.Config) -> None:
        """Say what was missed."""
        if self._is_silent(config):
            return
        missed = self.missed
        terminalreporter.section("must audit")
        count = len(self._wanted)
        if not missed:
            terminalreporter.line(f"{count} of {count} actions were emitted.", green=True)
            return
        terminalreporter.line(f"{len(missed)} of {count} actions were emitted by no test of this run:", red=True)
        for each in missed:
            terminalreporter.line(f"  {each.given}")

    def _is_silent(self, config: pytest.Config) -> bool:
        return self._is_worker or bool(config.option.collectonly)
