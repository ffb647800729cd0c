"""Secrets in texts, known by how they look."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit_async import events
from audit_async.config import MAX_STRING_CHARS
from audit_async.redact import Redaction, assignments, digits, patterns, redact, texts
from audit_async.redact.assignments import hide_assigned
from audit_async.redact.digits import hide_cards, hide_codes, is_card
from audit_async.redact.keys import is_secret_key
from audit_async.redact.patterns import hide_tokens
from audit_async.redact.texts import hide_secrets, is_suspicious
from audit_async.redact.verdicts import HARMLESS, Verdicts
from audit_async.text import CUT_NOTE
from tests.redact.shapes import SHAPES

FINDERS: tuple[Callable[[str], str], ...] = (
    hide_tokens,
    lambda text: hide_assigned(text, lambda key: (lambda _: "") if is_secret_key(key) else None),
    hide_cards,
    hide_codes,
)


def hidden(text: str) -> str:
    return str(redact(events.custom("a", details={"note": text})).details["note"])


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", "[redacted]"),
        ("Authorization: Bearer abc.def", "Authorization: [redacted]"),
        ("sent bearer abc", "sent bearer [redacted]"),
        ("Basic dXNlcjpwYXNz", "Basic [redacted]"),
        ("a\n-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----\nb", "a\n[redacted]\nb"),
        ("-----BEGIN PRIVATE KEY-----\nMIIE", "[redacted]"),
        ("MIIE\nabc=\n-----END PRIVATE KEY-----", "[redacted]"),
        ("MIIE\n-----END PRIVATE KEY-----\nMIIF\n-----END PRIVATE KEY-----.", "[redacted]."),
        ("key AKIAIOSFODNN7EXAMPLE used", "key [redacted] used"),
        ("ghp_abcdefghijklmnopqrst0123456789", "[redacted]"),
        ("xoxb-123456789012-abcdefgh", "[redacted]"),
        ("postgresql+asyncpg://app:p@ss/word@db:5432/x", "postgresql+asyncpg://app:[redacted]@db:5432/x"),
        ("https://a.b/cb?code=abcdefgh&state=1&token=x", "https://a.b/cb?code=[redacted]&state=1&token=[redacted]"),
        ("login failed: password=hunter2, user=joe", "login failed: password=[redacted], user=joe"),
        ("host=db password='a b' user=x", "host=db password='[redacted]' user=x"),
        ("{'pass': 'a b', 'n': 1", "{'pass': '[redacted]', 'n': 1"),
        ('{"password": "a\\"b", "n": [1,', '{"password": "[redacted]", "n": [1,'),
        ('{"a": [{"secret": "x"}], "n": 1}', '{"a":[{"secret":"[redacted]"}],"n":1}'),
        ('"{\\"secret\\": \\"x\\"}"', '"{\\"secret\\":\\"[redacted]\\"}"'),
        ('{"pass\\u0077ord": "x"}', '{"password":"[redacted]"}'),
        ('{"password": "x", "password": null}', '{"password": "[redacted]", "password": null}'),
        ("<password>a b</password>", "<password>[redacted]</password>"),
        ("api key: abc", "api key: [redacted]"),
        ("ｐａｓｓｗｏｒｄ：abc", "ｐａｓｓｗｏｒｄ：[redacted]"),
        ("card 4111 1111 1111 1111 12/25", "card [redacted] 12/25"),
        ("card 4111 1111 1111 1111 123", "card [redacted] 123"),
        ("378282246310005", "[redacted]"),
        ("your code is 123456.", "your code is [redacted]."),
        ("123 456 is your login code", "[redacted] is your login code"),
        ("您的验证码123456，请勿泄露", "您的验证码[redacted]，请勿泄露"),
        ("login code 123456", "login code [redacted]"),
        ("one-time code 123 456", "one-time code [redacted]"),
        ("code is 123456", "code is [redacted]"),
        ("code=123456", "code=[redacted]"),
        ("mfa: 123456", "mfa: [redacted]"),
        ("otp 123456", "otp [redacted]"),
        ("Negotiate YIIZzAYGKwYBBQUCoII2Zw", "Negotiate [redacted]"),
        ("invalid token: a1b2c3", "invalid token: [redacted]"),
        ("token: abcDef", "token: [redacted]"),
        ("secret: correct-horse", "secret: [redacted]"),
        ("token: abcdefghijkl", "token: [redacted]"),
        ("X-Auth-Token: abc", "X-Auth-Token: [redacted]"),
        ("access_token: abc", "access_token: [redacted]"),
        ("TOKEN: abc", "TOKEN: [redacted]"),
        ("token=abc", "token=[redacted]"),
        ('"token": "abc"', '"token": "[redacted]"'),
        ("password: expired", "password: [redacted]"),
        ("passwd: expired", "passwd: [redacted]"),
        ("pwd: expired", "pwd: [redacted]"),
        ("mysql -u joe --password hunter --host db", "mysql -u joe --password [redacted] --host db"),
        ("run --token abc --api-key  'a b' x", "run --token [redacted] --api-key  '[redacted]' x"),
        ("run --secret=abc --db-password abc", "run --secret=[redacted] --db-password [redacted]"),
        ("<saml:Assertion x='urn:oasis:names:tc:SAML:2.0'>joe</saml:Assertion>", "[redacted]"),
    ],
)
def test_a_secret_is_known_by_its_look(text: str, kept: str) -> None:
    """What looks like a secret is removed, and what stands around it stays."""
    assert kept == hidden(text) == hidden(kept)


@pytest.mark.parametrize(
    "text",
    [
        *("basic subscription", "status code 500123", "at 12:30:05", "2026-11-25T17:32:02Z", "Asia/Shanghai"),
        *("http://host:8080/a?mail=joe@x.com", "password: true", "max_tokens=4096", "task-1234567890123456"),
        *("4111111111111112", "1732550000000", "7012345678901234567", "urn:uuid:1-2", "2001:db8::1", "a <b> c: d"),
        *("promo code 20240101", "in code 4000 lines", "verify 12345 rows", "mfa 2024 rollout", "order code=123456"),
        *("verify: 12345 rows", "discount code: 20240101", "tan 2024", "negotiate contracts", "status\ncode 2000"),
        *("invalid token: expired", "token: Expired.", "token: EXPIRED", "client secret: missing", "令牌：已过期"),
        *("--verbose 12", "--password", "--password --host db", "--token-id abc", "a -- b", "session_id=abc"),
        *('{"b": [1, 2.0, null], "a": "x"}', "[1, 2", "arn:aws:iam::123456789012:user/joe", "xray", "Sasha: hi"),
    ],
)
def test_what_only_looks_like_one_stays(text: str) -> None:
    """Words, times, addresses and numbers that are no secrets are left as they are."""
    assert text == hidden(text)


@pytest.mark.parametrize("key", ["user_id", "orderId", "ids"])
def test_an_id_is_no_card(key: str) -> None:
    """A number under the key of an id stays, even if it could be a payment card's."""
    details = {key: "4111111111111111", "order_id": 4111111111111111}
    assert details == redact(events.custom("a", details=details, resource_id="4111111111111111")).details


