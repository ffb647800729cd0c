"""A piece of work that begins and ends: a sync, a task of a scheduler, a step of one.

    job       the scope: `with audit.job("org.sync") as job:`
    keywords  what it is told
    ending    how it ended: went well, failed, was cancelled
    tally     what it counts
    calls     `AuditLogger.job()`

A job is two events, and a context around what is between them. The first is in the journal before the work begins, so
that a job whose process is killed is found: it has begun, and has not ended. What is logged in between has the job's
trace. Nothing is waited for, at the start or at the end, so that there is no moment at which a cancellation could come
in between.
"""

from __future__ import annotations
