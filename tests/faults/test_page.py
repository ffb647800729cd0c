"""The page on reliability says what the bank does, and names no proof that is not there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.faults.catalog import FAULTS
from tests.faults.page import NUMBER, matrix, parts, proofs

ROOT = Path(__file__).parent.parent.parent


def test_the_matrix_is_the_bank_s() -> None:
    """The table on the page is what `python -m tests.faults.page` writes."""
    assert parts()[1] == matrix()


@pytest.mark.parametrize(("promise", "said"), proofs())
def test_a_promise_is_proven_by_what_is_there(promise: str, said: str) -> None:
    """Every fault and every file that is said to prove a promise exists, and there is at least one."""
    named = set(NUMBER.findall(said))
    files = re.findall(r"`((?:tests|scripts)/[^`]*)`", said)
    assert named | set(files) or said.lstrip().startswith("all")
    assert named <= {fault.number for fault in FAULTS}, promise
    assert [name for name in files if not (ROOT / name).exists()] == []


def test_every_promise_has_its_line() -> None:
    """None of the promises that this version makes is left out."""
    assert [int(promise[1:]) for promise, _ in proofs()] == [*range(1, 14), *range(15, 20), 25]
