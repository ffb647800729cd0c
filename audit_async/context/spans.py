"""The current span of OpenTelemetry, where the application has loaded that."""

from __future__ import annotations

import sys

from audit_async.diagnostics import describe, report
from audit_async.shapes import pass_on


def span_in(trace_id: str | None) -> dict[str, str]:
    """Return trace and span of the current span, where it is in the trace that is named, or none is."""
    span = current_span()
    return span if trace_id is None or span.get("trace_id") == trace_id else {}


def current_span() -> dict[str, str]:
    """Return trace and span of OpenTelemetry's current span; nothing where the application has not loaded that.

    Source: W3C Trace Context, 3.2.2: 32 and 16 hexadecimal digits in lower case, not all zero.
    """
    tracing = sys.modules.get("opentelemetry.trace")
    if tracing is None:
        return {}
    try:
        span = tracing.get_current_span().get_span_context()
        return {"trace_id": f"{span.trace_id:032x}", "span_id": f"{span.span_id:016x}"} if span.is_valid else {}
    except BaseException as error:
        pass_on(error)
        # Among others, another thread is importing it at this moment.
        report("opentelemetry", f"the current span cannot be read ({describe(error)})")
        return {}
