from __future__ import annotations

import re

import pytest

from tests.children import ROOT
from tests.nasty.listing import CASES, ELSEWHERE

NOTES = ROOT.parent / "shared" / "RELIABILITY.md"


def test_every_number_has_its_test() -> None:
    """Each of the 78 inputs is a case here or is named with the file that tests it, and none is both."""
    numbers = {case.number for case in CASES}
    assert (set(range(1, 79)), set()) == (numbers | ELSEWHERE.keys(), numbers & ELSEWHERE.keys())


def test_a_file_that_is_named_is_there() -> None:
    """A number that is said to be tested beside this file is tested in a file that exists."""
    here = {where.partition(":")[0] for where in ELSEWHERE.values() if not where.startswith("tests/")}
    assert [] == [name for name in here if not (ROOT / "tests" / "nasty" / name).is_file()]


@pytest.mark.skipif(not NOTES.is_file(), reason="the notes are not part of the package")
def test_the_notes_list_no_other_number() -> None:
    """The list that the cases come from has exactly these numbers."""
    assert list(range(1, 79)) == [int(n) for n in re.findall(r"^\| N(\d+) \|", NOTES.read_text(), re.MULTILINE)]
