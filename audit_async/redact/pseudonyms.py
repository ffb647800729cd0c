"""A name that stands for another, the same one each time, which only the holder of a key can lead back.

Source: keyed hashing as in HashiCorp Vault's audit log; RFC 2104. Without a key whoever has the log could try all
e-mail addresses there are.
"""

from __future__ import annotations

import hmac
import re
import unicodedata

from audit_async.config import PSEUDONYM_HEX_DIGITS
from audit_async.redact.marks import PSEUDONYM

_IS_ONE = re.compile(rf"{PSEUDONYM}[0-9a-f]{{{PSEUDONYM_HEX_DIGITS}}}").fullmatch
_E_MAIL = re.compile(r"(?<![\w.+-])[\w.%+'-]{1,64}+@[\w-]{1,63}+(?:\.[\w-]{1,63}+){1,8}", re.IGNORECASE)


def pseudonym_of(text: str, key: bytes) -> str:
    """Return the pseudonym of *text*, the same for all spellings that differ in case, width or outer spaces only."""
    if _IS_ONE(text):
        return text
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold()).strip()
    return PSEUDONYM + hmac.digest(key, folded.encode("utf-8", "surrogatepass"), "sha256").hex()[:PSEUDONYM_HEX_DIGITS]


def hide_e_mails(text: str, key: bytes) -> str:
    """Return *text* with the pseudonyms of the e-mail addresses in it."""
    return _E_MAIL.sub(lambda match: pseudonym_of(match[0], key), text) if "@" in text else text
