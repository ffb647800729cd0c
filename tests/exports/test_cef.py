"""CEF lines are one each, and a parser of the standard finds every field in them."""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec
import pytest
from hypothesis import given

from audit_async import AuditEvent, Severity, events
from audit_async.exports.cef import KEYS, own_key
from tests.exports.samples import (
    NOON,
    any_event,
    every_action,
    is_unseen,
    line_of,
    nasty_events,
    real_events,
    some,
    whole_event,
)

PAIR = re.compile(r"(\w+)=((?:\\.|[^\\=])*)(?= \w+=|$)")


def parsed(line: str) -> tuple[list[str], dict[str, str]]:
    """Return the header's seven values, and the extension, by the rules of the standard."""
    match = re.fullmatch(r"CEF:0\|" + r"((?:\\.|[^\\|])*)\|" * 6 + "(.*)", line)
    assert match, line
    *header, extension = match.groups()
    pairs, at = {}, 0
    for match in PAIR.finditer(extension):
        assert at in (match.start(), match.start() - 1), "something stands between two pairs"
        at = match.end()
        assert match[1] not in pairs
        pairs[match[1]] = re.sub(r"\\(.)", lambda found: {"n": "\n", "r": "\r"}.get(found[1], found[1]), match[2])
    assert len(extension) == at
    return [re.sub(r"\\(.)", r"\1", text) for text in header], pairs


def shown(text: str) -> str:
    """Return *text* as it is found in a line."""
    return "".join(c if c in "\r\n" or not is_unseen(c) else _escape(c) for c in text)


def _escape(character: str) -> str:
    code = ord(character)
    number = f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
    return {"\t": "\\t"}.get(character, number)


def fields_in(pairs: dict[str, str]) -> dict[str, str]:
    """Return the fields that a line says, by name, whichever key they are under."""
    names = {key: name for name, key in KEYS.items() if not key.startswith(("cs", "cn", "cfp"))}
    names |= {pairs[f"{key}Label"]: "" for key in pairs if f"{key}Label" in pairs}
    found = {}
    for key, value in pairs.items():
        if f"{key}Label" in pairs:
            found[pairs[f"{key}Label"]] = value
        elif key in names:
            found[names[key]] = value
        elif key.startswith("AuditAsync"):
            found[re.sub(r"(?<=[a-z])(?=[A-Z])", "_", key.removeprefix("AuditAsync")).lower()] = value
    return found


@some
@given(any_event)
def test_a_line_has_every_field(event: AuditEvent) -> None:
    """Whatever is in an event, its line is one, and every field is found in it whole."""
    header, pairs = parsed(line_of("cef", event))
    assert ["audit-async", "audit-async", event.action] == [header[0], header[1], header[3]]
    found = fields_in(pairs)
    expected: dict[str, Any] = event.to_dict()
    for name in ("created_at", "severity", "success", "recorded_at", "ip_address"):
        expected.pop(name)
    if event.user_id is None and event.actor_id is not None:
        assert found.pop("user_id") == shown(expected.pop("actor_id"))
    for name, value in expected.items():
        if isinstance(value, dict | list) and (value or name in ("old_values", "new_values")):
            assert value == json.loads(found[name])
        elif value is not None and not isinstance(value, dict | list):
            assert shown(str(value)) == found[name]
    assert event.ip_address is None or shown(event.ip_address) in pairs.values()


def test_real_and_all_known_events_are_lines() -> None:
    """Every event of the vocabulary, the nasty inputs and the real records is one line that can be parsed."""
    for event in [*every_action(), *nasty_events(), *real_events()]:
        header, pairs = parsed(line_of("cef", event))
        assert (event.action, shown(event.id)) == (header[3], fields_in(pairs)["id"])


def test_a_header_is_escaped() -> None:
    """An action that somebody else wrote into the table cannot end its place in the header."""
    event = msgspec.structs.replace(whole_event(), action="a|b\\|c\n=")
    header, pairs = parsed(line_of("cef", event))
    assert ("a|b\\|c\\n=", "a|b\\|c\n=") == (header[3], pairs["act"])


def test_the_severities_are_of_cef() -> None:
    """From info to critical: 1, 3, 5, 8, 10."""
    found = [parsed(line_of("cef", events.custom("x.y", severity=each)))[0][5] for each in Severity]
    assert ["1", "3", "5", "8", "10"] == found


def test_the_time_is_in_milliseconds() -> None:
    """`rt` counts milliseconds; what is finer stands under a key of our own."""
    _, pairs = parsed(line_of("cef", whole_event(created_at=NOON)))
    assert ("1772368200123", "2026-03-01T12:30:00.123456Z") == (pairs["rt"], pairs[own_key("created_at")])
    _, pairs = parsed(line_of("cef", whole_event(created_at=NOON.replace(microsecond=0))))
    assert ("1772368200000", False) == (pairs["rt"], own_key("created_at") in pairs)


@pytest.mark.parametrize(
    ("address", "key"), [("192.0.2.1", "src"), ("2001:db8::1", "c6a2"), ("fe80::1%eth0", own_key("ip_address"))]
)
def test_an_address_is_under_its_key(address: str, key: str) -> None:
    """CEF has a key for IPv4 and one for IPv6; what it has none for has one of ours."""
    assert address == parsed(line_of("cef", events.custom("x.y", ip_address=address)))[1][key]


def test_what_is_too_long_for_a_key_is_whole() -> None:
    """A value longer than its key allows stands under a key of our own, uncut."""
    _, pairs = parsed(line_of("cef", whole_event(description="d" * 1024, id="i" * 41)))
    assert ("d" * 1024, "i" * 41) == (pairs[own_key("description")], pairs[own_key("id")])
    assert not {"msg", "externalId"} & pairs.keys()
