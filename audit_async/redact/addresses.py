"""Addresses in the internet, kept as their network only: IPv4 to /24, IPv6 to /48.

Source: what web analytics keep of an address under the GDPR: 24 of 32 bits, and what a provider gives one site.
"""

from __future__ import annotations

import ipaddress
import re

from audit_async.config import MASKED_IPV4_BITS, MASKED_IPV6_BITS
from audit_async.redact.marks import REDACTED

_WITH_PORT = re.compile(r"\[(?P<v6>[^\]]*)\](?::\d{1,5})?|(?P<v4>\d{1,3}(?:\.\d{1,3}){3}):\d{1,5}").fullmatch
_LOOKS_LIKE_ONE = re.compile(r"[0-9a-f]*[.:][0-9a-f.:%/]*\d|\d[0-9a-f.:%/]*[.:]", re.IGNORECASE).search


def mask_addresses(text: str) -> str:
    """Return *text*, one address or several between commas, with their networks.

    What only looks like an address (`010.0.0.1`) is removed; a word in its place (`unknown`) stays.
    """
    parts = [part.strip() for part in text.split(",")]
    masked = [_masked(part) for part in parts]
    return text if masked == parts else ", ".join(masked)


def _masked(part: str) -> str:
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
