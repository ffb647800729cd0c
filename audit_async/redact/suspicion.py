"""Whether a text may hold a secret: asked of every text of every event, so that it has to be quick.

What is found harmless here holds nothing that `patterns`, `assignments` or `digits` would find; what is suspicious is
looked at by them, and mostly harmless too. It is searched for characters that are rare in ids, names and numbers, each
of which is looked around from (an alternation of words, or one search for each, takes ten times as long); for spaces
beside a number or behind certain words; and for a long run of digits.
"""

from __future__ import annotations

import re

_CLUES = re.compile(
    r"=|\\|<|\"|%3[dDaA]|：|＝"  # an assignment, JSON or XML
    r"|码(?=.?[ ]{0,3}[0-9])|碼(?=.?[ ]{0,3}[0-9])"  # a code, in Chinese
    r"|:(?:(?!//|[0-9])|(?<![T\W][0-9]{2}:)(?!//)|(?=//[^\s/@]{0,128}[:@]))"  # no time of day, no plain address
    r"|Y(?<=PRIVATE KEY)|J(?<=eyJ)|K(?<=AK)IA|S(?<=AS)IA|z(?<=AIz)a|k(?<=sk)-"
    r"|_(?:(?<=gh[pousr]_)|(?<=github_pat_)|(?<=[srp]k_live_)|(?<=[srp]k_test_))|x(?<=xox)|x(?=app-)"
).search
_SPACES = re.compile(
    r" (?:(?=[\"'A-Z0-9])(?=[\"']?(?:[A-Z]-)?[0-9]{3})|(?<=[0-9] )(?<=[0-9]{3} )"
    r"|(?<=[rcneRCNE] )(?:(?<=(?i:bearer) )|(?<=(?i:basic) )|(?<=(?i:token) )|(?<=(?i:negotiate) )))"
).search
_OF_GITLAB = "glpat-"
_ANY_DIGIT = bytes.maketrans(b"123456789", b"000000000")
_BETWEEN_DIGITS = b" -"
_SHORTEST_CARD = b"0" * 13


def is_suspicious(text: str) -> bool:
    """Return whether *text* may hold a secret."""
    if _CLUES(text) or (" " in text and _SPACES(text)) or _OF_GITLAB in text:
        return True
    try:
        return _SHORTEST_CARD in text.encode().translate(_ANY_DIGIT, _BETWEEN_DIGITS)
    except UnicodeEncodeError:
        return True  # half of a surrogate pair, in an event that no builder made
