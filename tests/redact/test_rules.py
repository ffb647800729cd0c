"""What an application adds to the built-in rules."""

from __future__ import annotations

import re
from typing import Any

import pytest

from audit_async import AuditEvent, events
from audit_async.errors import ConfigurationError
from audit_async.redact import REDACTED, Redaction, Redactor, read_redaction
from audit_async.redact.rules import KEY_VARIABLE

KEY = "k" * 32


def redacted(rules: Redaction, action: str = "a", **fields: Any) -> AuditEvent:
    return Redactor(rules).redact(events.custom(action, **fields))


@pytest.fixture(autouse=True)
def no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(KEY_VARIABLE, raising=False)


@pytest.mark.parametrize("key", ["IBAN", "user_iban", "userIban", "userIBAN", "ｉｂａｎ", "iban_2", "user.íban"])
def test_a_key_of_one_s_own_matches_at_a_word(key: str) -> None:
    """However it is written, and whatever stands before it."""
    assert {key: REDACTED, "caliban": "x"} == redacted(
        Redaction(keys=["iban"]), details={key: "x", "caliban": "x"}
    ).details


@pytest.mark.parametrize("key", ["taxNumber", "tax-number", "TAXNUMBER", "old_tax_number"])
def test_a_key_of_several_words_matches_as_well(key: str) -> None:
    """The words of a key are compared together."""
    assert {key: REDACTED, "number": 1} == redacted(
        Redaction(keys={"tax_number"}), details={key: "x", "number": 1}
    ).details


def test_a_key_may_be_a_field() -> None:
    """A field of the event that is named in full is removed; other ids with the same ending are not."""
    event = redacted(Redaction(keys={"user_agent", "id"}), user_agent="x", user_id="u1")
    assert (REDACTED, "u1") == (event.user_agent, event.user_id)


def test_kept_keys_are_no_secrets() -> None:
    """A key that is kept wins over the built-in list and the look of its value; no other key does for it."""
    rules = Redaction(keep={"page_token", "account"})
    details = {"pageToken": "eyJhbGciOiJIUzI1NiJ9.x.y", "account": "4111111111111111"}
    assert details == redacted(rules, details=details).details
    assert {"next_page_token": REDACTED} == redacted(rules, details={"next_page_token": "x"}).details


@pytest.mark.parametrize("pattern", [r"KD-\d+", re.compile("kd-[0-9]+", re.IGNORECASE)])
def test_patterns_are_removed_from_every_text(pattern: Any) -> None:
    """What a pattern matches goes from values, keys and texts, at any depth; ids are left alone."""
    event = redacted(
        Redaction(patterns=[pattern]),
        details={"a": [{"KD-1": "x KD-23"}]},
        description="KD-4",
        tags="KD-5",
        user_id="KD-6",
    )
    assert [{REDACTED: f"x {REDACTED}"}] == event.details["a"]
    assert (REDACTED, (REDACTED,), "KD-6") == (event.description, event.tags, event.user_id)


def test_a_rule_is_asked_for_every_leaf() -> None:
    """Each value of the objects and each text comes with its key; what built-in rules remove by key does not."""
    asked: list[tuple[str, Any]] = []

    def rule(key: str, value: Any) -> Any:
        asked.append((key, value))
        return value

    event = events.custom(
        "a", details={"n": [1, {"b": None}], "pwd": "x"}, new_values={"c": True}, description="d", tags="t"
    )
    changed = Redactor(Redaction(rule=rule)).redact(event)
    assert [("n", 1), ("b", None), ("c", True), ("description", "d"), ("tags", "t")] == asked
    assert {"n": [1, {"b": None}], "pwd": REDACTED} == changed.details


@pytest.mark.parametrize(
    ("returned", "kept"),
    [
        ("y", "y"),
        (None, None),
        (7, 7),
        ({"password": "p", "a": {1}}, {"password": REDACTED, "a": [1]}),
        ("Bearer abc", f"Bearer {REDACTED}"),
        (object(), {"$type": "builtins.object"}),
    ],
)
def test_what_a_rule_returns_is_plain_and_redacted(returned: object, kept: object) -> None:
    """Whatever a rule returns is made plain, and the built-in rules hold for it."""
    assert {"a": kept} == redacted(Redaction(rule=lambda key, value: returned), details={"a": "x"}).details


