"""How a logger stands, for Prometheus (`pip install 'audit-async[prometheus]'`).

    from prometheus_client import REGISTRY

    REGISTRY.register(AuditCollector())

The names are in `docs/observing.md`. In a process that forks each child has numbers of its own, as it has a journal of
its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from audit_async.loading import optional
from audit_async.logger import AuditLogger
from audit_async.metrics import METRICS, SERVICE, Kind, Metric, Sources, prometheus_label

if TYPE_CHECKING:
    from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily
    from prometheus_client.registry import Collector
else:
    with optional("AuditCollector needs the client library of Prometheus", "prometheus"):
        from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily
        from prometheus_client.registry import Collector


class AuditCollector(Collector):
    """Tells how one or several loggers stand whenever Prometheus asks; in between it costs nothing.

    Counters begin at 0 with each logger, as Prometheus expects of what is started anew.

    Args:
        audit: a logger, or several, each with a `service` of its own; by default that of the process, as it is when
            Prometheus asks.

    Raises:
        ConfigurationError: two of them have the same `service`, or one is no `AuditLogger`.
    """

    def __init__(self, audit: AuditLogger | Iterable[AuditLogger] | None = None) -> None:
        self._sources = Sources(audit)

    def describe(self) -> Iterator[CounterMetricFamily | GaugeMetricFamily]:
        """Return the metrics without values: a registry takes each name once."""
        return map(_family, METRICS)

    def collect(self) -> Iterator[CounterMetricFamily | GaugeMetricFamily]:
        """Return the metrics, all of one moment. Never raises."""
        seen = self._sources.look()
        for metric in METRICS:
            family = _family(metric)
            for each in seen:
                for attributes, value in metric.values(each):
                    family.add_metric(list(attributes.values()), value)
            yield family


def _family(metric: Metric) -> CounterMetricFamily | GaugeMetricFamily:
    kind = CounterMetricFamily if metric.kind is Kind.COUNTER else GaugeMetricFamily
    labels = [prometheus_label(name) for name in (SERVICE, metric.attribute) if name is not None]
    return kind(metric.prometheus_name, metric.description, labels=labels)
