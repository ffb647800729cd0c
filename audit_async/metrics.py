"""What of a logger is measured, under which name: one table for OpenTelemetry and for Prometheus.

Names, units and kinds are those of OpenTelemetry's semantic conventions, and close to what these say of the SDK's own
queues. The name for Prometheus is what OpenTelemetry's rules of translation make of it, so that a dashboard does not
depend on the way that the numbers came. No attribute holds an id, a text of an error or anything else without bound.

Source: OpenTelemetry Semantic Conventions, "Metrics" and "SDK metrics"; OpenTelemetry, "Prometheus and OpenMetrics
Compatibility"; Prometheus, "Metric and label naming".
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import cast

from audit_async.default import get_audit_logger, given_logger
from audit_async.diagnostics import describe, report
from audit_async.errors import ConfigurationError
from audit_async.health import Health
from audit_async.logger import AuditLogger
from audit_async.shapes import pass_on, type_name
from audit_async.stats import Stats

SERVICE = "audit.service"
"""Attribute of every metric: the logger's `service`."""

_REASON, _STATE, _HEALTH = "error.type", "audit.event.state", "audit.health.state"

_REFUSED = ("cancelled", "closed", "fault", "journal_full", "memory_full", "recursion")
_DROPPED = ("journal_damaged", "memory_lost")
"""Reasons that are told while nothing has happened yet, since the first time is what an alert is about."""

_HEALTH_STATES = ("ok", "degraded", "failing")


class Kind(enum.Enum):
    """How a metric moves: only up, up and down as a sum, or as a value that no sum means anything of."""

    COUNTER = "counter"
    UP_DOWN = "up_down"
    GAUGE = "gauge"


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """A logger at one moment."""

    audit: AuditLogger
    stats: Stats
    health: Health

    @property
    def service(self) -> str:
        """The name by which it is told from others."""
        return self.audit.settings.service


Values = Mapping[str, float]
"""By the value of the metric's attribute; by an empty text where it has none."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One number, or one for each value of an attribute.

    Attributes:
        unit: by the Unified Code for Units of Measure.
        attribute: the name of its own attribute, or None.
    """

    name: str
    kind: Kind
    unit: str
    description: str
    read: Callable[[Observation], Values]
    attribute: str | None = None

    @property
    def prometheus_name(self) -> str:
        """The name for Prometheus, without the `_total` of a counter."""
        suffix = {"By": "_bytes", "s": "_seconds"}.get(self.unit, "")
        if self.unit == "1" and self.kind is Kind.GAUGE:
            suffix = "_ratio"
        return prometheus_label(self.name) + suffix

    def values(self, seen: Observation) -> Iterable[tuple[dict[str, str], float]]:
        """Return each value with its attributes."""
        for own, value in self.read(seen).items():
            yield {SERVICE: seen.service, **({self.attribute: own} if self.attribute else {})}, value


def prometheus_label(name: str) -> str:
    """Return the name of an attribute as Prometheus takes it."""
    return name.replace(".", "_")


def _one(read: Callable[[Stats], float]) -> Callable[[Observation], Values]:
    return lambda seen: {"": read(seen.stats)}


def _by_reason(usual: tuple[str, ...], read: Callable[[Stats], Mapping[str, int]]) -> Callable[[Observation], Values]:
    return lambda seen: {**dict.fromkeys(usual, 0), **read(seen.stats)}


