"""The vocabulary: every row of it, as `tests/data/vocabulary.tsv` has it."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest

from audit_async import events
from audit_async.events import AuditEvent, Category, Outcome, Severity
from audit_async.events.catalogue import builder_of
from audit_async.events.families import BUILDERS
from audit_async.events.vocabulary import FAMILY_CATEGORY, TERMS, family_of
from tests.shared import shared_file

with (Path(__file__).parent.parent / "data" / "vocabulary.tsv").open() as file:
    ROWS = list(csv.DictReader(file, delimiter="\t"))


def weighed(event: AuditEvent) -> tuple[str, str, str]:
    return event.action, event.category, event.severity


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["action"])
def test_every_action_is_known_by_its_weight(row: dict[str, str]) -> None:
    """An action has the category of its row, and the severity of how it went."""
    name, category = row["action"], row["category"]
    assert (name, category, row["severity"]) == weighed(events.custom(name, success=True))
    assert (name, category, row["severity_failed"]) == weighed(events.custom(name, success=False))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["action"])
def test_every_action_is_reached_through_its_family(row: dict[str, str]) -> None:
    """The builder of an action's family gives it the same weight as `custom` does."""
    build = BUILDERS[builder_of(TERMS[row["action"]])]
    assert (row["action"], row["category"], row["severity"]) == weighed(build(row["action"], success=True))
    assert (row["action"], row["category"], row["severity_failed"]) == weighed(build(row["action"], success=False))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["action"])
def test_every_action_has_its_ocsf_class(row: dict[str, str]) -> None:
    """Class and activity are those of the row, and their number is made of both."""
    ocsf = TERMS[row["action"]].ocsf
    assert ocsf is not None
    assert (row["ocsf"], row["type_uid"]) == (f"{ocsf[0]}/{ocsf[1]}", str(ocsf[0] * 100 + ocsf[1]))


def test_there_are_no_other_actions() -> None:
    """The vocabulary has the rows of the table, in its order."""
    assert [row["action"] for row in ROWS] == list(TERMS)


def test_the_table_is_the_one_agreed_on() -> None:
    """The rows of the test are those of the document that the vocabulary was agreed on in."""
    text = shared_file("VOCABULARY.md").read_text()
    agreed = []
    for line in text.splitlines():
        if line.startswith("| `"):
            name, _, category, severities, ocsf = (cell.strip() for cell in line.strip("|").split("|")[:5])
            found = re.match(r"(\d+/\d+) .*\((\d+)\)", ocsf)
            assert found is not None
            agreed.append((name.strip("`"), category, *severities.split("/"), *found.groups()))
    assert agreed == [tuple(row.values()) for row in ROWS]


@pytest.mark.parametrize(
    ("action", "success", "outcome"),
    [
        ("auth.login", None, Outcome.SUCCESS),
        ("auth.login", False, Outcome.FAILURE),
        ("security.unauthorized_access", None, Outcome.DENIED),
        ("security.unauthorized_access", False, Outcome.DENIED),
        ("security.event", None, Outcome.FAILURE),
        ("security.event", True, Outcome.SUCCESS),
        ("api.rate_limited", None, Outcome.DENIED),
        ("anything", None, Outcome.SUCCESS),
    ],
)
def test_what_is_usual_is_assumed(action: str, success: bool | None, outcome: Outcome) -> None:
    """Where nothing is said of it, an action went as it usually does."""
    assert outcome is events.custom(action, success=success).outcome


@pytest.mark.parametrize(
    ("action", "family", "category"),
    [
        ("schedule_execute", "custom", Category.SYSTEM),
        ("role.rename", "role", Category.ACCESS),
        ("data.archive", "data", Category.DATA),
        ("budget.close", "budget", Category.FINANCIAL),
        ("order.paid", "order", Category.SYSTEM),
    ],
)
def test_an_unknown_action_is_of_the_family_before_its_dot(action: str, family: str, category: Category) -> None:
    """A free-form action is legal, and weighs little."""
    event = events.custom(action)
    assert (family, category, Severity.LOW) == (event.family, event.category, event.severity)


def test_every_family_has_a_usual_category() -> None:
    """No family of the vocabulary falls back to `system` by accident."""
    assert {family_of(name) for name in TERMS} == set(FAMILY_CATEGORY)
