"""What is not seen has no place in a line, whichever format it is of."""

from __future__ import annotations

import json
import sys

import msgspec
import pytest

from audit_async.exports.lines import one_line_json, visible
from tests.exports.samples import is_unseen, line_of, whole_event

EVERY = [chr(code) for code in range(sys.maxunicode + 1)]
UNSEEN = [each for each in EVERY if is_unseen(each)]


def test_what_is_not_seen_is_an_escape_and_nothing_else_is() -> None:
    """Control and format characters, ends of lines, halves of characters, and letters of which nothing is drawn."""
    changed = {each for each in EVERY if visible(each) != each}
    # Of a block for such characters those without a meaning yet are escaped as well.
    reserved = {chr(code) for code in (*range(0xE0000, 0xE0080), *range(0x13430, 0x13440))}
    assert (set(), set()) == (set(UNSEEN) - changed, changed - set(UNSEEN) - reserved)


def test_json_reads_back_as_it_was() -> None:
    """The same characters are escapes, also those beyond U+FFFF, which take two."""
    text = "".join(each for each in EVERY if not "\ud800" <= each <= "\udfff")
    line = one_line_json(msgspec.json.encode(text))
    assert (text, []) == (json.loads(line), [each for each in line.decode() if is_unseen(each)])


@pytest.mark.parametrize("format", ["jsonl", "csv", "ocsf", "cef", "syslog"])
def test_every_format_of_lines_has_the_rule(format: str) -> None:
    """In a text, in a key and in a value of the objects."""
    text = "".join(each for each in UNSEEN if not "\ud800" <= each <= "\udfff")
    event = msgspec.structs.replace(whole_event(), description=text, user_id=text, details={text: text})
    assert line_of(format, event, **({"max_bytes": 2**17} if format == "syslog" else {}))
