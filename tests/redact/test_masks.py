"""Pseudonyms and networks: what stands in the place of who and where."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest

from audit_async import AuditEvent, events
from audit_async.redact import REDACTED, Redaction, Redactor

KEY = "k" * 32


def redacted(rules: Redaction, **fields: Any) -> AuditEvent:
    return Redactor(rules).redact(events.custom("a", **fields))


def test_a_pseudonym_is_the_same_for_the_same_value() -> None:
    """Spellings of one value have one pseudonym, by which a reader finds them; another key gives another."""
    rules = Redaction(pseudonymise={"email"}, pseudonym_key=KEY)
    found = redacted(rules, details={"email": " Joe@Example.COM", "userEmail": "ｊｏｅ@example.com"}).details
    assert {rules.pseudonym("joe@example.com")} == set(found.values())
    assert re.fullmatch("pseudonym:[0-9a-f]{32}", found["email"])
    assert found["email"] != Redaction(pseudonym_key="other" * 4).pseudonym("joe@example.com")


def test_a_pseudonym_has_no_pseudonym() -> None:
    """Redacting twice is redacting once, and a search may be given a pseudonym as well."""
    redactor = Redactor(Redaction(pseudonymise={"email", "user_id"}, pseudonym_key=KEY))
    event = redactor.redact(
        events.custom("a", user_id="u1", details={"email": "joe@example.com"}, description="joe@example.com")
    )
    assert event == redactor.redact(event)


@pytest.mark.parametrize(
    ("value", "kept"),
    [(["joe"], ["{}"]), ({"first": "joe"}, {"first": "{}"}), (True, True), (None, None), (b"joe", REDACTED)],
)
def test_all_under_a_pseudonymised_key_is(value: Any, kept: Any) -> None:
    """What a pseudonymised key holds is no better for standing in a container."""
    rules = Redaction(pseudonymise={"login"}, pseudonym_key=KEY)
    assert repr(kept).replace("{}", rules.pseudonym("joe")) == repr(
        redacted(rules, details={"login": value}).details["login"]
    )


@pytest.mark.parametrize(
    ("address", "kept"),
    [
        ("192.0.2.17", "192.0.2.0/24"),
        ("192.0.2.17:443", "192.0.2.0/24"),
        ("2001:db8:1:2::3", "2001:db8:1::/48"),
        ("[2001:db8:1::1]:80", "2001:db8:1::/48"),
        ("fe80::1%eth0", "fe80::/48"),
        ("::ffff:192.0.2.17", "192.0.2.0/24"),
        ("192.0.2.17, 198.51.100.4, unknown", "192.0.2.0/24, 198.51.100.0/24, unknown"),
        ("010.0.0.1", REDACTED),
        ("unknown,-", "unknown,-"),
    ],
)
def test_addresses_are_masked(address: str, kept: str) -> None:
    """Only the network of an address stays, in the field, under keys of addresses and in texts; twice is once."""
    redactor = Redactor(Redaction(mask_ip=True))
    details = {"client_ip": address, "xForwardedFor": [address], "ship": address}
    made = msgspec.structs.replace(events.custom("a", details=details), ip_address=address)
    event = redactor.redact(made)
    assert (kept, {"client_ip": kept, "xForwardedFor": [kept], "ship": address}) == (event.ip_address, event.details)
    assert event == redactor.redact(event)


def test_a_masked_address_goes_from_the_texts() -> None:
    """The description does not tell the address that was masked in its field."""
    event = redacted(Redaction(mask_ip=True), ip_address="192.0.2.17", description="from 192.0.2.17, not 192.0.2.170")
    assert "from 192.0.2.0/24, not 192.0.2.170" == event.description