def test_a_card_is_known_as_a_number_too() -> None:
    """The number of a payment card is removed where it is an integer."""
    assert {"pay": "[redacted]"} == redact(events.custom("a", details={"pay": 4111111111111111})).details


@pytest.mark.parametrize(
    "number", ["4111111111111111", "5555555555554444", "2223003122003222", "6011111111111117", "30569309025904"]
)
def test_a_card_has_a_check_digit(number: str) -> None:
    """One digit more or less, or another one, and it is no card."""
    other = str((int(number[-1]) + 1) % 10)
    assert (True, False, False) == (is_card(number), is_card(number[:-1] + other), is_card(number[:-1]))


@pytest.mark.parametrize(
    "field", ["description", "error_message", "user_agent", "resource_id", "actor_name", "session_id", "request_id"]
)
def test_the_texts_of_an_event_are_looked_at(field: str) -> None:
    """What looks like a secret goes from the fields as well."""
    event = redact(events.custom("a", **{field: "x Bearer abcdefgh"}))
    assert "x Bearer [redacted]" == getattr(event, field)


def test_tags_are_looked_at() -> None:
    """A secret hides in a tag no better than in a value."""
    assert ("ok", "token=[redacted]") == redact(events.custom("a", tags=["ok", "token=abc"])).tags


