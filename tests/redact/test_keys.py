"""What goes, and what stays, for the name of its key."""

from __future__ import annotations

from typing import Any

import pytest

from audit_async import events
from audit_async.redact import REDACTED, Redaction, Redactor, redact
from audit_async.redact.keys import is_secret_key


def details_of(details: Any) -> dict[str, Any]:
    return redact(events.custom("a", details=details)).details


@pytest.mark.parametrize(
    "key",
    [
        *("password", "Client-Secret", "clientSecret", "pass_word", "user.password", "ｐａｓｓｗｏｒｄ", "passwörd"),
        *("password#2", "new_password_2", "X-Api-Key", "set-cookie", "PIN", "paßword", "access_token", "jwt"),
        *("id_token", "SAMLResponse", "code_verifier", "mfa_code", "totpSecret", "recovery_codes", "SECRET_KEY"),
        *("sessionid", "SESSIONID_2", "pass", "admin_pass", "newPass", "SMTP_PASS", "client_assertion", "seed_phrase"),
        *("corpsecret", "app_secret", "encoding_aes_key", "suite_ticket", "card_number", "cvv2", "db_pass", "sid"),
        *(
            "Proxy-Authorization",
            "private_key",
            "credentials",
            "otp",
            "passwd",
            "PHPSESSID",
            "密码",
            "пароль",
            "비밀번호",
        ),
    ],
)
def test_a_secret_is_known_by_its_key(key: str) -> None:
    """The value under a secret's name is removed, however the name is written."""
    assert {key: REDACTED} == details_of({key: "s3cret"})


@pytest.mark.parametrize(
    "key",
    [
        *("token_id", "password_policy", "session_id_hash", "provider_type", "keyboard", "password_changed"),
        *("boarding_pass", "first_pass", "by_pass", "bypass", "pan", "assertion", "mnemonic"),
        *("session_id", "sessionId", "Session-ID", "SESSION_ID_2"),
        *("compass", "authenticated", "author", "pinned", "secretary", "user_id", "ip_address", "status_code"),
    ],
)
def test_what_only_looks_like_a_secret_stays(key: str) -> None:
    """A name that merely contains a secret's name is none."""
    assert (False, {key: "x"}) == (is_secret_key(key), details_of({key: "x"}))


@pytest.mark.parametrize("item", [True, False, None])
def test_booleans_and_nulls_stay(item: object) -> None:
    """That there is a password is no secret."""
    assert {"password": item} == details_of({"password": item})


@pytest.mark.parametrize("item", [123456, 1.5, b"hunter2", ["a"], {"a": "b"}, {"a"}])
def test_a_secret_of_any_type_goes(item: object) -> None:
    """Numbers, bytes and whole containers under a secret's name are removed."""
    assert {"password": REDACTED} == details_of({"password": item})


def test_counted_tokens_stay() -> None:
    """Numbers of tokens are usage, texts of tokens are secrets."""
    assert {"input_tokens": 12, "tokens": REDACTED} == details_of({"input_tokens": 12, "tokens": "abc"})


@pytest.mark.parametrize("field", ["details", "metadata", "old_values", "new_values"])
def test_secrets_are_found_in_depth(field: str) -> None:
    """Every level of objects and lists is looked at, in all four objects."""
    event = redact(events.custom("a", **{field: {"a": [1, {"b": ({"pwd": "x"},)}]}}))
    assert {"a": [1, {"b": [{"pwd": REDACTED}]}]} == getattr(event, field)


@pytest.mark.parametrize(
    ("headers", "kept"),
    [
        ([["Cookie", "x"], ["Accept", "y"]], [["Cookie", REDACTED], ["Accept", "y"]]),
        ([("Authorization", "x")], [["Authorization", REDACTED]]),
        ([{"name": "Cookie", "value": "x"}], [{"name": "Cookie", "value": REDACTED}]),
        ({"in": [[["set-cookie", "x"]]]}, {"in": [[["set-cookie", REDACTED]]]}),
    ],
)
def test_headers_as_pairs_are_secrets_too(headers: object, kept: object) -> None:
    """A pair of a header's name and value is judged by the name, at any depth."""
    assert {"headers": kept} == details_of({"headers": headers})


@pytest.mark.parametrize(
    "names",
    [
        *(
            ["password", "phone"],
            ["token", "name"],
            ["password", "username"],
            ["email", "phone"],
            ["pwd", "phoneNumber"],
        ),
        ["password", "swordfish"],  # of which nobody can tell that it is no name
    ],
)
def test_two_names_are_no_header(names: list[str]) -> None:
    """A list of two words that look like names stays, whether they come as a list, a tuple or a set."""
    details = {"columns": names, "required": tuple(names), "n": [{"fields": names}, "x"]}
    assert {"columns": names, "required": names, "n": [{"fields": names}, "x"]} == details_of(details)
    assert {"columns": sorted(names)} == {"columns": sorted(details_of({"columns": set(names)})["columns"])}


