"""Who acts, for whom, from where: said once around a piece of work, filled into every event logged within.

    with audit_context(tenant_id="t1", request_id="r-7"):
        audit.log(events.role("role.assign", ...))

One ContextVar holds the fields as an immutable mapping. It is read in the caller's context at the moment of `log()`,
never by a thread or task of ours. What an event says itself always wins.
"""

from __future__ import annotations

import difflib
from contextvars import ContextVar, Token
from types import MappingProxyType, TracebackType
from typing import Any, Self

import msgspec

from audit_async.events import AuditEvent
from audit_async.events.fields import convert

FIELDS = (
    "actor_type",
    "actor_id",
    "actor_name",
    "on_behalf_of",
    "user_id",
    "agent_id",
    "api_key_id",
    "tenant_id",
    "organization_id",
    "ip_address",
    "user_agent",
    "session_id",
    "request_id",
    "trace_id",
    "span_id",
)
"""What a context can say: who, for whom, from where; never what happened."""

_NOTHING: MappingProxyType[str, str] = MappingProxyType({})
_current: ContextVar[MappingProxyType[str, str]] = ContextVar("audit_context", default=_NOTHING)


class audit_context:  # noqa: N801 -- used like a function, as contextlib's own are
    """Fill *fields* into every event that is logged inside the `with` (or `async with`) block.

    Blocks nest; the inner one wins field by field. Any value is legal, None leaves the outer one in place.

    Raises:
        TypeError: a field has a name that no context has.
    """

    def __init__(self, **fields: Any) -> None:
        wrong = sorted(fields.keys() - set(FIELDS))
        if wrong:
            near = difflib.get_close_matches(wrong[0], FIELDS, n=1)
            meant = f" (did you mean {near[0]!r}?)" if near else ""
            raise TypeError(
                f"audit_context() got an unexpected keyword argument {wrong[0]!r}{meant}. It takes: {', '.join(FIELDS)}"
            )
        ignored: dict[str, Any] = {}
        given = {name: convert(name, value, ignored) for name, value in fields.items() if value is not None}
        self._fields = {name: value for name, value in given.items() if value is not None}
        self._tokens: list[Token[MappingProxyType[str, str]]] = []

    def __enter__(self) -> Self:
        self._tokens.append(_current.set(MappingProxyType({**_current.get(), **self._fields})))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _current.reset(self._tokens.pop())

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)


def fill(event: AuditEvent) -> AuditEvent:
    """Return *event* with the fields it leaves open taken from the current context."""
    context = _current.get()
    if not context:
        return event
    missing = {name: value for name, value in context.items() if getattr(event, name) is None}
    return msgspec.structs.replace(event, **missing) if missing else event
