"""OCSF 1.8, the Open Cybersecurity Schema Framework: one JSON object a line, each a valid event of its class.

    event       what every class has: time, severity, status, metadata, actor, what has no attribute
    objects     users, endpoints, requests, resources: what attributes are made of
    classes     what each class has beyond that
    unplaced    the fields that have found no attribute yet

The class and activity of an action are those of the vocabulary (`audit-async catalog`). An action in somebody's own
words is a Base Event (class 0, activity 99, named by the action): a class says what happened, and of a word that nobody
knows we do not know it; API Activity would claim an API and a caller that there need not be.

Nothing is lost: what has no attribute is in `unmapped` under its own name, the details whole. Nothing is made up: where
a class demands what an event does not have, it says `unknown`, or 0. Attributes that the schema calls deprecated are
not used.

Source: schema.ocsf.io/1.8.0.
"""

from __future__ import annotations

from typing import BinaryIO

import msgspec

from audit_async.events import AuditEvent
from audit_async.exports.lines import one_line_json
from audit_async.exports.ocsf.event import ocsf_event
from audit_async.exports.sink import LineSink

__all__ = ["ocsf_event", "open_ocsf"]


def open_ocsf(file: BinaryIO, *, is_continued: bool = False) -> LineSink:
    """Return a sink that writes lines of OCSF to *file*, which need nothing at their beginning."""
    return LineSink(file, _line_of)


def _line_of(event: AuditEvent) -> bytes:
    return one_line_json(msgspec.json.encode(ocsf_event(event))) + b"\n"