def test_the_names_of_what_changed_are_no_header() -> None:
    """`details.changed` holds names, whatever they look like; only of details, and only there."""
    rules = Redactor(Redaction(pseudonymise={"email"}, pseudonym_key="k" * 32))
    event = events.data_change("update", old_values={"password": "a", "Phone 2": 1}, new_values={})
    assert ["Phone 2", "password"] == redact(event).details["changed"]
    for changed in (["email", "phone 2"], ["password", "phone-2"]):
        assert changed == rules.redact(events.custom("a", details={"changed": changed})).details["changed"]
    assert ["password", REDACTED] == details_of({"a": {"changed": ["password", "phone-2"]}})["a"]["changed"]


@pytest.mark.parametrize(
    ("pair", "kept"),
    [
        (["password", "hunter2"], ["password", REDACTED]),
        (["Authorization", "Bearer abc"], ["Authorization", REDACTED]),
        (("Set-Cookie", "sid=abc; Path=/"), ["Set-Cookie", REDACTED]),
        (["password", 12345], ["password", REDACTED]),
        (["password", ["a"]], ["password", REDACTED]),
        (["password", "x" * 25], ["password", REDACTED]),
        (["--password", "a-b"], ["--password", REDACTED]),
        ([["Authorization", "Bearer x"]], [["Authorization", REDACTED]]),
        ([["password", "swordfish"]], [["password", REDACTED]]),
        ([["a", "b"], ["password", "swordfish"]], [["a", "b"], ["password", REDACTED]]),
    ],
)
def test_what_looks_like_a_value_goes_from_a_pair(pair: object, kept: object) -> None:
    """A list of two stands for a header where its second part is no name, or where it is one of a list of twos."""
    assert {"x": kept} == details_of({"x": pair})


@pytest.mark.parametrize("key", ["headers", "request_headers", "queryParams"])
def test_a_lone_header_is_known_by_its_key(key: str) -> None:
    """Under a key that says so, a list of two is a name and its value, whatever it looks like."""
    assert {key: ["X-Token", REDACTED]} == details_of({key: ["X-Token", "swordfish"]})


def test_headers_in_bytes_are_secrets_too() -> None:
    """An ASGI header, a pair of bytes, is judged by its name."""
    found = details_of({"headers": [(b"authorization", b"abc"), (b"accept", b"def")]})["headers"]
    assert (REDACTED, "ZGVm") == (found[0][1], found[1][1]["$bytes"])


def test_claims_of_an_id_token_keep_who_it_is() -> None:
    """Of an OIDC token given as its claims, subject, issuer and id stay."""
    claims = {"sub": "u1", "iss": "https://idp", "jti": "j1", "email": "joe@example.com", "address": {"city": "x"}}
    kept = {"sub": "u1", "iss": "https://idp", "jti": "j1", "email": REDACTED, "address": REDACTED}
    assert {"id_token": kept} == details_of({"id_token": claims})


def test_a_name_that_was_cut_counts_as_secret() -> None:
    """The end of a long name may be what makes it a secret's."""
    assert [REDACTED] == list(details_of({"k" * 300 + "_password": "x"}).values())


def test_an_event_without_secrets_is_returned_as_it_is() -> None:
    """Nothing is copied when nothing changes, seen before or not."""
    event = events.custom("a", details={"b": [1, {"c": 2}]}, description="Report printed: 3 pages")
    assert redact(event) is event is redact(event)


def test_what_a_shape_hid_before_is_looked_at_again() -> None:
    """Keys once found harmless say nothing of what is nested under them, or of other values."""
    for value in (1, "a", {"pwd": 1}, ["a"]):
        details_of({"x": value})
    assert {"x": {"pwd": REDACTED}} == details_of({"x": {"pwd": "s"}})
    assert {"x": f"Bearer {REDACTED}"} == details_of({"x": "Bearer abcdef"})


@pytest.mark.parametrize("field", ["description", "error_message", "user_agent", "resource_id", "tags"])
def test_what_was_removed_goes_from_the_texts_too(field: str) -> None:
    """A secret taken out of an object is not told by the event's texts either."""
    event = redact(events.custom("a", details={"pwd": "tr0ub4dor"}, **{field: "user typed tr0ub4dor"}))
    text = getattr(event, field)
    assert f"user typed {REDACTED}" == (text[0] if field == "tags" else text)
