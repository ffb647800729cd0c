"""`audit-async show`: everything of one event."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from audit_async import events
from audit_async.cli.show import lines
from tests.shared import shared_file
from tests.table_map.test_ready_all import ONE_OF_EACH
from tests.terminal import HOSTILE, SHOWN, at_terminal, filled_file, here, hostile

WHOLE = events.custom("order.paid", **ONE_OF_EACH)
CHANGE = events.data_change(
    "data.update",
    tenant_id="t-1",
    old_values={"limit": 5, "name": "a", "same": [1], "gone": None},
    new_values={"limit": 7, "name": None, "same": [1], "come": {"x": "é"}},
    details={"why": {"ticket": 17, "text": "line\nline"}},
)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A SQLite file with an event that has everything, a change, and a hostile one."""
    return filled_file(tmp_path_factory.mktemp("log") / "audit.db", [WHOLE, CHANGE, hostile("t-1")])


def missing(shown: str, event: dict[str, Any]) -> list[str]:
    """Return the fields of *event* whose value is not in what is *shown* of it."""
    return [name for name, value in event.items() if value not in (None, {}, []) and not _is_in(shown, name, value)]


def _is_in(shown: str, name: str, value: Any) -> bool:
    if name in ("old_values", "new_values", "tags", "success"):
        return True
    if isinstance(value, dict):
        # One block under a heading of its own, which is JSON.
        return bool(json.loads(shown.partition(f"\n{name.title()}\n")[2].partition("\n\n")[0]) == value)
    if name in ("created_at", "recorded_at"):
        return value.rstrip("Z").replace("T", " ") in shown
    told = re.escape(str(value))
    # What stands in the head needs no name.
    is_above = name in ("action", "outcome", "severity", "category", "description")
    return re.search(told if is_above else rf"^  {name} +{told}$", shown, re.MULTILINE) is not None


def test_every_field_is_shown(url: str) -> None:
    """No field of an event is missing, neither its place in the log nor what is in its objects."""
    done = here("show", url, WHOLE.id, "--all-tenants")
    assert (0, "") == (done.returncode, done.stderr)
    parsed = json.loads(here("show", url, WHOLE.id, "--all-tenants", "--json").stdout)
    assert parsed["writer_seq"] is not None
    assert [] == missing(done.stdout, parsed)
    assert f"  {', '.join(WHOLE.tags)}\n" in done.stdout
    told = {**(WHOLE.old_values or {}), **(WHOLE.new_values or {})}
    assert [] == [name for name in told if name not in done.stdout.partition("Change")[2].partition("\n\n")[0]]


def test_a_change_is_shown_as_old_and_new(url: str) -> None:
    """What changed has both values, what came or went has one, and details are laid out."""
    shown = here("show", url, CHANGE.id, "--tenant", "t-1").stdout
    for line in ("limit  5 -> 7", 'name   "a" -> null', "gone   null -> nothing", 'come   nothing -> {"x":"é"}'):
        assert f"  {line}\n" in shown
    assert "same   [1] (as before)" in shown
    assert '    "why": {\n      "ticket": 17,\n      "text": "line\\nline"\n    }' in shown


def test_names_of_a_change_are_a_column() -> None:
    """Those that are longer than ours, too; one that is longer than a column stands out alone."""
    names = ("a", "TargetId.ServicePrincipalNames", "x" * 40)
    shown = [line.plain for line in lines(events.custom("x.y", new_values=dict.fromkeys(names, 1)))]
    at = [line.index("nothing") for line in shown if "nothing" in line]
    assert [34, 34, 44] == at


def test_only_what_may_be_seen_is_shown(url: str) -> None:
    """Of another tenant's event it is said that there is none; the others are shown; exit code 1."""
    other = here("show", url, CHANGE.id, "--tenant", "t-2")
    assert (1, "", True) == (other.returncode, other.stdout, f"No event {CHANGE.id} is there, of t-2" in other.stderr)
    both = here("show", "--url", url, "nonsense", CHANGE.id, "--all-tenants", "--json")
    assert (1, CHANGE.id) == (both.returncode, json.loads(both.stdout)["id"])
    assert 2 == here("show", url, "--all-tenants").returncode
    assert 2 == here("show", url, CHANGE.id).returncode


def test_what_others_wrote_commands_no_terminal(url: str) -> None:
    """Every text of a hostile event is shown as letters, and its JSON is read back as it was."""
    name = json.loads(here("search", url, "--tenant", "t-1", "--limit", 1, "--json").stdout)["id"]
    shown = here("show", url, name, "--tenant", "t-1").stdout
    assert (True, True) == (shown.replace("\n", "").isprintable(), shown.count(SHOWN) > 10)
    assert not re.search(r"^\[bold\]", shown, re.MULTILINE)
    parsed = json.loads(here("show", url, name, "--tenant", "t-1", "--json").stdout)
    assert ({HOSTILE: [HOSTILE]}, HOSTILE) == (parsed["new_values"], parsed["user_agent"])


def test_long_texts_are_shown_whole() -> None:
    """A list may shorten a text, and says so; here is all of it."""
    event = events.custom("a", description="d" * 3000, error_message="e" * 3000, details={"x": "y" * 3000})
    shown = "\n".join(line.plain for line in lines(event))
    assert [3000, 3000, 3000] == [max(map(len, re.findall(f"{letter}+", shown))) for letter in "dey"]


def test_a_terminal_gets_colours(url: str) -> None:
    """The old value is red and the new one green."""
    shown = at_terminal(80, "show", url, CHANGE.id, "--all-tenants")
    assert "\x1b[31m5\x1b[0m -> \x1b[32m7\x1b[0m" in shown


def test_real_records_are_shown_whole() -> None:
    """Of every real record every value is on the screen, without a character that a terminal obeys."""
    from scripts.demo_parts.mapping import event_of
    from scripts.demo_parts.records import read_records

    for record in read_records(shared_file("data/m365_identity_events.jsonl"), rounds=1):
        event = event_of(record)
        shown = "\n".join(line.plain for line in lines(event))
        assert ([], True) == (missing(shown, event.to_dict()), shown.replace("\n", "").isprintable())


def test_help_shows_how(url: str) -> None:
    """A newcomer finds an example that is a command."""
    for command in ("search", "show", "count", "top", "behavior", "suspicious"):
        shown = here(command, "--help").stdout
        assert re.search(rf"^ *audit-async {command} URL .*--(tenant|all-tenants)", shown, re.MULTILINE), command
        assert all(word in shown for word in ("--all-tenants", "--no-tenant", "--json", "Exit codes: 0"))
