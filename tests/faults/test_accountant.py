"""The accountant finds everything that can be wrong: what cannot fail proves nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.faults.accountant import Account
from tests.faults.ledger import Ledger, details_of, event_of, read_ledgers


def row(number: int, *, seq: int | None = None, **others: Any) -> dict[str, Any]:
    return {
        "id": f"id-{number}",
        "writer_id": "w",
        "writer_seq": number + 1 if seq is None else seq,
        "action": "report.print",
        "user_id": event_of(number).user_id,
        "details": details_of(number),
        **others,
    }


def account(tmp_path: Path, rows: list[dict[str, Any]], refused: tuple[int, ...] = ()) -> Account:
    """Draw up the account of three events, of which callers were told all but those *refused*."""
    with Ledger(tmp_path / "told") as ledger:
        ledger.tell("called", 0, 1, 2)
        ledger.tell("refused", *refused)
        ledger.tell("logged", *(number for number in range(3) if number not in refused))
    return Account.of(read_ledgers([tmp_path / "told"]), rows)


def test_what_adds_up_balances(tmp_path: Path) -> None:
    """Each event once, and others in between, are in order."""
    found = account(tmp_path, [row(0), row(1), row(2), row(3, action="audit.gap")])
    assert found.balances
    assert (found.called, found.accepted, found.stored) == (3, 3, 3)


@pytest.mark.parametrize(
    ("wrong", "rows"),
    [
        ("lost", [row(0), row(1)]),
        ("duplicates", [row(0), row(1), row(2), row(2, seq=4, id="id-other")]),
        ("altered", [row(0), row(1), row(2, details={**details_of(2), "proof": "0"})]),
        ("altered", [row(0), row(1), row(2, user_id="user-0x")]),
        ("invented", [row(0), row(1), row(2), row(3)]),
        ("gaps", [row(0), row(1), row(2, seq=4)]),
    ],
)
def test_what_is_wrong_is_found(wrong: str, rows: list[dict[str, Any]], tmp_path: Path) -> None:
    """One event lost, stored twice, altered, made up or missing in the numbering is one in the account."""
    found = account(tmp_path, rows)
    assert getattr(found, wrong) == 1
    assert not found.balances


def test_a_refused_event_must_not_arrive(tmp_path: Path) -> None:
    """An event that was refused and is in the table all the same is made up."""
    assert account(tmp_path, [row(0), row(1), row(2)], refused=(2,)).invented == 1
    (tmp_path / "other").mkdir()
    assert account(tmp_path / "other", [row(0), row(1)], refused=(2,)).balances


def test_a_line_without_an_end_is_no_promise(tmp_path: Path) -> None:
    """Who was killed while he wrote that he was told had not been told."""
    (tmp_path / "told").write_bytes(b"called 1\nlogged 1\ncalled 2\nlogged 2")
    told = read_ledgers([tmp_path / "told"])
    assert (told.called, told.promised) == ({1, 2}, {1})
