"""What is measured of a logger, and how it is called."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from audit_async import AuditLogger, ConfigurationError, Stats, configure, shutdown
from audit_async.health import Health
from audit_async.metrics import METRICS, Kind, Metric, Observation, Sources
from tests.logs import heard

NUMBERS = [field.name for field in dataclasses.fields(Stats) if field.type in ("int", "float", "dict[str, int]")]
SUMS_OF_OTHERS = {"dropped", "refused"}


def observed(**numbers: object) -> dict[str, dict[str, float]]:
    """Return every value of a logger with these numbers, by the metric and its own attribute."""
    audit = AuditLogger("sqlite+aiosqlite:///never.db", journal_dir="never")
    seen = Observation(audit=audit, stats=Stats(**numbers), health=Health(status="ok"))  # type: ignore[arg-type]
    return {metric.name: dict(metric.read(seen)) for metric in METRICS}


@pytest.mark.parametrize("name", [name for name in NUMBERS if name not in SUMS_OF_OTHERS])
def test_each_number_is_told(name: str) -> None:
    """A number of `Stats` that changes changes one metric."""
    changed = {"memory_lost": 7} if name.endswith("_by_reason") else 7
    assert 1 == sum(
        one != other for one, other in zip(observed().values(), observed(**{name: changed}).values(), strict=True)
    )


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_names_are_by_the_conventions(metric: Metric) -> None:
    """Lower case in a namespace, no unit and no `total` in OpenTelemetry's; base units at the end of Prometheus's."""
    assert re.fullmatch(r"audit(\.[a-z]+(_[a-z]+)*){2}", metric.name)
    assert not re.search(r"total|bytes|seconds|ratio", metric.name)
    assert metric.unit in ("By", "s", "1") or re.fullmatch(r"\{[a-z]+\}", metric.unit)
    assert metric.prometheus_name.endswith({"By": "_bytes", "s": "_seconds"}.get(metric.unit, ""))
    assert (metric.kind is Kind.GAUGE and metric.unit == "1") == metric.prometheus_name.endswith("_ratio")


def test_no_name_is_a_namespace_of_another() -> None:
    """A metric of the name `a.b` leaves no room for one of the name `a.b.c`."""
    names = [metric.name for metric in METRICS]
    assert len(names) == len(set(names))
    assert not [(one, other) for one in names for other in names if other.startswith(f"{one}.")]


def test_what_has_not_happened_yet_is_told() -> None:
    """A reason that an alert is about has a value of 0 from the beginning."""
    assert 0 == observed()["audit.event.refused"]["journal_full"]
    assert 0 == observed()["audit.event.dropped"]["journal_damaged"]


def test_two_loggers_of_one_service_are_an_error(sqlite_url: str, tmp_path: Path) -> None:
    """Their numbers would be one another's."""
    one, other = (AuditLogger(sqlite_url, journal_dir=tmp_path / name) for name in ("a", "b"))
    with pytest.raises(ConfigurationError, match="of the service 'app' cannot be observed apart"):
        Sources([one, other])
    assert 1 == len(Sources([one, one]).look())


def test_a_logger_that_has_become_the_default_is_seen_once(sqlite_url: str, tmp_path: Path) -> None:
    """Whoever observes it, and the logger of the process, has one of each number."""
    audit = configure(sqlite_url, journal_dir=tmp_path / "journal")
    assert 1 == len(Sources([audit, None]).look())  # type: ignore[list-item]
    shutdown()


def test_a_logger_that_cannot_be_made_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong address in the environment costs the numbers, and raises nothing."""
    shutdown()
    monkeypatch.setenv("AUDIT_DATABASE_URL", "nonsense")
    with heard() as lines:
        assert [] == Sources().look()
    assert "an audit logger cannot be observed" in "".join(lines)