def test_a_rule_s_text_stays_a_text() -> None:
    """What a rule makes of a field fits into the field."""
    event = redacted(Redaction(rule=lambda key, value: {"password": value}), description="x", user_agent="y")
    assert ('{"password":"[redacted]"}', '{"password":"[redacted]"}') == (event.description, event.user_agent)


def test_a_rule_that_fails_removes_its_value() -> None:
    """The value on which a rule raises is removed and counted; the others stay."""
    redactor = Redactor(Redaction(rule=lambda key, value: value + 1))
    event = redactor.redact(events.custom("a", details={"a": "hunter2", "b": 1}))
    assert ({"a": "[redacted: rule failed]", "b": 2}, 1) == (event.details, redactor.failed)


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, type("CancelledError", (BaseException,), {})])
def test_what_is_meant_for_the_program_passes(error: type[BaseException]) -> None:
    """An interrupt in a rule is not taken for its failure, and the next event is redacted as ever."""

    def rule(key: str, value: Any) -> Any:
        if value == 1:
            raise error
        return value

    redactor = Redactor(Redaction(rule=rule))
    with pytest.raises(error):
        redactor.redact(events.custom("a", details={"a": 1}))
    assert ({"a": 2}, 0) == (redactor.redact(events.custom("a", details={"a": 2})).details, redactor.failed)


@pytest.mark.parametrize("action", ["api.request", "conversation.resolve", "conversation"])
def test_bodies_are_dropped(action: str) -> None:
    """Of an action whose bodies are never kept, old and new values and what somebody wrote go; numbers stay."""
    rules = Redaction(drop_bodies={"api.request", "conversation.*"})
    details = {"requestBody": "x", "messages": [{"a": 1}], "n": {"prompt": "y"}, "message_id": "m", "content": 3}
    event = redacted(rules, action, details=details, new_values={"a": 1})
    gone = "[redacted: body]"
    assert {**details, "requestBody": gone, "messages": gone, "n": {"prompt": gone}} == event.details
    assert ({"$redacted": gone}, None) == (event.new_values, event.old_values)


@pytest.mark.parametrize(
    ("given", "made"),
    [
        ("usage", events.usage("api.request", prompt="x", model="m")),
        ("api_request", events.api_request("request_failed", details={"prompt": "x"})),
        ("api_request", events.api_request("api.rate_limited", details={"prompt": "x"})),
        ("data_change", events.data_change("update", details={"prompt": "x"})),
        ("org_sync", events.org_sync("org.member_update", details={"prompt": "x"})),
        ("resolve_conversation", events.conversation("conversation.resolve", details={"prompt": "x"})),
        ("use_log", events.usage("api.request", prompt="x")),
        ("Conversation", events.conversation("conversation.summarise", details={"prompt": "x"})),
        ("custom", events.custom("schedule_execute", details={"prompt": "x"})),
        ("order.paid", events.custom("Order.Paid", details={"prompt": "x"})),
        ("order-line.*", events.custom("order-line.paid", details={"prompt": "x"})),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_bodies_are_dropped_by_every_name(given: str, made: AuditEvent) -> None:
    """Builders, families, canonical actions, old spellings and an application's own actions are all understood."""
    event = Redactor(Redaction(drop_bodies={given})).redact(made)
    assert "[redacted: body]" == event.details["prompt"]


@pytest.mark.parametrize("action", ["data.export", "data.import"])
def test_a_change_is_no_export(action: str) -> None:
    """`data_change` means the actions of that builder, and not all of their family."""
    event = redacted(Redaction(drop_bodies={"data_change"}), action, details={"prompt": "x"})
    assert {"prompt": "x"} == event.details


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("conversatio", "did you mean 'conversation'"),
        ("api.requets", "did you mean 'api.request'"),
        ("api_requests", "did you mean 'api_request'"),
        ("conversation.summarise", "which is no action"),
        ("schedule_execute", "'custom' for all that have no dot"),
        ("system", "which is no action"),
        ("api.req*", "did you mean 'api.request'"),
    ],
)
def test_a_slip_in_an_action_is_answered(given: str, said: str) -> None:
    """A name that would never drop anything is an error, and the message says what may have been meant."""
    with pytest.raises(ConfigurationError, match=said):
        Redaction(drop_bodies={given})


def test_bodies_of_other_actions_stay() -> None:
    """An action that is not named keeps its bodies."""
    event = redacted(Redaction(drop_bodies={"api.request", "conversation"}), "api.request_more", details={"body": "x"})
    assert {"body": "x"} == event.details


