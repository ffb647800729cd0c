"""A logger in a real registry of Prometheus."""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from audit_async import AuditEvent, ConfigurationError, configure, events, shutdown
from audit_async.integrations.prometheus import AuditCollector
from tests.integrations.log import Log, logging_to

NAME = "audit_async.integrations.prometheus"
Samples = dict[tuple[str, ...], float]


def scraped(registry: CollectorRegistry) -> Samples:
    """Return each sample as Prometheus reads it, by its name and the values of its labels but the service."""
    found: Samples = {}
    for family in text_string_to_metric_families(generate_latest(registry).decode()):
        for sample in family.samples:
            assert sample.labels.pop("audit_service")
            key = (sample.name, *sample.labels.values())
            assert key not in found
            found[key] = sample.value
    return found


class Numberless:
    """Takes events, and does not count them."""

    def __repr__(self) -> str:
        return "numberless"

    def log(self, event: AuditEvent, /) -> None: ...


def observing(log: Log) -> CollectorRegistry:
    """Return a registry that *log* is in."""
    registry = CollectorRegistry()
    registry.register(AuditCollector(log.audit))
    return registry


def test_a_scrape_is_what_the_logger_says(log: Log) -> None:
    """Each number is that of `stats()`, and the parts are the whole."""
    registry = observing(log)
    for _ in range(5):
        log.audit.log(events.custom("report.printed"))
    log.rows()
    seen = scraped(registry)
    names = ("accepted_total", "stored_total", "pending", "unknown_action_total")
    assert [5, 5, 0, 5] == [seen[f"audit_event_{name}",] for name in names]
    assert log.audit.stats().journal_max_bytes == seen["audit_journal_limit_bytes",]
    states = [seen["audit_health_status", state] for state in ("ok", "degraded", "failing")]
    assert [1, 0, 0] == states


def test_what_is_refused_is_told_by_reason(log: Log) -> None:
    """A reason is a label, and what it makes of the health is told."""
    registry = observing(log)
    before = set(scraped(registry))
    log.audit.close_sync()
    log.audit.log(events.custom("report.print"))
    seen = scraped(registry)
    assert 1 == seen["audit_event_refused_total", "closed"]
    assert 1 == seen["audit_health_status", "failing"]
    assert before == set(seen)


def test_names_and_types_are_those_of_prometheus(log: Log) -> None:
    """Counters end in `_total`, nothing else does; every metric says what it is."""
    text = generate_latest(observing(log)).decode()
    types = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE))
    assert {name: name.endswith("_total") for name in types} == {
        name: kind == "counter" for name, kind in types.items()
    }
    assert set(types) == set(re.findall(r"^# HELP (\S+) \S", text, re.MULTILINE))


def test_a_registry_takes_it_once(log: Log) -> None:
    """A second collector would say every name a second time."""
    registry = observing(log)
    with pytest.raises(ValueError, match="audit_event_accepted"):
        registry.register(AuditCollector(log.audit))


def test_several_loggers_are_told_apart_by_their_service(log: Log, tmp_path: Path) -> None:
    """One collector takes all of them."""
    registry = CollectorRegistry()
    with logging_to(tmp_path / "other", service="billing") as other:
        registry.register(AuditCollector([log.audit, other.audit]))
        other.audit.log(events.custom("invoice.sent"))
        values = [
            registry.get_sample_value("audit_event_accepted_total", {"audit_service": each})
            for each in ("app", "billing")
        ]
    assert [0, 1] == values


@pytest.mark.parametrize("wrong", [7, "x", "", b"", ["x"], Numberless()], ids=repr)
def test_what_has_no_numbers_is_refused_where_it_is_named(wrong: Any) -> None:
    """Neither a text, nor what only takes events, is observed in silence."""
    with pytest.raises(ConfigurationError, match=r"audit is \S+, which") as caught:
        AuditCollector(wrong)
    assert "AuditLogger(...)" in str(caught.value.hint)


def test_the_default_logger_is_that_of_the_scrape(tmp_path: Path) -> None:
    """A collector that is registered before `configure` tells of what was configured."""
    registry = CollectorRegistry()
    registry.register(AuditCollector())
    audit = configure(f"sqlite+aiosqlite:///{tmp_path / 'audit.db'}", journal_dir=tmp_path / "journal", service="web")
    audit.log(events.custom("report.print"))
    assert 1 == registry.get_sample_value("audit_event_accepted_total", {"audit_service": "web"})
    shutdown()


def test_a_scrape_never_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no logger can be made there are no samples, and the other collectors are heard."""
    shutdown()
    monkeypatch.setenv("AUDIT_DATABASE_URL", "nonsense")
    registry = CollectorRegistry()
    registry.register(AuditCollector())
    assert {} == scraped(registry)


def test_without_the_library_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """The hint is a command."""
    monkeypatch.delitem(sys.modules, NAME)
    monkeypatch.setitem(sys.modules, "prometheus_client.metrics_core", None)
    with pytest.raises(ConfigurationError) as caught:
        importlib.import_module(NAME)
    assert "pip install 'audit-async[prometheus]'" == caught.value.hint
