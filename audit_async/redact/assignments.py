"""Secrets that a text gives to a key: `?token=x`, `password: x`, `--password x`, `"secret": "x"` in broken JSON,
`<pwd>x</pwd>`.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from audit_async.config import LEAST_TOKEN_CHARS, MAX_KEY_CHARS
from audit_async.redact.masks import REDACTED, is_mark
from audit_async.redact.patterns import says

Judge = Callable[[str], "Callable[[str], str] | None"]
"""Of a key: what makes of its value what stands for it, or None where the value stays."""

_KEY = re.compile(
    r"(?<![\w.-])(?P<key>[\w.-]++)(?P<end>\\{0,4}[\"']?(?:\]|%5D)?)"
    r"(?:[ \t]{0,4}(?P<sign>=>|:=|==|=|:(?!//)|[：＝])|%3[da])[ \t]{0,64}(?:\r?\n[ \t]{1,16})?",
    re.IGNORECASE,
)
_SIGNS = ("=", ":", "：", "＝", "%3")
_OPTION = re.compile(r"(?<![\w-])--(?P<key>[A-Za-z][\w-]*+)[ ][ \t]{0,3}(?![ \t-])")
_TAG = re.compile(r"<(?P<key>[\w.:-]++)[^<>]{0,256}>(?P<body><!\[CDATA\[.*?(?:\]\]>|\Z)|[^<]++)", re.DOTALL)
_QUOTED = re.compile(r"[bru]{0,2}(?P<quote>[\"'`])(?P<body>(?:(?!(?P=quote))[^\\]|\\.)*+)", re.DOTALL | re.IGNORECASE)
_ESCAPED = re.compile(r"(?P<open>\\{1,7}[\"'])(?P<body>.*?)(?:(?P=open)|\Z)", re.DOTALL)
_BRACKETS = re.compile(r"\"(?:[^\"\\]|\\.)*+\"|[\[\]{}]", re.DOTALL)
_TO_LINE_END = re.compile(r"(?P<body>[^\r\n]*+)")
_WORD = re.compile(r"(?P<body>(?:(?:bearer|basic|digest|token|negotiate|apikey)[ \t]++)?[^\s&;\"'<>]*+)", re.IGNORECASE)
_AFTER_A_WORD = ",.)]}!?"
_HEADERS = ("authorization", "cookie")
_SPOKEN_OF = ("token", "tokens", "secret", "secrets", "credential", "credentials", "令牌")
"""Of which sentences say what is wrong with them: `invalid token: expired`."""
_PREVIOUS = re.compile(r"[\w.-]+(?= \Z)")
_PREVIOUS_CHARS = 40


def hide_assigned(text: str, judge: Judge) -> str:
    """Return *text* with what *judge* makes of the values of its keys."""
    pieces: list[str] = []
    done = 0
    for match in _KEY.finditer(text) if says(text, _SIGNS) else ():
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
            if value and not is_mark(value) and not (first == end and _is_remark(match, value)):
                pieces += (text[done:first], instead(value))
                done = last
    text = "".join((*pieces, text[done:])) if pieces else text
    text = _hide_options(text, judge) if "--" in text else text
    return _hide_in_tags(text, judge) if "<" in text else text


def _value(text: str, start: int, key: str) -> tuple[int, int]:
    """Return where the value begins and ends. Five cases; one that is cut off ends with the text."""
    for form in (_ESCAPED, _QUOTED):
        match = form.match(text, start)
        if match:
            return match.span("body")
    if text[start : start + 1] in ("[", "{"):
        return start, _end_of_brackets(text, start)
    if key.casefold().endswith(_HEADERS) and text[start - 1] in " :：":
        match = _TO_LINE_END.match(text, start)
        return start, start + len(match["body"].rstrip()) if match else start
    match = _WORD.match(text, start)
    word = match["body"].rstrip() if match else ""
    return start, start + len(word if word.endswith(REDACTED) else word.rstrip(_AFTER_A_WORD))


def _end_of_brackets(text: str, start: int) -> int:
    """Return where the value that begins with a bracket at *start* ends: with the word that its last bracket is in."""
    depth = 0
    for match in _BRACKETS.finditer(text, start):
        depth += 1 if match[0] in "[{" else -1 if match[0] in "]}" else 0
        if depth == 0:
            rest = _WORD.match(text, match.end())
            return match.end() + len(rest["body"].rstrip(_AFTER_A_WORD)) if rest else match.end()
    return len(text)


def _is_remark(match: re.Match[str], value: str) -> bool:
    """Return whether *value*, behind a colon and without quotes, is what a sentence says of a token, and not the token:
    a short word of letters, whose capitals stand at its beginning or everywhere.
    """
    key = match["key"][-MAX_KEY_CHARS:]
    is_word = key.isalpha() and key[1:] == key[1:].lower()  # no header, and no variable
    if match["end"] or match["sign"] not in (":", "：") or not is_word or key.lower() not in _SPOKEN_OF:
        return False
    has_usual_case = value.isupper() or value[1:] == value[1:].lower()
    return value.isalpha() and len(value) < LEAST_TOKEN_CHARS and has_usual_case


def _hide_options(text: str, judge: Judge) -> str:
    """Return *text* with what *judge* makes of what stands behind the options of a command line."""
    pieces: list[str] = []
    done = 0
    for match in _OPTION.finditer(text):
        key = match["key"][-MAX_KEY_CHARS:]
        instead = judge(key) if match.start() >= done else None
        if instead is not None:
            first, last = _value(text, match.end(), "")
            if first < last and not is_mark(text[first:last]):
                pieces += (text[done:first], instead(text[first:last]))
                done = last
    return "".join((*pieces, text[done:])) if pieces else text


def _hide_in_tags(text: str, judge: Judge) -> str:
    def hidden(match: re.Match[str]) -> str:
        instead, value = judge(match["key"][-MAX_KEY_CHARS:]), match["body"]
        if instead is None or is_mark(value):
            return match[0]
        return match[0][: -len(value)] + instead(value)

    return _TAG.sub(hidden, text)
