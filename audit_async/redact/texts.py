"""Everything that is looked for in one text; and whether it is worth looking, asked of every text of every event.

What is found harmless there holds nothing that `patterns`, `assignments` or `digits` would find; what is suspicious is
looked at by them, and mostly harmless too. Asking has to be quick: it is searched for characters that are rare in ids,
names and numbers, in one go for all, and where there is one it is looked around from (an alternation of words, or one
search for each, takes ten times as long); for a `g` that begins a key of GitHub or GitLab; for spaces beside a number,
behind certain words or an option; and for a long run of digits.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from audit_async.redact.assignments import hide_assigned
from audit_async.redact.digits import hide_cards, hide_codes
from audit_async.redact.masks import REDACTED
from audit_async.redact.patterns import hide_cut_end, hide_tokens, lowered
from audit_async.text import CUT_NOTE, CUT_NOTE_MIDDLE_END

if TYPE_CHECKING:  # they ask here whether a key has a clue
    from audit_async.redact.verdicts import Verdict, Verdicts

_CLUES = re.compile(
    r"=|\\|<|\"|%3[dDaA]|：|＝"  # an assignment, JSON or XML
    r"|码(?=.?[ ]{0,3}[0-9])|碼(?=.?[ ]{0,3}[0-9])"  # a code, in Chinese
    r"|:(?:(?!//|[0-9])|(?<![T\W][0-9]{2}:)(?!//)|(?=//[^\s/@]{0,128}[:@]))"  # no time of day, no plain address
).search
_CLUE = 1  # as a number, since looking for one byte is quicker than for bytes
_DIGIT = 2
_OF_A_KEY = 3
_MARKS = {**dict.fromkeys('=\\<"%:', _CLUE), **dict.fromkeys("0123456789", _DIGIT), **dict.fromkeys("kxIJY", _OF_A_KEY)}
_MARKED = bytes(_CLUE if code > 127 else _MARKS.get(chr(code), 0) for code in range(256))
_OF_A_FORGE = re.compile(r"g(?:lpat-|h[pousr]_|ithub_pat_)").search
_OF_STRIPE = re.compile(r"[srp]k_(?:live|test)_").search
_SPACES = re.compile(
    r" (?:(?=[\"'A-Z0-9])(?=[\"']?(?:[A-Z]-)?[0-9]{3})|(?<=[0-9] )(?<=[0-9]{3} ))"  # beside a number
).search
_LEAST_DIGITS = 3
_SCHEME = re.compile("(?:bearer|basic|token|negotiate) ", re.IGNORECASE).search
_OF_AN_OPTION = "--"
_ANY_DIGIT = bytes.maketrans(b"123456789", b"000000000")
_BETWEEN_DIGITS = b" -"
_SHORTEST_CARD = b"0" * 13

_FIRST_WORD = re.compile(r"\s*\S+")


def is_suspicious(text: str, ids: str = "") -> bool:
    """Return whether *text* may hold a secret, or *ids*, whose digits are no card's."""
    whole = f"{text}\n{ids}" if ids else text
    try:
        marked = whole.encode().translate(_MARKED)
    except UnicodeEncodeError:
        return True  # half of a surrogate pair, in an event that no builder made
    if (_CLUE in marked and _CLUES(whole)) or (_OF_A_KEY in marked and _has_start_of_key(whole)) or _OF_A_FORGE(whole):
        return True
    end = len(text) if len(marked) == len(whole) else len(text.encode())
    if " " in whole and (
        _OF_AN_OPTION in whole
        or (marked.count(_DIGIT, 0, end) >= _LEAST_DIGITS and _SPACES(text))  # ids have digits, and seldom a blank
        or (" " in ids and _SPACES(ids))
        or _has_scheme(whole)
    ):
        return True
    return marked.count(_DIGIT, 0, end) >= len(_SHORTEST_CARD) and _has_long_number(text)


def _has_start_of_key(text: str) -> bool:
    # One word after the other, and only where its rarest letter is there: that is quicker than any pattern.
    return (
        ("k" in text and ("sk-" in text or ("k_" in text and _OF_STRIPE(text) is not None)))
        or ("x" in text and ("xox" in text or "xapp-" in text))
        or ("I" in text and ("AKIA" in text or "ASIA" in text or "AIza" in text))
        or ("J" in text and "eyJ" in text)
        or ("Y" in text and "PRIVATE KEY" in text)
    )


def _has_scheme(text: str) -> bool:
    """Return whether *text* has the name of a scheme of authorization, and a blank behind it."""
    lower = lowered(text)
    if lower is None:
        return _SCHEME(text) is not None
    return "basic " in lower or "token " in lower or "bearer " in lower or "negotiate " in lower


def _has_long_number(text: str) -> bool:
    """Return whether *text* has as many digits in a row as a card, perhaps in groups."""
    encoded = text.encode("utf-8", "surrogatepass")
    return _SHORTEST_CARD in encoded.translate(_ANY_DIGIT, _BETWEEN_DIGITS)


def hide_secrets(text: str, verdict: Verdict, verdicts: Verdicts, *, is_cut: bool = False) -> str:
    """Return *text* without what the built-in rules and the application's find in it; the same object if nothing.

    Args:
        verdict: of the key that it stands under.
        is_cut: its end was cut off, perhaps in the middle of a secret.
    """
    if not verdict.is_kept and (is_cut or is_suspicious(text)):
        text = _without_halves(text, is_cut=is_cut)
        text = hide_tokens(text)
        if not verdict.is_name or "=" in text:
            text = hide_codes(hide_assigned(text, verdicts.in_text))
        text = text if verdict.is_id or not _has_long_number(text) else hide_cards(text)
    return text if verdict.is_reference else verdicts.hide_own(text)


def _without_halves(text: str, *, is_cut: bool) -> str:
    """Return *text* without halves of secrets at its cut end, or before and behind the note of a cut in its middle."""
    if is_cut:
        return hide_cut_end(text)
    at = text.find(CUT_NOTE)
    if at < 0:
        return text
    end = text.find(CUT_NOTE_MIDDLE_END, at)
    tail = at if end < 0 else end + len(CUT_NOTE_MIDDLE_END)
    first = _FIRST_WORD.match(text, tail) if end >= 0 else None
    behind = text[tail:]
    if first and _looks_random(first[0]):
        behind = REDACTED + text[first.end() :]
    head = text[:at].rstrip(" ")
    return hide_cut_end(head) + text[len(head) : tail] + behind


def _looks_random(word: str) -> bool:
    """Return whether *word*, whose beginning is missing, may be the rest of a key: it mixes letters and digits."""
    return len(word) >= 8 and sum(any(map(test, word)) for test in (str.islower, str.isupper, str.isdigit)) > 1
