"""Who acts, for whom, from where: said once around a piece of work, filled into every event logged within.

    with audit_context(tenant_id="t1", request_id="r-7"):
        audit.log(events.role("role.assign", ...))

    queue.send(job, headers={"audit": dump()})      # here
    with load(headers.get("audit")), job_actor("org.sync"):     # and in another process
        ...

One ContextVar holds what is said. It is read in the caller's context at the moment of `log()`, never by a thread or
task of ours. What an event says itself always wins, then the innermost context, then the next, field by field; last
comes the current span of OpenTelemetry, if the application has loaded that, and nothing else names another trace.
What is not known yet when a context begins, such as the user of a request, a `LateContext` finds out at the moment of
`log()`.

Two groups of fields each name one thing, and are never mixed from two: the actor (type, id, name), and the span with
its trace. Where an event or an inner context names another actor, or another trace, the outer one's name, or span, is
left out.

layers      what is said where, one inside of another, and filled into events
spans       the current span of OpenTelemetry
carrying    into another thread
payload     to another process
"""

from __future__ import annotations

from audit_async.context.carrying import carried
from audit_async.context.layers import (
    FIELDS,
    Held,
    LateContext,
    audit_context,
    current,
    fill,
    job_actor,
    nothing_said,
    span_of,
    system_actor,
)
from audit_async.context.payload import dump, load
from audit_async.context.spans import current_span

__all__ = [
    "FIELDS",
    "Held",
    "LateContext",
    "audit_context",
    "carried",
    "current",
    "current_span",
    "dump",
    "fill",
    "job_actor",
    "load",
    "nothing_said",
    "span_of",
    "system_actor",
]
