"""The quick look says nothing that the sweep would not say."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit_async import AuditEvent, events
from audit_async.redact import REDACTED, Redaction, Redactor, redact
from audit_async.redact import look as module
from audit_async.redact.look import Look, LookCloserError
from audit_async.redact.masks import BODY_DROPPED
from audit_async.redact.sweep import Sweep
from audit_async.redact.verdicts import Verdicts
from tests.redact.shapes import SHAPES

TEXT_FIELDS = [
    *("description", "actor_type", "actor_id", "actor_name", "on_behalf_of", "user_id", "agent_id", "api_key_id"),
    *("tenant_id", "organization_id", "resource_type", "resource_id", "ip_address", "user_agent", "session_id"),
    *("request_id", "trace_id", "span_id", "error_message", "action", "writer_id"),
]
VERDICTS = Verdicts(Redaction())
LOOK = Look(VERDICTS)
CARD = 4111111111111111

names = st.sampled_from(
    [
        *("a", "password", "token", "email", "name", "key", "header", "value", "changed", "headers", "columns"),
        *(
            "user_id",
            "session_id",
            "session-id",
            "sessionid",
            "tokens",
            "id_token",
            "$bytes",
            "$truncated",
            "$redacted",
        ),
        *("text", "x=1", "2fa", "order", "ip", "on by"),
    ]
)
texts = st.sampled_from(
    [
        *SHAPES,
        *("", " ", "abc", "hunter2", "password", "phone", "code", "status", "123456", "2026-11-25T17:32:02Z", "::1"),
        *("2001:db8::1", "192.0.2.17", "--password", "x --token y", "-----", REDACTED, BODY_DROPPED, str(CARD), "[1]"),
        *("xox", "glpat-", "ghp_", "k_live_", "cHdkPWh1bnRlcjI=", "order code=123456", "token: expired", "Q=", "4111 "),
    ]
)
scalars = texts | st.sampled_from([None, True, 0, 1.5, CARD, CARD + 1, 10**18])
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(names, inner).map(list)
        | st.dictionaries(names, inner, max_size=4)
        | st.fixed_dictionaries({"name": names, "value": inner})
        | st.fixed_dictionaries({"$bytes": texts})
        | st.fixed_dictionaries({"$truncated": st.just(True), "text": texts})
    ),
    max_leaves=8,
)
objects = st.dictionaries(names, values, max_size=4)


@st.composite
def made(draw: st.DrawFn) -> AuditEvent:
    fields: dict[str, Any] = draw(
        st.fixed_dictionaries(
            {"details": objects},
            optional={
                **dict.fromkeys(("metadata", "old_values", "new_values"), objects),
                **dict.fromkeys(TEXT_FIELDS, texts),
                "tags": st.lists(texts, max_size=2).map(tuple),
            },
        )
    )
    return msgspec.structs.replace(events.custom("a"), **fields)


@given(made())
def test_the_quick_look_says_what_the_sweep_says(event: AuditEvent) -> None:
    """The quick look, where it answers, says what the sweep says: over objects, markers, header pairs, named values and
    all fields.
    """
    try:
        answered = LOOK.at(event)
    except LookCloserError:
        return
    assert Sweep(VERDICTS, drops_bodies=False, call_rule=None).over(event) == answered


@pytest.mark.parametrize("field", TEXT_FIELDS)
@pytest.mark.parametrize(
    "redactor", [Redactor(), Redactor(Redaction(patterns=["never-there"]))], ids=["quick", "sweep"]
)
def test_every_field_is_looked_at(field: str, redactor: Redactor) -> None:
    """A token in any field, even where it stands alone, is hidden: a request's id comes from a client's header."""
    event = msgspec.structs.replace(events.custom("a"), **{field: "Bearer abcdefghij"})
    assert f"Bearer {REDACTED}" == getattr(redactor.redact(event), field)


@pytest.mark.parametrize("address", ["192.0.2.17", "2001:db8::1", "::1", "fe80::1%eth0", "::", "2001:db8:1:2:3:4:5:6"])
def test_an_address_is_no_clue(address: str) -> None:
    """The colons of an address do not make the quick look give up."""
    assert address == LOOK.at(events.custom("a", ip_address=address)).ip_address


@pytest.mark.parametrize("field", ["user_id", "resource_id", "request_id", "tenant_id"])
def test_an_id_of_digits_is_no_clue(field: str) -> None:
    """An id that might be the number of a card is none, and costs no closer look."""
    assert str(CARD) == getattr(LOOK.at(events.custom("a", **{field: str(CARD)})), field)


def test_who_was_seen_before_is_not_trusted_with_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """People and programs once found harmless are few enough to remember, and say nothing of the other fields."""
    monkeypatch.setattr(module, "CONTEXT_SPELLINGS", 3)
    look = Look(VERDICTS)
    for number in range(10):
        who = {"user_id": f"u{number}", "user_agent": f"Browser {number}"}
        assert "r1" == look.at(events.custom("a", request_id="r1", **who)).request_id
        assert len(look._known) <= 4
        with pytest.raises(LookCloserError):
            look.at(events.custom("a", request_id="Bearer abcdefghij", **who))
        with pytest.raises(LookCloserError):
            look.at(events.custom("a", **{**who, "user_id": "Bearer abcdefghij"}))


def test_what_is_marked_stays_marked() -> None:
    """The quick look, too, leaves the mark that an earlier one set."""
    event = events.custom("a", details={"password": BODY_DROPPED})
    assert redact(event) is event
