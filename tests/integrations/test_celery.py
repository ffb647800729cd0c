"""Tasks of Celery in a real worker with a prefork pool: whose they are, how they end, and what dies with a child."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sqlite3
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from celery import signals  # type: ignore[import-untyped]
from celery.exceptions import TimeLimitExceeded  # type: ignore[import-untyped]

from audit_async import AuditLogger, audit_context, events
from audit_async.integrations.celery import HEADER, install
from tests.children import Child
from tests.integrations.celery_app import MEMBERS, make
from tests.jobs.test_death import delivered
from tests.polling import eventually_sync
from tests.tables import all_rows

WHO = {"tenant_id": "t-1", "user_id": "u-1", "request_id": "r-1"}

# The first one of a process starts a worker, and waits until it has done all its tasks, on a machine that may be busy.
pytestmark = pytest.mark.timeout(180)


@dataclass(frozen=True, slots=True)
class Life:
    """What a worker left: in the table when it had ended, and after the next process had begun."""

    ids: dict[str, str]
    at_its_end: list[dict[str, Any]]
    rows: list[dict[str, Any]]
    errors: str
    returncode: int | None

    def of(self, name: str) -> list[tuple[str, str]]:
        """Return action and outcome of every event of the jobs of the task *name*."""
        mine = [row for row in self.rows if row["details"].get("task_id") == self.ids[name]]
        return [(row["action"], row["outcome"]) for row in mine]

    def messages(self, name: str) -> list[str]:
        return [
            row["error_message"]
            for row in self.rows
            if row["details"].get("task_id") == self.ids[name] and row["error_message"]
        ]


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Life:
    """A worker that is given every task, and told to end as soon as the last one has logged."""
    folder = tmp_path_factory.mktemp("celery")
    (queue := folder / "queue").mkdir()
    journal, errors, url = folder / "journal", folder / "errors", f"sqlite+aiosqlite:///{folder / 'audit.db'}"
    app = make(queue)

    def finishes() -> int:
        with contextlib.closing(sqlite3.connect(folder / "audit.db")) as table, contextlib.suppress(sqlite3.Error):
            return int(table.execute("SELECT count(*) FROM audit_logs WHERE action = 'job.finish'").fetchone()[0])
        return 0

    with Child("celery_app", url, journal, queue, package="tests.integrations", errors=errors) as worker:
        with audit_context(**WHO):
            ids = {"plain": app.send_task("plain", [1]).id, "send": app.send_task("send", [2]).id}
            ids["expired"] = app.send_task("send", [3], expires=-1).id
            ids |= {name: app.send_task(name).id for name in ("fail", "again", "ask", "outer")}
        ids["alone"] = app.send_task("send", [4]).id
        # Seven, three more of what is retried, and one of what `outer` sends. Nothing is left that dies with a child.
        eventually_sync(lambda: finishes() >= 11, 40)
        with audit_context(**WHO):
            ids |= {name: app.send_task(name).id for name in ("die", "die_late")}
        eventually_sync(lambda: finishes() >= 13, 40)
        app.send_task("org.sync")
        eventually_sync((queue / "control" / "synced").exists, 20)
        worker.send(signal.SIGTERM)
        worker.rest()
    at_its_end = asyncio.run(all_rows(url))
    return Life(ids, at_its_end, asyncio.run(delivered(url, journal)), errors.read_text(), worker.returncode)


def test_a_task_runs_in_the_context_in_which_it_was_queued(life: Life) -> None:
    """Whether it is a job or not, what it logs knows tenant, user and request; a task that was queued by nobody has
    nobody's."""
    printed = {row["details"]["number"]: row for row in life.rows if row["action"] == "report.print"}
    found = [{field: printed[number][field] for field in WHO} for number in (1, 2, 4)]
    assert [WHO, WHO, dict.fromkeys(WHO)] == found
    assert life.ids["plain"].replace("-", "") == printed[1]["trace_id"]
    assert (None, "send") == (printed[1]["actor_id"], printed[2]["actor_id"])


def test_a_chosen_task_is_a_job_that_counts(life: Life) -> None:
    """Its run has a start and an end, with the queue's id, the worker and the counters; one that was not chosen has
    none."""
    assert [("job.start", "success"), ("job.finish", "success")] == life.of("send")
    [finish] = [r for r in life.rows if r["details"].get("task_id") == life.ids["send"] and r["action"] == "job.finish"]
    assert ("send", "celery", 1) == tuple(finish["details"][name] for name in ("job_name", "queue", "sent"))
    assert finish["details"]["worker"].startswith("celery@")
    assert [] == life.of("plain")


