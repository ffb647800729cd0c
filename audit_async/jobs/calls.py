"""The logger's call for a piece of work."""

from __future__ import annotations

import abc
from typing import Any

from audit_async.config import JOB_ITEMS
from audit_async.events import AuditEvent
from audit_async.jobs.job import Job
from audit_async.receipt import Receipt


class JobCalls(abc.ABC):
    """What an `AuditLogger`, or whatever else takes events by `log`, does for a job."""

    @abc.abstractmethod
    def log(self, event: AuditEvent) -> Receipt:
        """Take *event*."""

    def job(self, name: Any, /, *, each: bool | int = JOB_ITEMS, **fields: Any) -> Job:
        """Return a scope that records that the job *name* began, how it ended and what it did; for `with` and
        `async with`.

            async with audit.job("org.sync", provider="feishu", tenant_id=t) as job:
                for member in members:
                    job.log(events.org_sync("org.member_create", member_id=member.id))
                    job.count("created")

        Two events: `job.start` and `job.finish`, or those that the vocabulary has for the job: `org.sync_start` and
        `org.sync`. The first is in the journal before the block runs. The second has `duration_ms`, the counters, and
        the outcome: `success`; `partial`, when failures were counted or logged; `failure`, when an exception left the
        block; `cancelled`, when a cancellation, Ctrl-C, an exit by a signal or the closing of a generator did. An
        exit of the block's own goes by its code. The exception goes on, whatever becomes of the event.

        Args:
            name: of the job: an action (`org.sync`), or any other text.
            each: how many of the events that `Job.log` is given, of what went well, are logged one by one; True for
                all. Those behind are counted.
            fields: what a context can say (`tenant_id`, `user_id`, ...) holds for every event inside; `description`,
                `category`, `severity`, `tags` and `metadata` for the job's own two; `details`, and whatever has another
                name, is in the details of these.

        Raises:
            TypeError: a name in *fields* is that of a context's field but for its spelling (`tenant`).
        """
        return Job(self, name, fields, each=each)
