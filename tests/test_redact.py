from __future__ import annotations

from typing import Any

import msgspec
import pytest

from audit_async import AuditEvent, events
from audit_async.redact import REDACTED, is_secret_key, redact
from tests.test_values import laughs


@pytest.mark.parametrize(
    "key",
    [
        *("password", "Client-Secret", "clientSecret", "pass_word", "user.password", "ｐａｓｓｗｏｒｄ", "passwörd"),
        *("password#2", "new_password_2", "X-Api-Key", "set-cookie", "PIN", "paßword", "access_token", "jwt"),
    ],
)
def test_a_secret_is_known_by_its_key(key: str) -> None:
    """The value under a secret's name is removed, however the name is written."""
    assert {key: REDACTED} == redact(events.custom("a", details={key: "s3cret"})).details


@pytest.mark.parametrize("key", ["token_id", "password_policy", "session_id_hash", "provider_type", "keyboard"])
def test_what_only_looks_like_a_secret_stays(key: str) -> None:
    """A name that merely contains a secret's name is none."""
    assert not is_secret_key(key)


@pytest.mark.parametrize("item", [True, False, None])
def test_booleans_and_nulls_stay(item: object) -> None:
    """That there is a password is no secret."""
    assert {"password": item} == redact(events.custom("a", details={"password": item})).details


def test_counted_tokens_stay() -> None:
    """Numbers of tokens are usage, texts of tokens are secrets."""
    found = redact(events.custom("a", details={"input_tokens": 12, "tokens": "abc"})).details
    assert {"input_tokens": 12, "tokens": REDACTED} == found


def test_secrets_are_found_in_depth() -> None:
    """Every level of objects and lists is looked at, and header pairs too."""
    event = events.custom("a", old_values={"a": [{"b": {"pwd": "x"}}], "headers": [["Cookie", "x"]]})
    assert {"a": [{"b": {"pwd": REDACTED}}], "headers": [["Cookie", REDACTED]]} == redact(event).old_values


def test_a_name_that_was_cut_counts_as_secret() -> None:
    """The end of a long name may be what makes it a secret's."""
    assert [REDACTED] == list(redact(events.custom("a", details={"k" * 300 + "_password": "x"})).details.values())


def test_an_event_without_secrets_is_returned_as_it_is() -> None:
    """Nothing is copied when nothing changes, seen before or not."""
    event = events.custom("a", details={"b": [1, {"c": 2}]})
    assert redact(event) is event is redact(event)


def test_what_a_shape_hid_before_is_looked_at_again() -> None:
    """Keys once found harmless say nothing of what is nested under them."""
    redact(events.custom("a", details={"x": 1}))
    assert {"x": {"pwd": REDACTED}} == redact(events.custom("a", details={"x": {"pwd": "s"}})).details


def cycle() -> dict[str, Any]:
    value: dict[str, Any] = {"password": "x"}
    value["self"] = value
    return value


@pytest.mark.parametrize(
    "value", [[("password", "x")], ({"password": "x"},), {1: {"password": "x"}}, cycle(), object()]
)
def test_an_event_made_by_hand_is_redacted_too(value: Any) -> None:
    """An object that no builder made plain is made so first."""
    event = msgspec.structs.replace(events.custom("a"), details=value)
    assert '"x"' not in repr(msgspec.json.encode(redact(event)))


def test_a_secret_in_the_place_of_a_text_goes() -> None:
    """A container given for a text field keeps its parts apart, so that its secrets are found."""
    event = redact(events.custom("a", description={"password": "hunter2"}))
    assert (None, b"hunter2" in msgspec.json.encode(event)) == (event.description, False)


def test_redacting_twice_is_redacting_once() -> None:
    """A redacted event is left alone."""
    event: AuditEvent = redact(events.custom("a", details={"secret": "x"}))
    assert redact(event) is event


def test_a_shared_part_made_by_hand_takes_no_time() -> None:
    """An object that unfolds without end is made plain before it is walked."""
    event = msgspec.structs.replace(events.custom("a"), details={"a": laughs()})
    assert len(msgspec.json.encode(redact(event))) < 2**20
