"""N1 to N20: text."""

from __future__ import annotations

import base64
import hashlib
import os
from typing import Any

from audit_async.config import MAX_HASHED_BYTES, MAX_STRING_CHARS
from tests.nasty.case import Case, case, cut, detail, kept, made, noted
from tests.test_values import panic

MIB = 2**20
LINE = '  File "/srv/app/module.py", line 12, in f\n'
TRACE = "Traceback:\n" + LINE * 1_000_000 + "ValueError: the point"


class Sly(str):
    """Text of which every method but its hash lies or breaks."""

    __slots__ = ()
    __str__ = encode = __len__ = __iter__ = isascii = strip = lower = panic

    def __eq__(self, other: object) -> bool:
        raise RuntimeError

    __hash__ = str.__hash__


def trace_ends() -> str:
    data = TRACE.encode()
    digest = hashlib.sha256(data[:MAX_HASHED_BYTES]).hexdigest()[:16]
    note = f" …[truncated: {len(data)} bytes, sha256 {digest} of the first {MAX_HASHED_BYTES}]… "
    kept_chars = MAX_STRING_CHARS - len(note)
    head = kept_chars // 2
    _, _, tail = TRACE[-(kept_chars - head) :].partition(" ")
    return TRACE[:head] + note + tail


def marked(data: bytes, **more: Any) -> dict[str, Any]:
    return {"$bytes": base64.b64encode(data).decode(), **({"length": len(data)} | more)}


