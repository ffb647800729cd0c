"""Values that are secrets whatever their key: known by how they look, anywhere in a text.

Every pattern's work grows with the text's length only: repetitions are bounded, or possessive from a word's start.

Source: the prefixes that GitHub, GitLab, Slack, Stripe, OpenAI, Google and AWS give their keys so that they can be
found; RFC 7519 (a JSON Web Token begins with `{"` in base64: `eyJ`), RFC 7468 (key blocks), RFC 6750, RFC 7617.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable

from audit_async.redact.masks import REDACTED, is_mark

_TOKENS = re.compile(
    r"(?<![A-Za-z0-9])(?:"
    r"eyJ[\w-]{8,}+(?:\.[\w-]*+)*+"
    r"|A(?:KIA|SIA)[A-Z0-9]{12,}+"
    r"|gh[pousr]_[\w-]{10,}+|github_pat_[\w-]{10,}+|glpat-[\w-]{10,}+"
    r"|xox[a-z]-[\w-]{8,}+|xapp-[\w-]{8,}+"
    r"|sk-[\w-]{16,}+|[srp]k_(?:live|test)_\w{8,}+"
    r"|AIza[\w-]{20,}+"
    r")"
)
_TOKEN_STARTS = (
    *("eyJ", "AKIA", "ASIA", "AIza", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-"),
    *("xox", "xapp-", "sk-", "k_live_", "k_test_"),
)
_KEY_BLOCK = re.compile(
    r"-{0,5}BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY.*?(?:-{0,5}END [A-Z0-9 ]{0,40}PRIVATE KEY[A-Z ]{0,10}-{0,5}|\Z)", re.DOTALL
)
_KEY_BLOCK_END = re.compile(r"-{0,5}END [A-Z0-9 ]{0,40}PRIVATE KEY[A-Z ]{0,10}-{0,5}")
_KEY_BLOCK_CHARS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=\\\r\n\t "
_BEARER = re.compile(r"\b(?P<scheme>bearer)(?P<gap>(?:[\s:=]{1,8}|%20)[\"']?)(?P<value>[^\s\"',;<>\\]+)", re.IGNORECASE)
_BASIC = re.compile(r"\b(?P<scheme>basic)(?P<gap>[ :=]{1,4}[\"']?)(?P<value>[A-Za-z0-9+/_-]{4,}+={0,2})", re.IGNORECASE)
_TOKEN_WORD = re.compile(
    r"\b(?P<scheme>token|negotiate)(?P<gap>[ ]{1,4})(?P<value>[A-Za-z0-9._~+/-]{16,}+=*)", re.IGNORECASE
)
_USERINFO = re.compile(
    r"(?P<head>://[^\s/?#:@\"'<>]{0,128}+:)(?!\d{1,5}[/?#])(?P<password>[^\s\"'<>]{1,256})(?P<tail>@)"
)
_USER_TOKEN = re.compile(r"(?P<head>://)(?P<token>[A-Za-z0-9_.~-]{16,128}+)@")
_IN_QUERY = re.compile(
    r"(?P<head>[?&#](?:code|sig|signature|ticket|key|x-amz-signature|x-amz-credential)=)(?P<value>[^&\s\"'<>#]{8,}+)",
    re.IGNORECASE,
)
_SAML = re.compile(r"urn:oasis:names:tc:SAML|<saml2?p?:", re.IGNORECASE)
_CUT_USERINFO = re.compile(r"(?P<head>://[^\s/?#:@\"'<>]{0,128}+:)[^\s\"'<>@]{1,256}\Z")
_CUT_DIGITS = re.compile(r"(?<![\w.])\d(?:[ -]?\d){5,18}\Z")


def hide_tokens(text: str) -> str:
    """Return *text* without the tokens, keys and passwords that it holds by themselves."""
    lower = lowered(text)
    if says(lower, ("saml",)) and _SAML.search(text):
        # A signed statement on a person: nothing behind its first tag stays.
        return text[: max(0, text.find("<"))] + REDACTED
    if "PRIVATE KEY" in text:
        text = _hide_key_blocks(text)
    if says(text, _TOKEN_STARTS):
        text = _TOKENS.sub(REDACTED, text)
    if says(lower, ("bearer",)):
        text = _BEARER.sub(lambda match: match[0] if is_mark(match["value"]) else _without_value(match), text)
    if says(lower, ("basic",)):
        text = _BASIC.sub(lambda match: _without_value(match) if _is_credentials(match["value"]) else match[0], text)
    if says(lower, ("token", "negotiate")):
        text = _TOKEN_WORD.sub(lambda match: _without_value(match) if _has_digit(match["value"]) else match[0], text)
    if "://" in text:
        text = _USER_TOKEN.sub(
            lambda match: match[0] if not _has_digit(match["token"]) else f"{match['head']}{REDACTED}@", text
        )
        text = _USERINFO.sub(lambda match: f"{match['head']}{REDACTED}{match['tail']}", text)
    return _IN_QUERY.sub(lambda match: match["head"] + REDACTED, text) if "=" in text else text


def lowered(text: str) -> str | None:
    """Return *text* in lower case, or None where it has other letters than ASCII: to a pattern that looks for a word in
    any case some of these are spellings, too (`ſ` is an `s`)."""
    return text.lower() if text.isascii() else None


def says(text: str | None, words: Iterable[str]) -> bool:
    """Return whether *text* has one of *words*, or may have: it is None.

    A pattern that needs one of them is not tried on a text that has none: looking for a word takes a thirtieth.
    """
    return text is None or any(word in text for word in words)


def hide_cut_end(text: str) -> str:
    """Return *text*, whose end was cut off, without what at its end may be the beginning of a secret."""
    return _CUT_DIGITS.sub(REDACTED, _CUT_USERINFO.sub(lambda match: match["head"] + REDACTED, text))


def _without_value(match: re.Match[str]) -> str:
    return match["scheme"] + match["gap"] + REDACTED


def _hide_key_blocks(text: str) -> str:
    text = _KEY_BLOCK.sub(REDACTED, text)
    ends = list(_KEY_BLOCK_END.finditer(text))
    if not ends:
        return text
    # Blocks whose beginning is missing: all from the first of them to the last.
    return text[: ends[0].start()].rstrip(_KEY_BLOCK_CHARS) + REDACTED + text[ends[-1].end() :]


def _is_credentials(value: str) -> bool:
    """Return whether *value* is a name and a password in base64, and not a word: `basic subscription`."""
    if value.endswith("=") or (len(value) >= 16 and _has_digit(value) and not value.islower()):
        return True
    try:
        return b":" in base64.b64decode(value + "=" * (-len(value) % 4))
    except (binascii.Error, ValueError):
        return False


def _has_digit(value: str) -> bool:
    return any(char.isdigit() for char in value)
