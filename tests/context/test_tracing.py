"""The current span of OpenTelemetry: taken where the application has it, and where nothing else names a trace."""

from __future__ import annotations

import subprocess
import sys
from types import ModuleType
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

from audit_async import AuditEvent, audit_context, events
from audit_async.context import dump, fill, load
from tests.logs import heard

TRACE_ID, SPAN_ID = "0af7651916cd43dd8448eb211c80319c", "00f067aa0ba902b7"


def span(trace_id: str = TRACE_ID, span_id: str = SPAN_ID) -> Any:
    """Return a block in which this span is the current one."""
    context = SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=False, trace_flags=TraceFlags(1))
    return trace.use_span(NonRecordingSpan(context))


def ids_of(event: AuditEvent) -> tuple[str | None, str | None]:
    return event.trace_id, event.span_id


def test_the_current_span_fills_what_names_no_trace() -> None:
    """Inside a span events have its trace and its own id, in the digits that the standard writes."""
    with span():
        inside = fill(events.custom("a"))
        with audit_context(tenant_id="t1"):
            both = fill(events.custom("a"))
    assert [(TRACE_ID, SPAN_ID)] * 2 == [ids_of(inside), ids_of(both)]
    assert (None, None) == ids_of(fill(events.custom("a")))


@pytest.mark.parametrize("said", [{"trace_id": "t"}, {"span_id": "s"}, {"trace_id": "t", "span_id": "s"}])
def test_a_trace_is_never_mixed_from_two_sources(said: dict[str, Any]) -> None:
    """An event, or a context, that names a trace or a span gets neither from the current one."""
    expected = (said.get("trace_id"), said.get("span_id"))
    with span():
        by_event = fill(events.custom("a", **said))
        with audit_context(**said):
            by_context, dumped = fill(events.custom("a")), dump()["context"]
    assert [expected, expected] == [ids_of(by_event), ids_of(by_context)]
    assert said == dumped


def test_a_span_does_not_come_without_its_trace() -> None:
    """Where an event or an inner context names another trace, the outer one's span is left out."""
    with audit_context(trace_id="t1", span_id="s1"):
        by_event, agreed = fill(events.custom("a", trace_id="t2")), fill(events.custom("a", trace_id="t1"))
        with audit_context(trace_id="t3"):
            by_context = fill(events.custom("a"))
    assert [("t2", None), ("t1", "s1"), ("t3", None)] == [ids_of(by_event), ids_of(agreed), ids_of(by_context)]


def test_an_invalid_span_is_none() -> None:
    """A span that is not being traced, which has zeroes for ids, fills nothing."""
    event = events.custom("a")
    with trace.use_span(trace.INVALID_SPAN):
        assert fill(event) is event


def test_a_payload_takes_the_trace_along() -> None:
    """What is dumped inside a span leads the job's events to the trace of the request, not to the worker's own."""
    with span():
        payload = dump()
    with span("f" * 32, "e" * 16), load(payload):
        assert (TRACE_ID, SPAN_ID) == ids_of(fill(events.custom("a")))


@pytest.mark.parametrize("found", [None, object(), "raises", "half"])
def test_a_fault_in_the_tracing_breaks_nobody(found: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is wrong with the tracing library, also while it is being imported, the event is logged without it."""

    class Broken(ModuleType):
        def get_current_span(self) -> object:
            return 1 / 0 if found == "raises" else found

    module = ModuleType("half") if found == "half" else Broken("broken")
    monkeypatch.setitem(sys.modules, "opentelemetry.trace", module)
    with heard() as lines, audit_context(tenant_id="t1"):
        event = fill(events.custom("a"))
        assert {"tenant_id": "t1"} == dump()["context"]
    assert ("t1", (None, None), 1) == (event.tenant_id, ids_of(event), len(lines))


def test_the_library_never_imports_opentelemetry(tmp_path: Any) -> None:
    """In a program that has not loaded OpenTelemetry, though it is installed, logging does not load it either."""
    program = (
        "import sys\nfrom audit_async import AuditLogger, audit_context, events\n"
        "from audit_async.context import dump, load\n"
        f"with AuditLogger('sqlite+aiosqlite:///{tmp_path}/a.db', journal_dir='{tmp_path}/j') as audit:\n"
        "    with audit_context(tenant_id='t'), load(dump()): audit.log(events.custom('a'))\n"
        "    assert audit.flush_sync(20)\n"
        "print(sorted(name for name in sys.modules if 'opentelemetry' in name))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "[]" == done.stdout.strip()
