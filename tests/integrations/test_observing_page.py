"""docs/observing.md is true: its programs run, its table is what is measured, its alerts ask for what there is."""

from __future__ import annotations

import re
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import prometheus_client

from audit_async import configure, events, shutdown
from audit_async.metrics import METRICS, Kind

PAGE = (Path(__file__).parents[2] / "docs" / "observing.md").read_text()
PROMETHEUS, OPENTELEMETRY = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
NAMES = {metric.prometheus_name + ("_total" if metric.kind is Kind.COUNTER else "") for metric in METRICS}


def test_a_scrape_over_http(tmp_path: Path) -> None:
    """What the page exposes is what Prometheus gets."""
    audit = configure(f"sqlite+aiosqlite:///{tmp_path / 'audit.db'}", journal_dir=tmp_path / "journal")
    audit.log(events.custom("report.print"))
    names: dict[str, Any] = {}
    exec(PROMETHEUS, names)
    (collector,) = (
        each for each in prometheus_client.REGISTRY._collector_to_names if isinstance(each, names["AuditCollector"])
    )
    server, thread = names["expose"](0)
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}/metrics", timeout=10) as answer:
            text = answer.read().decode()
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
        prometheus_client.REGISTRY.unregister(collector)
        shutdown()
    assert 'audit_event_accepted_total{audit_service="app"} 1.0' in text
    assert set(re.findall(r"^(audit_\w+)", text, re.MULTILINE)) == NAMES


def test_the_sdk_of_the_page_collects(tmp_path: Path) -> None:
    """Its block, in a process of its own, observes the logger of the process."""
    ends = "print(sorted(m.name for m in reader.get_metrics_data().resource_metrics[0].scope_metrics[0].metrics))"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", f"{OPENTELEMETRY}\n{ends}"],
        capture_output=True,
        text=True,
        timeout=30,
        cwd=tmp_path,
        check=False,
    )
    assert ("", f"{sorted(metric.name for metric in METRICS)}\n") == (done.stderr, done.stdout)
    assert [] == list(tmp_path.iterdir())


def test_the_table_is_what_is_measured() -> None:
    """Each metric has a row with its two names, its unit and its attribute, and no other is there."""
    rows = [
        tuple(cell.strip(" `") for cell in line.split("|")[1:5]) for line in re.findall(r"^\| `.*$", PAGE, re.MULTILINE)
    ]
    expected = [
        (
            metric.name,
            metric.prometheus_name + ("_total" if metric.kind is Kind.COUNTER else ""),
            metric.unit,
            metric.attribute or "",
        )
        for metric in METRICS
    ]
    assert expected == rows


def test_the_alerts_ask_for_what_there_is() -> None:
    """Every name in an expression is that of a metric."""
    [alerts] = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    asked = set(re.findall(r"\baudit_\w+(?=[\[{ ])", alerts))
    assert len(asked) > 5
    assert asked <= NAMES
