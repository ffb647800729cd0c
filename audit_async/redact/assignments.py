"""Secrets that a text gives to a key: `?token=x`, `password: x`, `"secret": "x"` in broken JSON, `<pwd>x</pwd>`."""

from __future__ import annotations

import re
from collections.abc import Callable

from audit_async.config import MAX_KEY_CHARS
from audit_async.redact.marks import REDACTED, is_mark

Judge = Callable[[str], "Callable[[str], str] | None"]
"""Of a key: what makes of its value what stands for it, or None where the value stays."""

_KEY = re.compile(
    r"(?<![\w.-])(?P<key>[\w.-]++)\\{0,4}[\"']?\]?(?:[ \t]{0,4}(?:=>|:=|==|=|:(?!//)|[：＝])|%3[da])[ \t]{0,4}",
    re.IGNORECASE,
)
_TAG = re.compile(r"<(?P<key>[\w.:-]++)[^<>]{0,256}>(?P<body>[^<]++)")
_QUOTED = re.compile(r"[bru]{0,2}(?P<quote>[\"'`])(?P<body>(?:(?!(?P=quote))[^\\]|\\.)*+)", re.DOTALL | re.IGNORECASE)
_ESCAPED = re.compile(r"(?P<open>\\{1,7}[\"'])(?P<body>.*?)(?:(?P=open)|\Z)", re.DOTALL)
_ENCLOSED = re.compile(r"(?P<body>\[[^\]]*+\]?|\{[^}]*+\}?)")
_TO_LINE_END = re.compile(r"(?P<body>[^\r\n\"]*+)")
_WORD = re.compile(r"(?P<body>(?:(?:bearer|basic|digest|token|negotiate|apikey)[ \t]++)?[^\s&;\"'<>]*+)", re.IGNORECASE)
_AFTER_A_WORD = ",.)]}!?"
_HEADERS = ("authorization", "cookie")
_PREVIOUS = re.compile(r"[\w.-]+(?= \Z)")
_PREVIOUS_CHARS = 40


def hide_assigned(text: str, judge: Judge) -> str:
    """Return *text* with what *judge* makes of the values of its keys."""
    pieces: list[str] = []
    done = 0
    for match in _KEY.finditer(text):
        start, end = match.span()
        if start < done:
            continue
        key = match["key"][-MAX_KEY_CHARS:]
        instead = judge(key)
        if instead is None and text[start - 1 : start] == " ":
            before = _PREVIOUS.search(text, max(0, start - _PREVIOUS_CHARS), start)
            instead = judge(f"{before[0]} {key}") if before else None
        if instead is not None:
            first, last = _value(text, end, key)
            value = text[first:last]
            if value and not is_mark(value):
                pieces += (text[done:first], instead(value))
                done = last
    text = "".join((*pieces, text[done:])) if pieces else text
    return _hide_in_tags(text, judge) if "<" in text else text


def _value(text: str, start: int, key: str) -> tuple[int, int]:
    """Return where the value begins and ends. Five cases; one that is cut off ends with the text."""
    for form in (_ESCAPED, _QUOTED, _ENCLOSED):
        match = form.match(text, start)
        if match:
            return match.span("body")
    if key.casefold().endswith(_HEADERS) and text[start - 1] in " :：":
        match = _TO_LINE_END.match(text, start)
        return start, start + len(match["body"].rstrip()) if match else start
    match = _WORD.match(text, start)
    word = match["body"].rstrip() if match else ""
    return start, start + len(word if word.endswith(REDACTED) else word.rstrip(_AFTER_A_WORD))


def _hide_in_tags(text: str, judge: Judge) -> str:
    def hidden(match: re.Match[str]) -> str:
        instead, value = judge(match["key"][-MAX_KEY_CHARS:]), match["body"]
        if instead is None or is_mark(value):
            return match[0]
        return match[0][: -len(value)] + instead(value)

    return _TAG.sub(hidden, text)