def test_keys_are_looked_at() -> None:
    """A secret hides in a key no better than in a value; keys that become alike stay two."""
    details = {"https://u:p@h": 1, "https://u:q@h": 2}
    assert [1, 2] == list(redact(events.custom("a", details=details)).details.values())
    assert "https://u:[redacted]@h" == next(iter(redact(events.custom("a", details=details)).details))


def test_bytes_are_looked_into() -> None:
    """Bytes that hold a secret go as a whole, others stay."""
    found = redact(events.custom("a", details={"a": b"password=hunter2", "b": b"hello"})).details
    assert ("[redacted]", "aGVsbG8=") == (found["a"], found["b"]["$bytes"])


@pytest.mark.parametrize(
    "end", ["postgres://app:hunter2", "4111 1111 11", "-----BEGIN PRIVATE KEY-----\nhunter2", "eyJhbGciOiJIhunter2"]
)
def test_a_secret_that_was_cut_off_goes(end: str) -> None:
    """A secret whose end is missing, since the text was cut, is removed."""
    for cut in (f"x {end} {CUT_NOTE}9 bytes]", f"x {end} {CUT_NOTE}9 bytes]… y"):
        assert not any(part in hidden(cut) for part in ("hunter2", "1111"))


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (f"abc{CUT_NOTE}5 bytes] password=x", f"abc{CUT_NOTE}5 bytes] password=[redacted]"),
        (f"{CUT_NOTE}5 bytes] password=x", f"{CUT_NOTE}5 bytes] password=[redacted]"),
        (f"{CUT_NOTE}5 bytes]… password=x", f"{CUT_NOTE}5 bytes]… password=[redacted]"),
        (f"abc  {CUT_NOTE}5 bytes] password=x", f"abc  {CUT_NOTE}5 bytes] password=[redacted]"),
        (f"p://a:hunter2{CUT_NOTE}5 bytes]… password=x", f"p://a:[redacted]{CUT_NOTE}5 bytes]… password=[redacted]"),
    ],
)
def test_the_note_of_a_cut_stays_as_it_was(text: str, kept: str) -> None:
    """Whatever stands before the note of a cut, nothing of it or of the note is lost or doubled."""
    assert kept == hidden(text) == hidden(kept)


@pytest.mark.parametrize("end", ["postgres://app:hunter2", "4111 1111 11"])
def test_a_secret_that_a_builder_cut_off_goes(end: str) -> None:
    """A value that was cut to its limit by a builder is known to be cut."""
    text = "x" * (MAX_STRING_CHARS - len(end) - 1) + " " + end
    found = redact(events.custom("a", details={"a": f"{text}11 and more"})).details["a"]
    assert ("[redacted]", "$truncated") == (found["text"][-10:], next(iter(found)))


def test_a_secret_whose_beginning_was_cut_off_goes() -> None:
    """Behind a cut in the middle of a text may stand the rest of a key."""
    assert "7Yhunter2" not in hidden(f"log {CUT_NOTE}9 bytes, sha256 ab]… iOiJ7Yhunter2.x and so on")


@pytest.mark.parametrize("filling", ["x" * 40_000, "x y " * 10_000])
@pytest.mark.parametrize(
    "secret", ["-----BEGIN PRIVATE KEY-----\nhunter2", "postgres://app:hunter2@db", "token=hunter2"]
)
def test_no_cut_comes_before_redaction(filling: str, secret: str) -> None:
    """A text that is cut, or an event beyond its limit, does not carry a secret past the rules."""
    details = {"a": f"{secret} {filling}", "b": [f"{filling[:16_300]}{secret}"] * 5}
    event = redact(events.custom("a", details=details, error_message=f"{secret}{filling}{secret}"))
    assert b"hunter2" not in msgspec.json.encode(event)


