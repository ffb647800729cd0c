"""A context on its way to another process: in the payload of a job, or its headers."""

from __future__ import annotations

from typing import Any

import msgspec

from audit_async.config import DUMPED_CONTEXT_BYTES, LOADED_CONTEXT_BYTES, LOADED_CONTEXT_KEYS, MAX_ID_CHARS
from audit_async.context.layers import ACTOR, FIELDS, TRACE, audit_context, current
from audit_async.context.spans import span_in
from audit_async.diagnostics import report
from audit_async.shapes import pass_on
from audit_async.text import short_text

VERSION = 1
"""Of what `dump` writes: `{"v": 1, "context": {...}}`, each value a text."""


def dump() -> dict[str, Any]:
    """Return the current context as a small JSON object, for a job's payload or headers: `{"v": 1, "context": {...}}`.

    With the current span of OpenTelemetry where the context names no trace. At most `DUMPED_CONTEXT_BYTES`: a long
    user agent is cut, and a field that finds no room is left out, since half an id would be another one.
    """
    fields = dict(current())
    if "span_id" not in fields:
        fields.update(span_in(fields.get("trace_id")))
    if "user_agent" in fields:
        fields["user_agent"] = short_text(fields["user_agent"], MAX_ID_CHARS)
    kept: dict[str, str] = {}
    size = len(msgspec.json.encode({"v": VERSION, "context": kept}))
    for name in FIELDS:
        if name in fields:
            size += len(msgspec.json.encode({name: fields[name]}))
            if size > DUMPED_CONTEXT_BYTES:
                report("context_dump", f"a context is too large for a payload: {name} and what follows are left out")
                break
            kept[name] = fields[name]
    return {"v": VERSION, "context": kept}


def load(payload: object) -> audit_context:
    """Return the context that *payload* carries: what `dump` gave, or its JSON as text or bytes.

        with load(headers.get("audit")):

    It nests as any `audit_context`. Never raises: None, a job that was queued without a context, is an empty one; what
    is damaged, too large, hostile or of another version is as well, and one log line says so. Keys that this version
    does not know are passed over.

    Whoever can write into the queue can write a payload. So it fills events, and nothing else: it is no proof of who
    somebody is, never a permission, and never the scope of a reader.
    """
    if payload is None:
        return audit_context()
    try:
        return audit_context(**_read(payload))
    except _UnfitError as unfit:
        why = unfit.args[0]
    except BaseException as error:
        pass_on(error)
        # Not its text, which may hold the payload.
        why = type(error).__name__
    report("context_load", f"a context in a payload is ignored: {why}")
    return audit_context()


class _UnfitError(Exception):
    """It is no context. Its argument says why, and holds nothing of it."""


def _read(payload: object) -> dict[str, str]:
    if isinstance(payload, (str, bytes, bytearray, memoryview)):
        if len(payload) > LOADED_CONTEXT_BYTES:
            raise _UnfitError(f"it is longer than {LOADED_CONTEXT_BYTES} bytes")
        payload = msgspec.json.decode(payload)
    outer = _object(payload)
    version = dict.get(outer, "v")
    if type(version) is not int or version != VERSION:
        raise _UnfitError(f"it is not of version {VERSION}")
    inner = _object(dict.get(outer, "context"))
    # Known names are asked for, so that no others are looked at.
    found = {name: value for name in FIELDS if (value := dict.get(inner, name)) is not None}
    wrong = {name for name, value in found.items() if type(value) is not str or len(value) > MAX_ID_CHARS}
    if wrong:
        report("context_load", f"in a context in a payload these are no texts of up to {MAX_ID_CHARS}: {sorted(wrong)}")
    for group in (ACTOR, TRACE):
        if wrong & group:
            wrong |= group
    return {name: value for name, value in found.items() if name not in wrong}


def _object(found: object) -> dict[Any, Any]:
    if not isinstance(found, dict):
        raise _UnfitError("it is no JSON object")
    if dict.__len__(found) > LOADED_CONTEXT_KEYS:
        raise _UnfitError(f"an object in it has more than {LOADED_CONTEXT_KEYS} keys")
    return found
