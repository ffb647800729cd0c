from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit_async.text import clean_text, ends_of_text, short_text, text_of_bytes, truncated


def test_a_text_cut_in_its_middle_keeps_both_ends() -> None:
    """Of a long message the first and the last words stay, within the limit, and the note is between them."""
    text = ends_of_text("first " + "é" * 5000 + " last", 200)
    assert (200, "first ", " last") == (len(text), text[:6], text[-5:])
    assert "…[truncated: 10011 bytes, sha256 " in text


def test_no_word_loses_its_beginning() -> None:
    """The end of a long message begins with a whole word: half of a secret would not be known for one."""
    words = " ".join(["hunter2"] * 500)
    found = {ends_of_text(words, limit).partition("]… ")[2].split()[0] for limit in range(150, 160)}
    assert {"hunter2"} == found


@pytest.mark.parametrize("cut", [short_text, ends_of_text])
@pytest.mark.parametrize("limit", [1, 60, 100])
def test_a_cut_text_stays_within_its_limit(cut: Callable[[str, int], str], limit: int) -> None:
    """The note of a cut text is within the limit too, unless there is no room for it."""
    assert len(cut("é" * 5000, limit)) == max(limit, len(cut("é" * 5000, 0)))


def test_the_size_of_a_text_that_is_not_read_to_its_end_is_told() -> None:
    """Of a text beyond the limit of hashing the bytes are known where a letter is one, and how many were hashed."""
    assert (200_000, 65_536) == (truncated("x" * 200_000, 10)["bytes"], truncated("x" * 200_000, 10)["hashed"])
    assert "over 131072" == truncated("é" * 200_000, 10)["bytes"]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"abc", "abc"),
        ("审".encode(), "审"),
        (b"Caf\xe9", "Café"),
        (b"a\r\n\tb", "a\r\n\tb"),
        (b"\0", None),
        (b"\x89PNG", None),
    ],
)
def test_bytes_that_are_text_are_read_as_such(data: bytes, expected: str | None) -> None:
    """Bytes are text in UTF-8, or in latin-1 as headers are, unless they hold control characters."""
    assert expected == text_of_bytes(data)


@given(st.text(st.characters()))
def test_clean_text_can_be_stored(text: str) -> None:
    """A cleaned text is valid UTF-8 and has no NUL."""
    assert "\0" not in clean_text(text).encode().decode()