@given(
    st.lists(st.sampled_from([*SHAPES, "abc", " ", "1234", ":", "=", '"', "\n", "x", "code", "://", "@"]), max_size=6)
)
def test_what_is_not_suspicious_holds_nothing(parts: list[str]) -> None:
    """The quick look passes no text in which the thorough one finds something."""
    text = "".join(parts)
    assert is_suspicious(text) or [text] * len(FINDERS) == [find(text) for find in FINDERS]


@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    "unit",
    [
        *(
            "a",
            "A",
            "eyJ",
            "://",
            "=",
            ":",
            "1",
            "1 ",
            "1111-",
            " ",
            '"',
            "\\",
            "<",
            "a=[",
            'a="',
            "password=",
            "-",
            "_",
        ),
        *(
            "://a:",
            "Bearer ",
            "PRIVATE KEY",
            "BEGIN PRIVATE KEY",
            "a@",
            "a.",
            "[",
            "{",
            "code ",
            "AKIA",
            "\n",
            "'",
            "a: ",
            "--a ",
            "--password ",
            "code: ",
            "token: ",
        ),
    ],
)
def test_the_work_grows_with_the_length_only(unit: str) -> None:
    """A megabyte of anything is looked through in a moment."""
    text = (unit * (2**20 // len(unit) + 1))[: 2**20]
    is_suspicious(text)
    for find in FINDERS:
        find(text)


_PARTS = [
    *SHAPES,
    *("Bearer", "BASIC dXNlcjpwYXNz", "ToKen ", "negotiate abcdefghij0123456", "your code", "otp 1234", "pın 1234"),
    *("baſic dXNlcjpwYXNz", "toKen abcdefghij0123456789", "?code=abcdefgh", "?code=", "=", "：", "%3D", "%3dabc"),
    *("--password ", "password", "ſaml", "<saml2:", "<saml:x", "tan is 1234", "1234", "123 456", "1234 is your code"),
    *(
        "4111 1111 1111 1111",
        "378282246310005",
        "verify: 1234",
        "verification is 1234",
        "pin: 1234",
        "2fa: 1234",
        "mfa: 1234",
        "verification code 1234",
    ),
    *("sk-", "ghp_abcdefghij0", "k_live_", "sk_live_abcdefgh1", "eyJ", "xapp-12345678", "\ud800", "验证码1234", "中"),
    *(f"{name}{'A1' * 12}" for name in ("eyJ", "AKIA", "ASIA", "AIza", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_")),
    *(f"{name}{'A1' * 12}" for name in ("glpat-", "xoxp-", "xapp-", "sk-", "sk_live_", "rk_test_", "pk_live_")),
]


def is_as_hidden(text: str) -> bool:
    """Return whether as much of *text* is hidden as where every pattern is tried on it."""
    verdicts = Verdicts(Redaction())
    quickly = hide_secrets(text, HARMLESS, verdicts, is_cut=True)
    with pytest.MonkeyPatch.context() as patch:
        for module in (patterns, digits, assignments):
            patch.setattr(module, "says", lambda *_: True)
        patch.setattr(texts, "_has_long_number", lambda _: True)
        return hide_secrets(text, HARMLESS, verdicts, is_cut=True) == quickly


@pytest.mark.parametrize("part", _PARTS, ids=ascii)
def test_a_pattern_that_is_not_tried_would_have_found_nothing(part: str) -> None:
    """Leaving out the patterns whose words a text does not have hides as much of it, in any case."""
    assert all(is_as_hidden(f"{before}{each}") for each in (part, part.swapcase()) for before in ("", "a "))


@given(st.lists(st.sampled_from([*_PARTS, " ", "\n", ":", ",", "-", "x"]), max_size=8))
def test_nor_would_it_have_in_any_mixture(parts: list[str]) -> None:
    """What stands beside what does not change that."""
    assert is_as_hidden("".join(parts))
