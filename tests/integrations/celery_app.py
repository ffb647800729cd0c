"""An application of Celery, and its worker with a prefork pool of one.

    python -m tests.integrations.celery_app URL JOURNAL_DIR FOLDER

Its queue is a folder. The logger is made, and used, before the worker forks.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from celery import Celery  # type: ignore[import-untyped]

from audit_async import AuditLogger, audit_context, current_job, events
from audit_async.integrations.celery import install
from tests.integrations.folder_broker import BROKER

JOBS = ("send", "fail", "again", "ask", "die", "die_late", "outer", "leave", "org.sync", "sned")
"""Of these tasks; the last name is misspelt."""

MEMBERS = 200
"""That the last task logs."""


def make(folder: Path, audit: AuditLogger | None = None) -> Any:
    """Return the application, with its queue in *folder*."""
    (folder / "control").mkdir(exist_ok=True)
    app = Celery("tests", broker=BROKER)
    app.conf.update(
        broker_transport_options={
            "data_folder_in": str(folder),
            "data_folder_out": str(folder),
            "control_folder": str(folder / "control"),
            "store_processed": True,
            "processed_folder": str(folder / "control"),
            "polling_interval": 0.01,
        },
        worker_prefetch_multiplier=0,
        worker_lost_wait=0.1,
        worker_hijack_root_logger=False,
        broker_connection_retry_on_startup=False,
    )
    install(app, audit, log_tasks=JOBS)
    add_tasks(app, audit, folder)
    return app


def task(app: Any, name: str, **options: Any) -> Callable[[Callable[..., None]], Any]:
    """Return the decorator that makes of a function a task of *app* alone."""
    made: Callable[[Callable[..., None]], Any] = app.task(name=name, shared=False, **options)
    return made


def add_tasks(app: Any, audit: AuditLogger | None, folder: Path) -> None:
    def say(number: int) -> None:
        if audit is not None:
            audit.log(events.custom("report.print", details={"number": number}))

    @task(app, "plain")
    def plain(number: int) -> None:
        say(number)

    @task(app, "send")
    def send(number: int) -> None:
        say(number)
        if (job := current_job()) is not None:
            job.count("sent")

    @task(app, "fail")
    def fail() -> None:
        raise ValueError("no such address")

    @task(app, "again", bind=True)
    def again(self: Any) -> None:
        if self.request.retries < 2:
            raise self.retry(exc=ConnectionError("no answer"), countdown=0)

    @task(app, "ask", bind=True)
    def ask(self: Any) -> None:
        if not self.request.retries:
            raise self.retry(countdown=0)

    @task(app, "die")
    def die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    @task(app, "die_late", acks_late=True, reject_on_worker_lost=True)
    def die_late() -> None:
        if not (folder / "control" / "died").exists():
            (folder / "control" / "died").touch()
            os.kill(os.getpid(), signal.SIGKILL)

    @task(app, "leave")
    def leave() -> None:
        sys.exit(0)

    @task(app, "outer")
    def outer() -> None:
        with audit_context(tenant_id="t-inner"):
            send.delay(7)

    @task(app, "org.sync")
    def sync() -> None:
        for number in range(1_000, 1_000 + MEMBERS):
            say(number)
        (folder / "control" / "synced").touch()


def main() -> None:
    url, journal_dir, folder = sys.argv[1:]
    audit = AuditLogger(url, journal_dir=journal_dir)
    audit.log(events.custom("process.start"))
    assert audit.flush_sync(20)
    app = make(Path(folder), audit)
    options = ["--pool=prefork", "--concurrency=1", "--loglevel=WARNING"]
    app.worker_main(["worker", *options, "--without-gossip", "--without-mingle", "--without-heartbeat"])


if __name__ == "__main__":
    main()
