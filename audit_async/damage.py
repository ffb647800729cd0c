"""What was lost on the way from a caller's value to an event's bytes, read from the marks that it left there.

A caller may write such a mark as well: then it is told for nothing, and nothing else happens.
"""

from __future__ import annotations

import re

from audit_async.diagnostics import report
from audit_async.text import NUL_SEEN, SURROGATE_SEEN

_UNDAMAGED: frozenset[str] = frozenset()
_NUL = NUL_SEEN.encode()
_SURROGATE = SURROGATE_SEEN.encode()
_CUT = b"[truncated: "  # in a text; the note begins with a dot more in most, but not in tags

# Looking for one byte takes a twentieth of the time that looking for two does, and most events have none of these.
_DOLLAR, _BRACKET, _NUL_FIRST, _SURROGATE_FIRST = b"$"[0], _CUT[0], _NUL[0], _SURROGATE[0]
_SPELLING = b'$action"'  # what an event of an application's own words has, and no damage

_NAMES = re.compile(rb'\$(truncated|cycle|depth|items|int|invalid|type|bytes)":')
_BEFORE_KEY = (b'{"', b',"')  # a quote inside of a text or a key has a backslash before it
_NAMED_ONLY = re.compile(rb'\{"\$type":"[^"]*"\}')  # an exception, an array and a mapped instance say more
_CUT_BYTES = re.compile(rb'\$bytes":"[^"]*","length":\d+,"sha256"')

ADVICE = {
    "truncated": "values longer than an event holds are cut, with their length and SHA-256 in their place: log what "
    "matters of them, or where they are kept",
    "cycle": "values that contain themselves are marked where they come again: log their fields instead",
    "depth": "values nested too deeply are cut at that level: log what matters of them on a level above",
    "items": "containers with too many items keep the first ones and their number: log how many there were, not which",
    "type": "values of types that cannot be read without running their code are kept by the name of their type: pass "
    "a dict, a dataclass or a text",
    "int": "integers beyond 63 bits are kept as text, which no database can calculate with: pass a str",
    "invalid": "values that their field cannot hold are kept in metadata under $invalid, and the field is empty: "
    "see what the builder's keywords take",
    "nul": "NUL characters, which no text column holds, are shown as \u2400: pass such data as bytes",
    "surrogate": "halves of surrogate pairs, which UTF-8 cannot express, are shown as \ufffd: decode what they came "
    "from with errors='replace', or pass it as bytes",
}
"""Each kind of damage: what happens to such values, and what to do."""


def kinds_of(payload: bytes) -> frozenset[str]:
    """Return which kinds of damage *payload*, an encoded event, shows: keys of `ADVICE`."""
    if (
        (_DOLLAR not in payload or _is_spelling_only(payload))
        and (_BRACKET not in payload or _CUT not in payload)
        and (payload.isascii() or not _has_replaced(payload))
    ):
        return _UNDAMAGED
    return _kinds_of(payload)


def _is_spelling_only(payload: bytes) -> bool:
    at = payload.find(b"$")
    return payload.startswith(_SPELLING, at) and payload.find(b"$", at + 1) < 0


def _has_replaced(payload: bytes) -> bool:
    return (_NUL_FIRST in payload and _NUL in payload) or (_SURROGATE_FIRST in payload and _SURROGATE in payload)


def _kinds_of(payload: bytes) -> frozenset[str]:
    names = _NAMES.finditer(payload)
    found = {name[1].decode() for name in names if payload[name.start() - 2 : name.start()] in _BEFORE_KEY}
    if "type" in found and not _NAMED_ONLY.search(payload):
        found.discard("type")
    if _CUT in payload or ("bytes" in found and _CUT_BYTES.search(payload)):
        found.add("truncated")
    if _NUL in payload:
        found.add("nul")
    if _SURROGATE in payload:
        found.add("surrogate")
    return frozenset(found & ADVICE.keys())


def tell(payload: bytes) -> None:
    """Say once a minute for each kind of damage in *payload* what happens to such values. Never says the value."""
    for kind in kinds_of(payload):
        report(f"damage_{kind}", f"an event is stored with a mark: {ADVICE[kind]}")
