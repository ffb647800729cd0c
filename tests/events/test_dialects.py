"""The spellings of old: accepted everywhere, and written back."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from audit_async import AuditAction, events
from audit_async.events import Outcome, dialects
from audit_async.events.dialects import DIALECTS, LEGACY, spell, term_of
from audit_async.events.vocabulary import TERMS
from tests.shared import shared_file

PAIRS = [(name, spelling) for name, dialect in DIALECTS.items() for spelling in dialect.meanings]


def test_every_spelling_of_old_is_an_audit_action() -> None:
    """What a code base imported from its own enumeration is there under the same value."""
    assert sorted(LEGACY) == sorted(action.value for action in AuditAction)


@pytest.mark.parametrize("action", list(AuditAction))
def test_a_member_is_named_by_its_value(action: AuditAction) -> None:
    """A member has the name of its value in capitals, as in every enumeration of old."""
    assert (action.value.upper(), action.value) == (action.name, f"{action.value}")


@pytest.mark.parametrize("success", [None, True, False])
@pytest.mark.parametrize(("dialect", "spelling"), PAIRS)
def test_a_spelling_comes_back_in_its_dialect(dialect: str, spelling: str, success: bool | None) -> None:
    """An event gives back the very action that was passed, however it went."""
    event = events.custom(spelling, success=success)
    assert (spelling, True) == (event.legacy_action(dialect), event.action in TERMS)


@pytest.mark.parametrize(("dialect", "spelling"), PAIRS)
def test_a_spelling_costs_no_note_where_it_can_be_told(dialect: str, spelling: str) -> None:
    """The spelling is kept beside the event only where name and outcome do not lead back to it."""
    event = events.custom(spelling)
    told = all(
        spell(event.action, event.outcome, name) == spelling
        for name, each in DIALECTS.items()
        if each.is_open or spelling in each.meanings
    )
    assert ({} if told else {"$action": spelling}) == event.metadata


@pytest.mark.parametrize(
    ("spelled", "dialect", "expected"),
    [
        ("auth.login", "clawith", "login"),
        ("login_success", "enclava", "login"),
        ("login_failed", "enclava", "login"),
        ("sso_login_failed", "wecom", "sso_login"),
        ("role.assign", "clawith", "role_assign"),
        # Its actions were free text: what a caller wrote is what stood there.
        ("role_change", "clawith", "role_change"),
        ("role_assign", "wecom", "assign_role"),
        ("auth.login", "aether", "login_success"),
        ("config.change", "enclava", "system_config"),
        ("auth.password_reset", "wecom", "account_create_reset"),
        # A dialect without a word of its own takes another's, and the canonical name where there is none.
        ("budget.exceed", "clawith", "budget_exceed"),
        ("auth.lockout", "clawith", "auth.lockout"),
        # Nor does it lend a word that would be read as something else.
        ("auth.password_reset", "clawith", "auth.password_reset"),
        ("schedule_execute", "aether", "schedule_execute"),
        ("Weird Action!", "wecom", "Weird Action!"),
    ],
)
def test_one_system_reads_what_another_wrote(spelled: str, dialect: str, expected: str) -> None:
    """An event is written in the words of whichever table it goes to."""
    assert expected == events.custom(spelled).legacy_action(dialect)


def test_an_unknown_dialect_is_told_the_right_ones() -> None:
    """A dialect that there is not is the caller's slip."""
    with pytest.raises(ValueError, match="aether, clawith, desktop, enclava, wecom"):
        events.custom("a").legacy_action("klingon")


@pytest.mark.parametrize(
    ("spelled", "name", "outcome"),
    [
        ("login_failed", "auth.login", Outcome.FAILURE),
        ("request_failed", "api.request", Outcome.FAILURE),
        ("SSO_Login", "sso.login", None),
        ("supervision_tick", "supervision_tick", None),
        ("Weird Action!", "weird_action", None),
        ("", "unnamed", None),
    ],
)
def test_a_spelling_has_a_name(spelled: str, name: str, outcome: Outcome | None) -> None:
    """A spelling leads to its canonical name, and to the failure that it implies."""
    assert (name, outcome) == (term_of(spelled).name, term_of(spelled).outcome)


def test_a_large_action_is_not_remembered() -> None:
    """An action of a megabyte does not stay in memory."""
    term_of("x" * 1_000_000)
    assert max(map(len, dialects._seen)) < 2000


ENUMERATED = re.compile(r'^([A-Z_]+) = "([a-z_]+)"$', re.MULTILINE)


@pytest.mark.parametrize(
    ("seed", "dialect"), [("001_9b892a598d0d5538.txt", "enclava"), ("002_74884e08a3c91061.txt", "clawith")]
)
def test_the_enumerations_of_old_are_whole(seed: str, dialect: str) -> None:
    """Every member that the code of old enumerates is one of its dialect."""
    text = _dedented(shared_file(f"seeds/{seed}"))
    members = {value for name, value in ENUMERATED.findall(text) if name == value.upper() and value not in _SEVERITIES}
    assert members == set(DIALECTS[dialect].meanings)


@pytest.mark.parametrize(
    ("seed", "dialect", "words"),
    [
        ("000_eb650c5769f472e8.txt", "aether", r"AuditEventType\.([A-Z_]+)"),
        ("003_c88af409c4462729.txt", "desktop", r'"kind": "(\w+)"'),
        ("004_d121542df9296421.txt", "wecom", r'"(\w+)" / |/ "(\w+)"'),
    ],
)
def test_the_actions_named_in_code_of_old_are_known(seed: str, dialect: str, words: str) -> None:
    """Every action that the code of old names is one of its dialect."""
    found = re.findall(words, _dedented(shared_file(f"seeds/{seed}")))
    names = {"".join(each).lower() for each in found} - _OF_OTHER_FIELDS
    assert (set(), True) == (names - set(DIALECTS[dialect].meanings), bool(names))


_SEVERITIES = {"low", "medium", "high", "critical"}
_OF_OTHER_FIELDS = {"success", "failure", "partial", "agent", "conversation", "system_config", "role", "user_role"}


def _dedented(path: Path) -> str:
    return "\n".join(line.strip() for line in path.read_text().splitlines())
