"""Everything that is looked for in one text."""

from __future__ import annotations

import re

from audit_async.redact.assignments import hide_assigned
from audit_async.redact.digits import hide_cards, hide_codes
from audit_async.redact.marks import REDACTED
from audit_async.redact.patterns import hide_cut_end, hide_tokens
from audit_async.redact.suspicion import is_suspicious
from audit_async.redact.verdicts import Verdict, Verdicts
from audit_async.text import CUT_NOTE, CUT_NOTE_MIDDLE_END

_FIRST_WORD = re.compile(r"\s*\S+")


def hide_secrets(text: str, verdict: Verdict, verdicts: Verdicts, *, is_cut: bool = False) -> str:
    """Return *text* without what the built-in rules and the application's find in it; the same object if nothing.

    Args:
        verdict: of the key that it stands under.
        is_cut: its end was cut off, perhaps in the middle of a secret.
    """
    if not verdict.is_kept and (is_cut or is_suspicious(text)):
        text = _without_halves(text, is_cut=is_cut)
        text = hide_assigned(hide_tokens(text), verdicts.in_text)
        text = hide_codes(text if verdict.is_id else hide_cards(text))
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
    return hide_cut_end(text[:at].rstrip(" ")) + text[at - 1 : tail] + behind


def _looks_random(word: str) -> bool:
    """Return whether *word*, whose beginning is missing, may be the rest of a key: it mixes letters and digits."""
    return len(word) >= 8 and sum(any(map(test, word)) for test in (str.islower, str.isupper, str.isdigit)) > 1
