"""How a logger stands, for OpenTelemetry (`pip install 'audit-async[otel]'`).

    install()

Metrics by observable instruments: they are read when the application's reader collects, and cost nothing in between.
Their names are in `docs/observing.md`. Traces need nothing: every event takes the current span, see `context`.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from audit_async.config import OBSERVED_SECONDS
from audit_async.errors import ConfigurationError
from audit_async.loading import optional
from audit_async.logger import AuditLogger
from audit_async.metrics import METRICS, Kind, Metric, Observation, Sources, look_at
from audit_async.shapes import type_name

if TYPE_CHECKING:
    from opentelemetry.metrics import CallbackOptions, Meter, MeterProvider, get_meter_provider
    from opentelemetry.metrics import Observation as Measured
else:
    with optional("metrics for OpenTelemetry need its API", "otel"):
        from opentelemetry.metrics import CallbackOptions, Meter, MeterProvider, get_meter_provider
        from opentelemetry.metrics import Observation as Measured

_installed: WeakKeyDictionary[MeterProvider, _Instruments] = WeakKeyDictionary()
_of_the_process: list[_Instruments] = []
_lock = threading.Lock()


def install(audit: AuditLogger | None = None, *, meter_provider: MeterProvider | None = None) -> None:
    """Observe *audit* from now on. May be called before the application sets its meter provider up.

    Called again with another logger it observes both; with the same one it does nothing.

    Args:
        audit: the logger; by default that of the process, as it is when a reader collects.
        meter_provider: by default that of the process.

    Raises:
        ConfigurationError: another logger of the same `service` is observed there; *audit* is no logger, or
            *meter_provider* is no meter provider.
    """
    if meter_provider is not None and not isinstance(meter_provider, MeterProvider):
        raise ConfigurationError(
            f"meter_provider is {type_name(meter_provider)}, which is no meter provider",
            hint="give a MeterProvider(...) of opentelemetry.sdk.metrics, or nothing for that of the process",
        )
    with _lock:
        if meter_provider is not None:
            known = _installed.get(meter_provider)
        else:
            known = _of_the_process[0] if _of_the_process else None
        if known is not None:
            known.sources.add(audit)
            return
        made = _Instruments(audit)
        if meter_provider is not None:
            _installed[meter_provider] = made
        else:
            _of_the_process.append(made)
        made.begin((meter_provider or get_meter_provider()).get_meter("audit_async", _version()))


class _Instruments:
    """One instrument for each metric, all of which see the same moment."""

    def __init__(self, audit: AuditLogger | None) -> None:
        self.sources = Sources(audit)
        self._begin_anew()

    def _begin_anew(self) -> None:
        """Forget what was seen: a forked child counts from 0, and the lock may be a thread's that it does not have."""
        self._lock = threading.Lock()
        self._seen: list[Observation] = []
        self._seen_at = -OBSERVED_SECONDS
        self._last: dict[str, AuditLogger] = {}
        # By metric and attributes: what the loggers that were there before have counted.
        self._before: dict[tuple[str, ...], float] = {}
        self._pid = os.getpid()

    def begin(self, meter: Meter) -> None:
        """Make the instruments."""
        make = {
            Kind.COUNTER: meter.create_observable_counter,
            Kind.UP_DOWN: meter.create_observable_up_down_counter,
            Kind.GAUGE: meter.create_observable_gauge,
        }
        for metric in METRICS:
            make[metric.kind](metric.name, [self._reading(metric)], unit=metric.unit, description=metric.description)

    def _reading(self, metric: Metric) -> Callable[[CallbackOptions], Iterable[Measured]]:
        def read(options: CallbackOptions) -> Iterable[Measured]:
            if self._pid != os.getpid():
                self._begin_anew()
            with self._lock:
                return [
                    Measured(value + self._before.get(_key(metric, attributes), 0), attributes)
                    for seen in self._look()
                    for attributes, value in metric.values(seen)
                ]

        return read

    def _look(self) -> list[Observation]:
        """Return how the loggers stand: the same for all instruments of one collection, which come one by one."""
        now = time.monotonic()
        if now - self._seen_at >= OBSERVED_SECONDS:
            self._seen, self._seen_at = self.sources.look(), now
            for seen in self._seen:
                self._follow(seen)
        return self._seen

    def _follow(self, seen: Observation) -> None:
        """See that no counter falls where the logger of the process is another one than the last time."""
        last = self._last.get(seen.service)
        self._last[seen.service] = seen.audit
        if last is None or last is seen.audit:
            return
        ended = look_at(last)
        for metric in METRICS:
            if metric.kind is Kind.COUNTER and ended is not None:
                for attributes, value in metric.values(ended):
                    key = _key(metric, attributes)
                    self._before[key] = self._before.get(key, 0) + value


def _key(metric: Metric, attributes: dict[str, str]) -> tuple[str, ...]:
    return metric.name, *attributes.values()


def _version() -> str:
    # The face imports everything, so nothing imports the face; it is there already.
    return str(getattr(sys.modules["audit_async"], "__version__", ""))
