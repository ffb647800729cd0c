"""docs/exports.md is true: its code runs, its samples are what comes out, and what it names is what there is."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

import pytest

from audit_async import __version__
from audit_async.exports import FORMATS
from audit_async.exports.cef import KEYS
from audit_async.exports.ocsf.classes import CLASSES
from tests.exports.samples import exported

PAGE = (Path(__file__).parents[2] / "docs" / "exports.md").read_text()
SECTIONS = {part.partition("\n")[0]: part for part in PAGE.split("\n## ")}
ROW = re.compile(r"^\| (.*) \|$", re.MULTILINE)


def rows(section: str) -> list[list[str]]:
    """Return the rows of the tables of *section*, without their heads."""
    found = [row.replace("`", "").split(" | ") for row in ROW.findall(section)]
    return [[cell.strip(" |") for cell in row] for row in found if row[0] not in ("format", "option", "class", "key")]


@pytest.fixture(scope="module")
def made() -> dict[str, Any]:
    """What the block of the page makes."""
    names: dict[str, Any] = {}
    exec(re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)[0], names)
    return names


def test_its_code_writes_a_file(made: dict[str, Any]) -> None:
    """The block runs as it stands, and writes what it says."""
    assert exported("csv", [made["event"]], bom=True) == made["file"].getvalue()


@pytest.mark.parametrize("format", [name for name in FORMATS if name != "parquet"])
def test_its_samples_are_what_comes_out(format: str, made: dict[str, Any]) -> None:
    """The sample of each format is, to the letter, the event that the page shows."""
    shown = re.findall(r"```text\n(.*?)```", SECTIONS[format], re.DOTALL)[0]
    text = exported(format, [made["event"]]).decode().replace("\r\n", "\n").replace("\ufeff", "")
    assert shown == text.replace(__version__, "0.1.0")


def test_its_table_has_every_format() -> None:
    """Names, suffixes, options, and whether a file can be continued, are those there are."""
    found = rows(PAGE.partition("This event")[0])
    expected = {
        name: (kind.suffix, "yes" if kind.can_continue else "no", ", ".join(kind.options))
        for name, kind in FORMATS.items()
    }
    assert expected == {
        row[0].partition("]")[0].strip("["): (row[1], row[3], row[4] if row[4:] else "") for row in found
    }


@pytest.mark.parametrize("format", ["csv", "syslog"])
def test_its_options_have_their_defaults(format: str) -> None:
    """The options of a format, and what they are when nothing is said, are those of the code."""
    parameters = inspect.signature(FORMATS[format].open).parameters
    expected = {name: str(parameters[name].default) for name in FORMATS[format].options}
    assert expected == {row[0]: row[1] for row in rows(SECTIONS[format])}


def test_its_keys_and_classes_are_those_of_the_code() -> None:
    """The tables of CEF's keys and of OCSF's classes are whole."""
    assert {key: name for name, key in KEYS.items()} == dict(rows(SECTIONS["cef"]))
    assert {str(uid): kind.name for uid, kind in CLASSES.items()} == dict(rows(SECTIONS["ocsf"]))
