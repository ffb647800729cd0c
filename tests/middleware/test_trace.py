"""The trace of a request: its header's, unless a span of this process is nearer."""

from __future__ import annotations

from typing import Any

from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags
from starlette.responses import PlainTextResponse

from audit_async import events
from audit_async.context import fill
from audit_async.middleware import AuditMiddleware
from tests.middleware.test_leaks import call, scope_of

TRACE, CALLER, OWN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", "b7ad6b7169203331"
PARENT = [(b"traceparent", f"00-{TRACE}-{CALLER}-01".encode())]


async def test_the_callers_trace_is_taken() -> None:
    """Without tracing of its own the events of a request name the span that has sent it."""
    assert [(TRACE, CALLER)] * 2 == await seen(is_traced=False)


async def test_a_span_of_this_process_is_nearer() -> None:
    """Inside a span of OpenTelemetry events name that one; outside of it, in the same request, the caller's."""
    assert [(TRACE, OWN), (TRACE, CALLER)] == await seen(is_traced=True)


async def seen(*, is_traced: bool) -> list[tuple[str | None, str | None]]:
    """Return trace and span of two events of one request, the first of which may be inside a span."""
    found: list[tuple[str | None, str | None]] = []

    def log() -> None:
        event = fill(events.custom("a"))
        found.append((event.trace_id, event.span_id))

    async def app(scope: Any, receive: Any, send: Any) -> None:
        span = SpanContext(int(TRACE, 16), int(OWN, 16), is_remote=False, trace_flags=TraceFlags(1))
        with trace.use_span(NonRecordingSpan(span) if is_traced else trace.INVALID_SPAN):
            log()
        log()
        await PlainTextResponse("")(scope, receive, send)

    await call(AuditMiddleware(app, user=lambda scope: "ann"), scope_of(headers=PARENT))
    return found
