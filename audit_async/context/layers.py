"""Contexts, one inside of another, and what holds in the innermost one."""

from __future__ import annotations

import functools
import itertools
import operator
import sys
from collections.abc import Callable, Mapping
from contextvars import ContextVar, Token
from types import TracebackType
from typing import Any, Self, TypeAlias

import msgspec

from audit_async.config import CONTEXT_SPELLINGS
from audit_async.context.spans import current_span, span_in
from audit_async.errors import meant
from audit_async.events import AuditEvent
from audit_async.events.build import INVALID_KEY
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

_NAMES = frozenset(FIELDS)
ACTOR = frozenset({"actor_type", "actor_id", "actor_name"})
TRACE = frozenset({"trace_id", "span_id"})
_TELLING = (("actor_type", ACTOR), ("actor_id", ACTOR), ("actor_name", ACTOR), ("trace_id", TRACE))
"""A field that tells which one is meant, and the group that is this one's."""

_TELLING_NAMES = tuple(name for name, _ in _TELLING)
_told_by = operator.attrgetter(*_TELLING_NAMES)
_TELLS_NOTHING = (None,) * len(_TELLING)


Source: TypeAlias = Callable[[], dict[str, str]]
"""Says fields as `convert` gives them. It is called in every `log()`, in any thread: it is quick, and never raises."""

_NO_NAMES: frozenset[str] = frozenset()


class _Layer(msgspec.Struct, eq=False):
    """What holds inside one block: all that was said up to it, by whom last, and the block around it.

    Attributes:
        fields: what was said since the last late source.
        ends: what of the fields around that does not hold any more.
        late: each source to ask in `log()`, the outermost first, with the fields, and the ends, that it stands inside.
        invalid: values that their field cannot hold, by its name: they go into the `metadata` of each event.
    """

    owner: audit_context
    outer: _Layer | None
    fields: dict[str, str]
    invalid: dict[str, Any]
    ends: frozenset[str] = _NO_NAMES
    late: tuple[tuple[dict[str, str], frozenset[str], Source], ...] = ()

    __repr__ = object.__repr__  # no user's id in whatever prints variables, and no depth without an end


_NOTHING: dict[str, str] = {}
_OF_ANOTHER_ACTOR = ACTOR | {"on_behalf_of"}
_current: ContextVar[_Layer | None] = ContextVar("audit_context", default=None)


class audit_context:  # noqa: N801 -- used like a function, as contextlib's own are
    """Fill *fields* into every event that is logged inside the `with` (or `async with`) block.

    Blocks nest; the inner one wins field by field. Any value is legal, None leaves the outer one in place. One context
    may be entered again and again, and by many tasks and threads at once. Impersonation keeps both identities:
    `actor_id` is who acts, `on_behalf_of` is as whom.

    Raises:
        TypeError: a field has a name that no context has.
    """

    def __init__(self, **fields: Any) -> None:
        if not _NAMES.issuperset(fields):
            wrong = sorted(fields.keys() - _NAMES)
            raise TypeError(
                f"audit_context() got an unexpected keyword argument {wrong[0]!r}{meant(wrong[0], FIELDS)}. "
                f"It takes: {', '.join(FIELDS)}"
            )
        self._invalid: dict[str, Any] = {}
        self._fields: dict[str, str] = {}
        for name, value in fields.items():
            kept = None if value is None else convert(name, value, self._invalid)
            if kept is not None:
                self._fields[name] = kept
        self._ends: frozenset[str] = frozenset()

    def __enter__(self) -> Self:
        outer = _current.get()
        if outer is None or self._ends is _NAMES:
            _current.set(_Layer(self, outer, self._fields, invalid=self._invalid))
            return self
        fields = _inside(outer.fields, self._ends, self._fields)
        invalid = {**outer.invalid, **self._invalid} if outer.invalid else self._invalid
        ends = outer.ends | self._ends if outer.late else _NO_NAMES
        _current.set(_Layer(self, outer, fields, invalid=invalid, ends=ends, late=outer.late))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        layer = _current.get()
        while layer is not None and layer.owner is not self:
            layer = layer.outer
        # None: it was entered in another task or thread, where it has ended with that. Nothing to undo here.
        if layer is not None:
            _current.set(layer.outer)
            # A task that was begun inside, and begins the next one inside of its own block, would else keep them all.
            layer.outer = None

    @classmethod
    def of_actor(cls, fields: dict[str, str], invalid: dict[str, Any]) -> Self:
        """Return the context of another actor, as `job_actor` does, of *fields* that are as events hold them."""
        context = cls.__new__(cls)
        context._fields, context._invalid, context._ends = fields, invalid, _OF_ANOTHER_ACTOR
        return context

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)