def test_a_task_that_fails_says_why(life: Life) -> None:
    """The exception of the function is the error of the job."""
    assert [("job.start", "success"), ("job.finish", "failure")] == life.of("fail")
    assert ["ValueError: no such address"] == life.messages("fail")


def test_each_retry_is_a_run_of_its_own_of_the_same_caller(life: Life) -> None:
    """Three runs of one task id are numbered, are of one trace, and of whoever queued the first; a retry that waits
    for something is no failure."""
    assert [("job.start", "success"), ("job.finish", "failure")] * 2 + [
        ("job.start", "success"),
        ("job.finish", "success"),
    ] == life.of("again")
    mine = [row for row in life.rows if row["details"].get("task_id") == life.ids["again"]]
    assert [None, None, 1, 1, 2, 2] == [row["details"].get("retries") for row in mine]
    assert 3 == len({row["resource_id"] for row in mine})
    assert {(*WHO.values(), life.ids["again"].replace("-", ""))} == {
        (row["tenant_id"], row["user_id"], row["request_id"], row["trace_id"]) for row in mine
    }
    assert ["Retry in 0s: ConnectionError('no answer')"] * 2 == life.messages("again")
    assert ["success", "pending", "success", "success"] == [outcome for _, outcome in life.of("ask")]


def test_a_task_that_another_one_queues_is_of_the_same_trace(life: Life) -> None:
    """What is queued inside a task goes on in its context, with what was said around the call."""
    [told] = [row for row in life.rows if row["details"].get("number") == 7]
    assert (life.ids["outer"].replace("-", ""), "t-inner", "u-1") == (
        told["trace_id"],
        told["tenant_id"],
        told["user_id"],
    )


def test_a_task_that_was_revoked_has_an_end_and_no_start(life: Life) -> None:
    """One that had expired before a child took it is told by the worker, in its caller's context."""
    assert [("job.finish", "cancelled")] == life.of("expired")
    assert ["expired"] == life.messages("expired")
    [end] = [row for row in life.rows if row["details"].get("task_id") == life.ids["expired"]]
    assert WHO == {field: end[field] for field in WHO}


def test_a_child_that_is_killed_in_a_task_leaves_its_start(life: Life) -> None:
    """After SIGKILL the start of the child is in the log, and an end that the worker tells, of the same caller and
    trace."""
    assert [("job.start", "success"), ("job.finish", "failure")] == life.of("die")
    [why] = life.messages("die")
    assert why.startswith("WorkerLostError: Worker exited prematurely: signal 9")
    mine = [row for row in life.rows if row["details"].get("task_id") == life.ids["die"]]
    assert 1 == len({(row["tenant_id"], row["user_id"], row["trace_id"]) for row in mine})
    assert "t-1" == mine[0]["tenant_id"]


def test_a_task_that_is_acknowledged_late_runs_again(life: Life) -> None:
    """Killed in its first run it is delivered again: two starts, of which the first has no end."""
    assert [("job.start", "success"), ("job.start", "success"), ("job.finish", "success")] == life.of("die_late")
    first, second, finish = [row for row in life.rows if row["details"].get("task_id") == life.ids["die_late"]]
    assert first["resource_id"] != second["resource_id"] == finish["resource_id"]
    assert first["trace_id"] == second["trace_id"]


def test_the_end_of_a_worker_brings_in_what_its_children_logged(life: Life) -> None:
    """Told to end by SIGTERM it ends well, with every event in the table, once."""
    printed = Counter(row["actor_id"] for row in life.at_its_end if row["action"] == "report.print")
    assert MEMBERS == printed["org.sync"]
    assert "org.sync" == life.at_its_end[-1]["action"]
    assert 0 == life.returncode
    assert len(life.rows) == len({row["id"] for row in life.rows})


def test_no_signal_receiver_has_failed(life: Life) -> None:
    """Celery logs what a receiver raises: of ours none has."""
    assert "Signal handler" not in life.errors
    said = [line for line in life.errors.splitlines() if "log_tasks" not in line]
    assert "audit" not in "".join(said).replace("/audit", "")


def test_a_name_that_is_no_task_is_said_by_the_worker(life: Life) -> None:
    """Once, when it is ready and knows all its tasks, with the name that may be meant; names of tasks are not."""
    [said] = [line for line in life.errors.splitlines() if "log_tasks" in line]
    assert said.endswith("no task of this worker when it starts: 'sned' (did you mean 'send'?)")


