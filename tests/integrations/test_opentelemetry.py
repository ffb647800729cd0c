"""A logger among the instruments of a real SDK of OpenTelemetry."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from audit_async import ConfigurationError, __version__, configure, events, shutdown
from audit_async.integrations import opentelemetry as bridge
from audit_async.integrations.opentelemetry import install
from audit_async.metrics import METRICS, Kind
from tests.integrations.log import Log, logging_to

NAME = "audit_async.integrations.opentelemetry"


class Reader:
    """A meter provider, and what a collection of it gives."""

    def __init__(self) -> None:
        self._reader = InMemoryMetricReader()
        self.provider = MeterProvider(metric_readers=[self._reader])

    def metrics(self) -> list[Any]:
        """Return the metrics of one collection."""
        data = self._reader.get_metrics_data()
        if data is None:
            return []
        [scope] = [scope for resource in data.resource_metrics for scope in resource.scope_metrics]
        assert ("audit_async", __version__) == (scope.scope.name, scope.scope.version)
        return list(scope.metrics)

    def values(self) -> dict[tuple[str, ...], float]:
        """Return each value by the metric's name and those of its attributes."""
        return {
            (metric.name, *(str(value) for value in (point.attributes or {}).values())): point.value
            for metric in self.metrics()
            for point in metric.data.data_points
        }


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch) -> Iterator[Reader]:
    """A provider of its own, each of whose collections looks anew."""
    monkeypatch.setattr(bridge, "OBSERVED_SECONDS", 0.0)
    reader = Reader()
    yield reader
    reader.provider.shutdown()


def test_a_collection_is_what_the_logger_says(log: Log, reader: Reader) -> None:
    """Each number is that of `stats()`, with the service and nothing that has no bound."""
    install(log.audit, meter_provider=reader.provider)
    for _ in range(5):
        log.audit.log(events.custom("report.printed"))
    log.rows()
    seen = reader.values()
    names = ("accepted", "stored", "pending", "unknown_action")
    assert [5, 5, 0, 5] == [seen[f"audit.event.{name}", "app"] for name in names]
    assert [1, 0] == [seen["audit.health.status", "app", state] for state in ("ok", "failing")]
    log.audit.close_sync()
    log.audit.log(events.custom("report.print"))
    assert set(seen) == set(reader.values())
    assert 1 == reader.values()["audit.event.refused", "app", "closed"]


def test_each_instrument_is_of_its_kind(log: Log, reader: Reader) -> None:
    """Counters are monotonic sums, what goes up and down is a sum, and the rest is gauges; each with its unit."""
    install(log.audit, meter_provider=reader.provider)
    found = {metric.name: (metric.unit, getattr(metric.data, "is_monotonic", None)) for metric in reader.metrics()}
    kinds = {Kind.COUNTER: True, Kind.UP_DOWN: False, Kind.GAUGE: None}
    assert {metric.name: (metric.unit, kinds[metric.kind]) for metric in METRICS} == found


def test_one_collection_is_of_one_moment(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """However much is logged while the instruments are asked, the parts are the whole."""
    reader = Reader()
    install(log.audit, meter_provider=reader.provider)
    look, looks = log.audit.stats, list[int]()

    def stats() -> Any:
        looks.append(1)
        return look()

    monkeypatch.setattr(log.audit, "stats", stats)
    assert len(reader.metrics()) == len(METRICS)
    assert 1 == len(looks)
    reader.provider.shutdown()


def test_a_counter_never_falls(reader: Reader, tmp_path: Path) -> None:
    """Where the logger of the process is replaced the sum goes on, and what is pending is that of the new one."""
    install(meter_provider=reader.provider)
    seen = []
    for name, count in (("one", 3), ("two", 1), ("three", 2)):
        audit = configure(f"sqlite+aiosqlite:///{tmp_path / name}.db", journal_dir=tmp_path / name)
        for _ in range(count):
            audit.log(events.custom("report.print"))
        seen.append(reader.values()["audit.event.accepted", "app"])
        audit.log(events.custom("report.print"))  # after the last collection that sees this logger
    shutdown()
    assert [3, 5, 8] == seen


def test_installing_again_changes_nothing(log: Log, reader: Reader) -> None:
    """The same logger is observed once."""
    for _ in range(2):
        install(log.audit, meter_provider=reader.provider)
    log.audit.log(events.custom("report.print"))
    assert 1 == reader.values()["audit.event.accepted", "app"]
    assert len(METRICS) == len(reader.metrics())


def test_several_loggers_are_told_apart_by_their_service(log: Log, reader: Reader, tmp_path: Path) -> None:
    """A second one is observed beside the first; one of the same service is an error."""
    install(log.audit, meter_provider=reader.provider)
    with logging_to(tmp_path / "other", service="billing") as other, logging_to(tmp_path / "same") as same:
        install(other.audit, meter_provider=reader.provider)
        other.audit.log(events.custom("invoice.sent"))
        seen = reader.values()
        with pytest.raises(ConfigurationError, match="of the service 'app'"):
            install(same.audit, meter_provider=reader.provider)
    assert [0, 1] == [seen["audit.event.accepted", each] for each in ("app", "billing")]


@pytest.mark.parametrize("wrong", ["x", 7, "", object()])
def test_what_is_no_meter_provider_is_refused(log: Log, wrong: Any) -> None:
    """It is told what it was given, and what to give."""
    with pytest.raises(ConfigurationError, match="which is no meter provider") as caught:
        install(log.audit, meter_provider=wrong)
    assert "MeterProvider(...)" in str(caught.value.hint)


def test_it_may_come_before_the_application_sets_its_provider(tmp_path: Path) -> None:
    """What was observed before is in the collections of the provider that is set later; a forked child counts anew."""
    child = tmp_path / "child.py"
    child.write_text(CHILD)
    done = subprocess.run(
        [sys.executable, "-W", "error", str(child), str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert ("", "parent 1\nparent 2\nchild 1\n") == (done.stderr, done.stdout)


CHILD = """
import os, sys
from opentelemetry import metrics
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from audit_async import configure, events, shutdown
from audit_async.integrations import opentelemetry

opentelemetry.OBSERVED_SECONDS = 0.0
opentelemetry.install()
opentelemetry.install()
reader = InMemoryMetricReader()
metrics.set_meter_provider(MeterProvider(metric_readers=[reader]))

def tell(who):
    [metric] = [
        metric
        for resource in reader.get_metrics_data().resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        if metric.name == "audit.event.accepted"
    ]
    print(who, *(point.value for point in metric.data.data_points), flush=True)

for name in ("one", "two"):
    audit = configure(f"sqlite+aiosqlite:///{sys.argv[1]}/{name}.db", journal_dir=f"{sys.argv[1]}/{name}")
    audit.log(events.custom("report.print"))
    tell("parent")
pid = os.fork()
if pid == 0:
    audit.log(events.custom("report.print"))
    tell("child")
    os._exit(0)
os.waitpid(pid, 0)
shutdown()
"""


def test_without_the_library_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """The hint is a command."""
    monkeypatch.delitem(sys.modules, NAME)
    monkeypatch.setitem(sys.modules, "opentelemetry.metrics", None)
    with pytest.raises(ConfigurationError) as caught:
        importlib.import_module(NAME)
    assert "pip install 'audit-async[otel]'" == caught.value.hint