def cut_bytes(data: bytes) -> dict[str, Any]:
    kept_bytes = data[: MAX_STRING_CHARS // 2]
    return marked(kept_bytes, length=len(data), sha256=hashlib.sha256(data).hexdigest())


TEXTS = {"description": "a\0b", "error_message": "a\0b", "user_agent": "a\0b", "actor_id": "a\0b", "tags": ["a\0b"]}
SEEN = {**dict.fromkeys(("description", "error_message", "user_agent", "actor_id"), "a␀b"), "tags": ["a␀b"]}
FORMULAS = ("=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "＝1+1", "  =1+1")
TEMPLATES = ("<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "{{7*7}}", "${jndi:ldap://x/a}", "%s%n")
NESTED_JSON = ('{"a": {"b": 1}}', '"{\\"a\\": 1}"', "[1, 2")
ODD_ACTION = "Größe! " * 100

CASES: list[Case] = [
    detail(1, "nul-in-a-value", "a\0b", "a␀b"),
    case(1, "nul-in-every-text", TEXTS, SEEN),
    case(2, "nul-in-a-key", {"details": {"a\0b": 1}}, {"details": {"a␀b": 1}}),
    case(2, "nul-in-an-action", {"user_id": "\0"}, {"action": "a_b", "user_id": "␀"}, action="a\0b"),
    detail(3, "lone-surrogates", ["\ud83d", "\ude00", "\ude00\ud83d"], ["\ufffd", "\ufffd", "\ufffd\ufffd"]),
    case(
        3,
        "surrogate-in-a-key-and-an-id",
        {"details": {"\ud83d": 1}, "user_id": "\ud83d"},
        {"details": {"\ufffd": 1}, "user_id": "\ufffd"},
    ),
    made(4, "surrogateescape", lambda: os.fsdecode(b"a\xff"), "a\ufffd"),
    kept(5, "emoji-and-rare-letters", "😀", "𠮷野家", "👨‍👩‍👧‍👦", "🏳️‍🌈"),
    case(
        5,
        "emoji-in-columns",
        {"actor_name": "𠮷👨‍👩‍👧‍👦", "tags": ["😀"]},
        {"actor_name": "𠮷👨‍👩‍👧‍👦", "tags": ["😀"]},
    ),
    case(6, "composed", {"user_id": "Zo\u00eb"}, {"user_id": "Zo\u00eb"}),
    case(6, "decomposed", {"user_id": "Zoe\u0308"}, {"user_id": "Zoe\u0308"}),
    kept(7, "invisible-letters", "\u202etxt.exe", "\u2066a\u2069", "a\u200bb", "\ufeffa"),
    kept(8, "line-breaks", "a\rb", "a\nb", "a\r\nb", "a\u2028b", "a\u2029b", "a\u0085b", "a\vb", "a\fb"),
    case(8, "line-breaks-in-columns", {"user_id": "a\r\nb\u2028c"}, {"user_id": "a\r\nb\u2028c"}),
    kept(9, "terminal-sequences", "\x1b[31mred", "\x1b]0;title\x07", "\x1b]8;;http://x\x1b\\link", "\x9b31m"),
    kept(10, "templates", *TEMPLATES, "{0.__class__}", "%(x)s", "$1", ":name", "?"),
    case(10, "templates-in-columns", {"description": "{x} %s :a ? $1"}, {"description": "{x} %s :a ? $1"}),
    kept(11, "formulas", *FORMULAS),
    made(12, "text-of-1-MiB", lambda: "é" * MIB, cut("é" * MIB)),
    made(12, "text-of-16-MiB", lambda: "x" * 16 * MIB, cut("x" * 16 * MIB)),
    case(12, "description-of-1-MiB", {"description": "x" * MIB}, {"description": noted("x" * MIB, MAX_STRING_CHARS)}),
    case(13, "stack-trace-of-a-million-lines", {"error_message": TRACE}, {"error_message": trace_ends()}),
    kept(14, "almost-nothing", "", " ", "\t", "null", "None"),
    case(
        14,
        "almost-nothing-in-columns",
        {"user_id": "", "description": " ", "tenant_id": "null", "actor_id": "None"},
        {"user_id": "", "description": " ", "tenant_id": "null", "actor_id": "None", "session_id": None},
    ),
    # A secret in such text is found by the redactor: tests/redact/.
    kept(15, "json-in-text", *NESTED_JSON),
    made(16, "hostile-text", lambda: {Sly("k"): Sly("v")}, {"k": "v"}),
    case(
        16,
        "hostile-text-in-columns",
        lambda: {"user_id": Sly("u"), "description": Sly("d"), "outcome": Sly("denied")},
        {"user_id": "u", "description": "d", "outcome": "denied"},
    ),
    made(17, "bytes", lambda: [b"\xff", bytearray(b"\xff"), memoryview(b"\xff")], [marked(b"\xff")] * 3),
    made(
        17, "bytes-of-1-MiB", lambda: [bytes(MIB), bytearray(MIB), memoryview(bytes(MIB))], [cut_bytes(bytes(MIB))] * 3
    ),
    made(17, "bytes-with-gaps", lambda: memoryview(b"a-b-c-")[::2], marked(b"abc")),
    case(18, "header-in-latin-1", {"user_agent": b"Caf\xe9/1.0"}, {"user_agent": "Café/1.0"}),
    case(18, "header-as-asgi-gives-it", {"user_agent": b"Caf\xc3\xa9".decode("latin-1")}, {"user_agent": "CafÃ©"}),
    case(18, "no-text-at-all", {"user_agent": b"\x00\xff"}, {"user_agent": '{"$bytes":"AP8=","length":2}'}),
    case(19, "action-of-500-letters", {}, {"action": "x" * 128, "metadata": {"$action": "x" * 500}}, action="x" * 500),
    case(
        19,
        "action-of-odd-letters",
        {},
        # Letters of another script are all alike there: the digits at the end keep two such actions apart.
        {
            "action": f"{('gr_e_' * 100)[:119]}-{hashlib.sha256(ODD_ACTION.encode()).hexdigest()[:8]}",
            "metadata": {"$action": ODD_ACTION},
        },
        action=ODD_ACTION,
    ),
    case(
        20,
        "long-ids",
        {"user_id": "u" * 300, "resource_id": "r" * 5000},
        {"user_id": "u" * 300, "resource_id": noted("r" * 5000, 1024)},
    ),
]