def test_the_texts_obey_as_well() -> None:
    """An address that is pseudonymised is so in every text, whether an object told it before or not."""
    rules = Redaction(pseudonymise={"email"}, pseudonym_key=KEY)
    joe, ann = rules.pseudonym("joe@example.com"), rules.pseudonym("ann@example.com")
    event = redacted(
        rules, details={"email": "joe@example.com"}, description="Login attempt for Joe@example.com, ann@example.com."
    )
    assert f"Login attempt for {joe}, {ann}." == event.description


def test_a_name_goes_from_the_texts_as_a_word() -> None:
    """A pseudonymised name is replaced in texts where it is a word of its own, in any case."""
    rules = Redaction(pseudonymise={"actor_name", "login"}, pseudonym_key=KEY)
    event = redacted(rules, actor_name="Ann", details={"login": "joe"}, error_message="no ANN, joe; joel, annex")
    ann, joe = rules.pseudonym("ann"), rules.pseudonym("joe")
    assert (ann, f"no {ann}, {joe}; joel, annex") == (event.actor_name, event.error_message)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"patterns": ["("]}, "cannot be used"),
        ({"patterns": ["x*"]}, "there is nothing"),
        ({"patterns": [re.compile(b"x")]}, "for bytes"),
        ({"patterns": 5}, "no collection"),
        ({"rule": 5}, "no plain function"),
        ({"keys": [5]}, "no key"),
        ({"keys": ["--"]}, "no key"),
        ({"drop_bodies": ["*"]}, "no action"),
        ({"mask_ip": "yes"}, "True nor False"),
        ({"pseudonymise": {"email"}}, KEY_VARIABLE),
        ({"pseudonymise": {"email"}, "pseudonym_key": 5}, "text or bytes"),
        ({"pseudonym_key": "k" * 15}, "has 15 bytes.*\n.*openssl rand -hex 32"),
        (lambda value: value, "does not take two arguments"),
        ({"rule": lambda key, value, *, how: value}, "does not take two arguments"),
        ({"key": ["iban"]}, "did you mean 'keys'"),
        (5, "no redaction"),
    ],
)
def test_what_cannot_be_meant_is_answered(wrong: object, said: str) -> None:
    """A wrong rule is an error when it is given, and says what to give."""
    with pytest.raises(ConfigurationError, match=said):
        read_redaction(wrong)


def test_a_coroutine_function_is_no_rule() -> None:
    """A rule cannot be awaited in `log()`."""

    async def rule(key: str, value: Any) -> Any:
        return value

    with pytest.raises(ConfigurationError, match="no plain function"):
        Redaction(rule=rule)


@pytest.mark.parametrize(
    "rule", [lambda key, value: value, lambda *both: both[1], lambda key, value, how=1: value, max, dict.get]
)
def test_whatever_takes_key_and_value_is_a_rule(rule: Any) -> None:
    """Optional arguments and starred ones do no harm, and what cannot say what it takes is trusted."""
    assert rule is Redaction(rule=rule).rule


def test_rules_are_values() -> None:
    """Equal rules are equal, whatever kind of collection they came in, and never show their key."""
    one, other = Redaction(keys=["a-b"], pseudonym_key=KEY), Redaction(keys={"aB"}, pseudonym_key=KEY.encode())
    assert (one, hash(one), True) == (other, hash(other), KEY not in repr(one))


def test_the_key_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a key in the rules, `AUDIT_PSEUDONYM_KEY` is taken."""
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    assert Redaction(pseudonym_key=KEY).pseudonym(42) == Redaction(pseudonymise={"email"}).pseudonym("42")


def test_a_short_key_in_the_environment_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """It counts where it is needed; rules without pseudonyms do not look at it."""
    monkeypatch.setenv(KEY_VARIABLE, "short")
    assert Redaction(keys={"iban"}).keys
    for use in (lambda: Redaction(pseudonymise={"email"}), lambda: Redaction().pseudonym(42)):
        with pytest.raises(ConfigurationError, match="has 5 bytes"):
            use()


def test_rules_come_in_three_forms() -> None:
    """A mapping, as from a file, and a function alone are rules too."""

    def rule(key: str, value: Any) -> Any:
        return value

    assert Redaction(keys={"iban"}, mask_ip=True) == read_redaction({"keys": ["iban"], "mask_ip": True})
    assert (Redaction(rule=rule), None) == (read_redaction(rule), read_redaction(None))