def test_a_task_that_is_called_in_place_is_a_job_inside(tmp_path: Path, sqlite_url: str) -> None:
    """Eager tasks nest, in the caller's context; a damaged header does no harm; installed twice counts once."""
    audit = AuditLogger(sqlite_url, journal_dir=tmp_path / "journal")
    (queue := tmp_path / "queue").mkdir()
    app = make(queue, audit)
    install(app, audit, log_tasks=True)
    app.conf.task_always_eager = True
    with audit_context(tenant_id="t-2"):
        app.tasks["outer"].apply(headers={HEADER: "\0damaged"})
        assert isinstance(app.tasks["fail"].apply().result, ValueError)
    assert audit.close_sync(20)
    rows = asyncio.run(all_rows(sqlite_url))
    assert ["job.start", "job.start", "report.print", "job.finish", "job.finish", "job.start", "job.finish"] == [
        row["action"] for row in rows
    ]
    assert rows[0]["resource_id"] == rows[1]["details"]["parent_job_id"]
    assert ["t-2", "t-inner"] == [row["tenant_id"] for row in rows[:2]]
    assert "ValueError: no such address" == rows[-1]["error_message"]


def test_a_task_that_exits_is_no_success(tmp_path: Path, sqlite_url: str) -> None:
    """Whatever its code, it takes the worker with it, or the program that calls it in place."""
    audit = AuditLogger(sqlite_url, journal_dir=tmp_path / "journal")
    (queue := tmp_path / "queue").mkdir()
    with pytest.raises(SystemExit):
        make(queue, audit).tasks["leave"].apply()
    assert audit.close_sync(20)
    end = asyncio.run(all_rows(sqlite_url))[-1]
    assert ("job.finish", "cancelled", "SystemExit: 0") == (end["action"], end["outcome"], end["error_message"])


@pytest.mark.parametrize("ended", ["worker_process_shutdown", "worker_shutdown"])
def test_the_end_of_a_process_waits_for_what_was_logged(ended: str, tmp_path: Path, sqlite_url: str) -> None:
    """When Celery says that a child, or the worker, ends, what was logged is in the table before that goes on."""
    audit = AuditLogger(sqlite_url, journal_dir=tmp_path / "journal")
    (queue := tmp_path / "queue").mkdir()
    make(queue, audit)
    for number in range(MEMBERS):
        audit.log(events.custom("report.print", details={"number": number}))
    getattr(signals, ended).send(sender=None, pid=1, exitcode=0)
    assert (MEMBERS, 0) == (audit.stats().stored, audit.stats().pending)
    assert audit.close_sync(20)


class Delivery:
    """Stands for the worker's own object of one delivery of a message."""

    id = "7e0c8a52-0f1f-4e5c-9d3c-6a1f7a2a9f10"

    def __init__(self) -> None:
        self.request_dict = {"id": self.id}


def test_a_run_that_the_worker_gives_up_has_one_end(tmp_path: Path, sqlite_url: str) -> None:
    """Celery says of a hard time limit twice that the run has failed: it is told once for each delivery."""
    audit = AuditLogger(sqlite_url, journal_dir=tmp_path / "journal")
    (queue := tmp_path / "queue").mkdir()
    task = make(queue, audit).tasks["die"]
    for delivery in (Delivery(), Delivery()):
        signals.task_received.send(sender=None, request=delivery)
        for _ in range(2):
            signals.task_failure.send(sender=task, task_id=delivery.id, exception=TimeLimitExceeded(1))
    assert audit.close_sync(20)
    rows = asyncio.run(all_rows(sqlite_url))
    assert ["job.finish"] * 2 == [row["action"] for row in rows]
    assert all("TimeLimitExceeded" in row["error_message"] for row in rows)


def test_a_run_in_the_workers_own_process_tells_its_end_itself(tmp_path: Path, sqlite_url: str) -> None:
    """Where a pool has no processes, what Celery says of a run while it goes on, and after it, is no second end."""
    audit = AuditLogger(sqlite_url, journal_dir=tmp_path / "journal")
    (queue := tmp_path / "queue").mkdir()
    task, delivery = make(queue, audit).tasks["die"], Delivery()
    signals.task_received.send(sender=None, request=delivery)
    task.push_request(id=delivery.id)
    signals.task_prerun.send(sender=task, task_id=delivery.id, task=task)
    signals.task_revoked.send(sender=task, request=delivery, terminated=True, signum=15, expired=False)
    error = TimeLimitExceeded(1)
    signals.task_postrun.send(sender=task, task_id=delivery.id, task=task, retval=error, state="FAILURE")
    task.pop_request()
    signals.task_failure.send(sender=task, task_id=delivery.id, exception=error)
    assert audit.close_sync(20)
    rows = asyncio.run(all_rows(sqlite_url))
    assert ["job.start", "job.finish"] == [row["action"] for row in rows]