METRICS = (
    Metric(
        "audit.event.accepted",
        Kind.COUNTER,
        "{event}",
        "Events that were taken: each is stored, pending, quarantined or dropped.",
        _one(lambda stats: stats.accepted),
    ),
    Metric(
        "audit.event.stored",
        Kind.COUNTER,
        "{event}",
        "Accepted events whose row has committed.",
        _one(lambda stats: stats.stored),
    ),
    Metric(
        "audit.event.pending",
        Kind.UP_DOWN,
        "{event}",
        "Accepted events that wait in the journal.",
        _one(lambda stats: stats.pending),
    ),
    Metric(
        "audit.event.quarantined",
        Kind.COUNTER,
        "{event}",
        "Accepted events that the database refused for what is in them, kept on disk.",
        _one(lambda stats: stats.quarantined),
    ),
    Metric(
        "audit.event.dropped",
        Kind.COUNTER,
        "{event}",
        "Accepted events that were lost, by reason.",
        _by_reason(_DROPPED, lambda stats: stats.dropped_by_reason),
        _REASON,
    ),
    Metric(
        "audit.event.refused",
        Kind.COUNTER,
        "{event}",
        "Events that were not accepted, by reason.",
        _by_reason(_REFUSED, lambda stats: stats.refused_by_reason),
        _REASON,
    ),
    Metric(
        "audit.event.adopted",
        Kind.COUNTER,
        "{event}",
        "Events of processes that died, dealt with by this one, by what became of them.",
        lambda seen: {
            "stored": seen.stats.adopted_stored,
            "quarantined": seen.stats.adopted_quarantined,
            "dropped": seen.stats.adopted_dropped,
        },
        _STATE,
    ),
    Metric(
        "audit.event.unknown_action",
        Kind.COUNTER,
        "{event}",
        "Events whose action the vocabulary does not have.",
        _one(lambda stats: stats.unknown_actions),
    ),
    Metric(
        "audit.redaction.failures",
        Kind.COUNTER,
        "{failure}",
        "Values that were removed because a rule of redaction failed on them.",
        _one(lambda stats: stats.redaction_failed),
    ),
    Metric(
        "audit.journal.waits",
        Kind.COUNTER,
        "{wait}",
        "Calls that found the journal full and waited for room.",
        _one(lambda stats: stats.waits),
    ),
    Metric(
        "audit.journal.size",
        Kind.UP_DOWN,
        "By",
        "Kept by the journal, space that is only reserved included.",
        _one(lambda stats: stats.journal_bytes),
    ),
    Metric(
        "audit.journal.limit",
        Kind.UP_DOWN,
        "By",
        "What the journal may keep.",
        _one(lambda stats: stats.journal_max_bytes),
    ),
    Metric(
        "audit.journal.utilization",
        Kind.GAUGE,
        "1",
        "The share of its limit that events take, from 0 to 1.",
        _one(lambda stats: stats.journal_fullness),
    ),
    Metric(
        "audit.journal.lag",
        Kind.GAUGE,
        "s",
        "Since the oldest pending event was accepted.",
        _one(lambda stats: stats.oldest_pending_seconds),
    ),
    Metric(
        "audit.health.status",
        Kind.UP_DOWN,
        "1",
        "1 for the state that the logger is in, 0 for the others.",
        lambda seen: {state: float(seen.health.status == state) for state in _HEALTH_STATES},
        _HEALTH,
    ),
)


class Sources:
    """The loggers that are observed.

    Args:
        audit: one, several, or None for that of the process, as it is at the moment of looking.

    Raises:
        ConfigurationError: two have the same `service`, so that nobody could tell their numbers apart; or one is none.
    """

    def __init__(self, audit: AuditLogger | Iterable[AuditLogger] | None = None) -> None:
        self._loggers: tuple[AuditLogger | None, ...] = ()
        # A text is one wrong logger, and no row of them, which may be empty.
        is_row = isinstance(audit, Iterable) and not isinstance(audit, (str, bytes))
        for each in cast("Iterable[AuditLogger | None]", audit if is_row else [audit]):
            self.add(each)

    def add(self, audit: AuditLogger | None) -> None:
        """Observe *audit* too; one that is observed already is left."""
        if given_logger(audit) is not None and not isinstance(audit, AuditLogger):
            raise ConfigurationError(
                f"audit is {type_name(audit)}, which takes events, and has no numbers of its own",
                hint="give the AuditLogger(...) behind it, or nothing for that of the process",
            )
        if audit in self._loggers:
            return
        services = {each.settings.service for each in self._loggers if each is not None}
        if audit is not None and audit.settings.service in services:
            raise ConfigurationError(
                f"two audit loggers of the service {audit.settings.service!r} cannot be observed apart",
                hint="give each its own: AuditLogger(..., service='billing')",
            )
        self._loggers = (*self._loggers, audit)

    def look(self) -> list[Observation]:
        """Return how each logger stands now. Never raises, and does no I/O."""
        seen = [found for each in self._loggers if (found := look_at(each)) is not None]
        # The logger of the process may have come to be one of the others.
        return list({each.service: each for each in seen}.values())


def look_at(audit: AuditLogger | None) -> Observation | None:
    """Return how *audit*, or the logger of the process, stands now; None where there can be none. Never raises."""
    try:
        logger = get_audit_logger() if audit is None else audit
        return Observation(audit=logger, stats=logger.stats(), health=logger.health())
    except BaseException as error:
        pass_on(error)
        report("metrics", f"an audit logger cannot be observed ({describe(error)})")
        return None