class LateContext(audit_context):
    """Fill what *source* says at the moment of each `log()` into the event: over the outer context, under the inner."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def __enter__(self) -> Self:
        outer = _current.get()
        if outer is None:
            layer = _Layer(self, None, _NOTHING, invalid=_NOTHING, late=((_NOTHING, _NO_NAMES, self._source),))
        else:
            late = (*outer.late, (outer.fields, outer.ends, self._source))
            layer = _Layer(self, outer, _NOTHING, invalid=outer.invalid, late=late)
        _current.set(layer)
        return self


class Held:
    """The context in which this is made, for later: `with held:` it holds, and nothing else that was said since."""

    __slots__ = ("_layer", "_token")

    def __init__(self) -> None:
        self._layer = _current.get()
        self._token: Token[_Layer | None] | None = None

    def __enter__(self) -> None:
        self._token = _current.set(self._layer)

    def __exit__(self, *_: object) -> None:
        if self._token is not None:
            _current.reset(self._token)


def system_actor(name: Any) -> audit_context:
    """Return a context in which the program itself acts, as *name*: `with system_actor("scheduler"):`.

    Nothing of an outer actor is left over, nor for whom that one acted: who may act as somebody else is a person,
    whose right does not pass to the scheduler that runs in that person's request. One that does act for somebody says
    so inside: `with system_actor("scheduler"), audit_context(on_behalf_of=user_id):`. Tenant, request, trace and
    `user_id` stay: they say where and about whom.
    """
    return _new_actor("system", name)


def job_actor(name: Any) -> audit_context:
    """Return a context in which the job *name* acts: `with job_actor("org.sync"):`. Otherwise as `system_actor`."""
    return _new_actor("job", name)


def _new_actor(actor_type: str, name: Any) -> audit_context:
    context = audit_context(actor_type=actor_type, actor_id=name, actor_name=name)
    context._ends = _OF_ANOTHER_ACTOR
    return context


def nothing_said() -> audit_context:
    """Return a context in which nothing holds that was said around it: for work that is only begun here by chance, as
    a scheduler's timer is in whatever request has added a job."""
    context = audit_context()
    context._ends = _NAMES
    return context


def fill(event: AuditEvent) -> AuditEvent:
    """Return *event* with the fields it leaves open taken from the current context, and from the current span."""
    layer, tracing = _current.get(), sys.modules.get("opentelemetry.trace")
    if layer is None and tracing is None:
        return event
    said = _NOTHING if layer is None else _said_in(layer) if layer.late else layer.fields
    missing: dict[str, Any] = _missing_in(event, said) if said else {}
    if tracing is not None and event.span_id is None and "span_id" not in said:
        missing = {**missing, **span_in(event.trace_id or said.get("trace_id"))}
    if layer is not None and layer.invalid and type(event.metadata) is dict:
        own = event.metadata.get(INVALID_KEY)
        unfit = {**layer.invalid, **(own if type(own) is dict else {})}
        missing = {**missing, "metadata": {**event.metadata, INVALID_KEY: unfit}}
    return msgspec.structs.replace(event, **missing) if missing else event


def _missing_in(event: AuditEvent, said: dict[str, str]) -> dict[str, str]:
    """Return what of *said* fills a field that *event* leaves open."""
    names = tuple(said)
    values_of, nothing = _of_fields(names)
    values = values_of(event)
    if values == nothing:
        # Most events: nothing is said twice, so that there is nothing to weigh.
        return said
    missing = dict(itertools.compress(said.items(), map(operator.is_, values, nothing)))
    others = _of_others(said, _told_by(event)) if missing else _NO_NAMES
    return {name: value for name, value in missing.items() if name not in others} if others else missing


@functools.lru_cache(maxsize=CONTEXT_SPELLINGS)
def _of_fields(names: tuple[str, ...]) -> tuple[Callable[[AuditEvent], tuple[Any, ...]], tuple[None, ...]]:
    """Return what gets the values of the fields of *names*, and what it gets where they are all open."""
    get = operator.attrgetter(*names)
    return (get if len(names) > 1 else lambda event: (get(event),)), (None,) * len(names)


def _said_in(layer: _Layer) -> dict[str, str]:
    """Return all that holds in *layer*, with what its late sources say now."""
    said = _NOTHING
    for fields, ends, source in layer.late:
        if fields:  # without any nothing has ended
            said = _inside(said, ends, fields)
        late = source()
        said = _inside(said, _NO_NAMES, late) if said else late
    return _inside(said, layer.ends, layer.fields) if layer.fields else said


def _inside(around: dict[str, str], ends: frozenset[str], said: dict[str, str]) -> dict[str, str]:
    """Return what holds where *said* was said inside of *around*, of which *ends* do not go on."""
    if not around:
        return said
    # No name of another actor stands beside what was said, and no span of another trace.
    gone = ends | _of_others(around, tuple(map(said.get, _TELLING_NAMES)))
    kept = {name: value for name, value in around.items() if name not in gone} if gone else around
    return {**kept, **said}


def _of_others(outer: dict[str, str], told: tuple[str | None, ...]) -> frozenset[str]:
    """Return which names in *outer* belong to another actor, or another trace, than those *told*, as in `_TELLING`."""
    if told == _TELLS_NOTHING or told == tuple(map(outer.get, _TELLING_NAMES, told)):
        return _NO_NAMES
    others = _NO_NAMES
    for (name, group), value in zip(_TELLING, told, strict=True):
        if value is not None and outer.get(name, value) != value:
            others |= group
    return others


def span_of(work: str, said: Mapping[str, str]) -> dict[str, str]:
    """Return trace and span of a piece of *work* that begins now, named by 32 hexadecimal digits, where *said* holds.

    It belongs to the current trace, else it begins one, and is a span of it. Where the current span of OpenTelemetry
    is in that trace, no span is named: those of the tracing go on to be taken, the current one of each event.
    """
    traced = current_span().get("trace_id")
    trace_id = said.get("trace_id") or (traced if "span_id" not in said else None) or work
    return {"trace_id": trace_id} if traced == trace_id else {"trace_id": trace_id, "span_id": work[16:]}


def current() -> Mapping[str, str]:
    """Return what the current context says, by field."""
    layer = _current.get()
    if layer is None:
        return _NOTHING
    return _said_in(layer) if layer.late else layer.fields
