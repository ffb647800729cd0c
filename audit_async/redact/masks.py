"""What stands in the place of what was taken out: marks, pseudonyms, networks of addresses.

A pseudonym is a name that stands for another, the same one each time, which only the holder of a key can lead back. Of
an address in the internet the network is kept: IPv4 to /24, IPv6 to /48.

Source: keyed hashing as in HashiCorp Vault's audit log; RFC 2104. Without a key whoever has the log could try all
e-mail addresses there are. Networks: what web analytics keep of an address under the GDPR, 24 of 32 bits, and what a
provider gives one site.
"""

from __future__ import annotations

import functools
import hmac
import ipaddress
import re
import unicodedata

from audit_async.config import (
    MASKED_IPV4_BITS,
    MASKED_IPV6_BITS,
    MAX_ADDRESS_CHARS,
    MAX_ADDRESSES,
    PSEUDONYM_HEX_DIGITS,
)

REDACTED = "[redacted]"

BODY_DROPPED = "[redacted: body]"
"""In the place of what a message or a document said, of an action whose bodies are never kept."""

RULE_FAILED = "[redacted: rule failed]"
"""In the place of a value on which the application's own rule failed."""

FAULT = "[redacted: fault]"
"""In the place of everything an event said, when redaction itself failed."""

MARK_KEY = "$redacted"
"""The one key of an object that went as a whole."""

PSEUDONYM = "pseudonym:"
"""What a pseudonym begins with."""


def is_mark(text: str) -> bool:
    """Return whether *text* is one of the marks, so that nothing is left to be taken out."""
    return text in (REDACTED, BODY_DROPPED, RULE_FAILED, FAULT)


# --- pseudonyms --------------------------------------------------------------------------------------

_IS_ONE = re.compile(rf"{PSEUDONYM}[0-9a-f]{{{PSEUDONYM_HEX_DIGITS}}}").fullmatch
_LETTER = r"[^\W\u2e80-\U0010ffff]"  # no script without blanks between words: the word before would go as well


@functools.cache
def _e_mails() -> re.Pattern[str]:
    # Compiled when it is needed: with sets of so many letters that takes 5 ms, which every import would pay.
    return re.compile(
        rf"(?<!{_LETTER})(?:{_LETTER}|[.%+'-]){{1,64}}+@(?:{_LETTER}|-){{1,63}}+(?:\.(?:{_LETTER}|-){{1,63}}+){{1,8}}"
    )


def pseudonym_of(text: str, key: bytes) -> str:
    """Return the pseudonym of *text*, the same for all spellings that `folded` makes one."""
    if _IS_ONE(text):
        return text
    code = hmac.digest(key, folded(text).encode("utf-8", "surrogatepass"), "sha256").hex()
    return PSEUDONYM + code[:PSEUDONYM_HEX_DIGITS]


def folded(text: str) -> str:
    """Return *text* so that spellings which differ in case, width or outer spaces only become one."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold()).strip()


def hide_e_mails(text: str, key: bytes) -> str:
    """Return *text* with the pseudonyms of the e-mail addresses in it."""
    return _e_mails().sub(lambda match: pseudonym_of(match[0], key), text) if "@" in text else text


# --- networks ----------------------------------------------------------------------------------------

_WITH_PORT = re.compile(r"\[(?P<v6>[^\]]*)\](?::\d{1,5})?|(?P<v4>\d{1,3}(?:\.\d{1,3}){3}):\d{1,5}").fullmatch
_LOOKS_LIKE_ONE = re.compile(r"[0-9a-f]*[.:][0-9a-f.:%/]*\d|\d[0-9a-f.:%/]*[.:]", re.IGNORECASE).search


def mask_addresses(text: str) -> str:
    """Return *text*, one address or several between commas, with their networks.

    What only looks like an address (`010.0.0.1`) is removed; a word in its place (`unknown`) stays.
    """
    parts = [part.strip() for part in text.split(",", MAX_ADDRESSES)]
    masked = [_masked(part) for part in parts]
    return text if masked == parts else ", ".join(masked)


def _masked(part: str) -> str:
    if len(part) > MAX_ADDRESS_CHARS:
        return REDACTED
    match = _WITH_PORT(part)
    bare = (match["v6"] or match["v4"] or "") if match else part
    try:
        address = ipaddress.ip_address(bare.partition("%")[0])
    except ValueError:
        return part if _is_network(part) or not _LOOKS_LIKE_ONE(part) else REDACTED
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    bits = MASKED_IPV4_BITS if mapped or address.version == 4 else MASKED_IPV6_BITS
    return str(ipaddress.ip_network((mapped or address, bits), strict=False))


def _is_network(part: str) -> bool:
    """Return whether *part* is a network no narrower than ours: masked before."""
    try:
        network = ipaddress.ip_network(part)
    except ValueError:
        return False
    return network.prefixlen <= (MASKED_IPV4_BITS if network.version == 4 else MASKED_IPV6_BITS)
