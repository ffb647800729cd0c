"""docs/importing.md is true: its commands run as they stand, and its tables are those of the code."""

from __future__ import annotations

import asyncio
import re
import shlex
from inspect import signature
from pathlib import Path

import pytest

from audit_async.cli.importing import import_
from audit_async.config import IMPORT_BATCH_RECORDS, IMPORT_WAIT_SECONDS, MAX_IMPORTED_BYTES, SHOWN_REJECTS
from audit_async.importing.cursor import SUFFIX
from audit_async.importing.formats import FORMATS
from audit_async.importing.formats.m365_operations import LOG_INS, OPERATIONS, key_of
from audit_async.importing.formats.ocsf import PATHS
from tests.tables import all_rows
from tests.test_cli import audit_async

PAGE = (Path(__file__).parents[2] / "docs" / "importing.md").read_text()
SECTIONS = {part.partition("\n")[0].strip(): part for part in re.split(r"\n##+ ", PAGE)}


def block(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    assert found
    return found[1]


def rows_of(section: str) -> list[list[str]]:
    """Return the cells of the lines of the tables in *section*."""
    lines = re.findall(r"^\| (.*) \|$", SECTIONS[section], re.MULTILINE)
    return [line.split(" | ") for line in lines if not line.startswith("---")]


def quoted(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


def test_the_commands_say_what_it_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On the records that are shown, line by line; the program beside them finds nothing left to do."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AUDIT_DATABASE_URL", "sqlite+aiosqlite:///audit.db")
    monkeypatch.setenv("AUDIT_JOURNAL_DIR", str(tmp_path / "j"))
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    (tmp_path / "records.jsonl").write_text(block("json"))
    dry, real = (audit_async(*shlex.split(line)[1:]) for line in block("sh").splitlines())
    assert (1, 1, False) == (dry.returncode, real.returncode, "arrived" in dry.stdout)
    said = [line.rstrip() for line in (real.stdout + real.stderr).splitlines()]
    heading, *shown = block("text").splitlines()
    # Only a terminal gets one.
    assert heading.split() == ["records", "operation", "action"]
    assert shown == [line for line in said if "in sqlite:" not in line]
    assert block("json").splitlines()[-1:] == (tmp_path / "mend.jsonl").read_text().splitlines()
    exec(block("python"), {})
    actions = [row["action"] for row in asyncio.run(all_rows("sqlite+aiosqlite:///audit.db"))]
    assert (["sso.login"] * 2, 2) == (actions[:2], actions.count("data.import"))


def test_its_tables_are_those_of_the_code() -> None:
    """Every operation, format, path and option is there, and none that is not."""
    shown = {
        name: quoted(row[0])[0]
        for row in rows_of("m365")[-len(set(OPERATIONS.values())) - 1 :]
        for name in quoted(row[1])
    }
    assert {**OPERATIONS, "UserLoggedIn": "sso.login", "UserLoginFailed": "sso.login"} == shown
    assert set(LOG_INS) == {key_of(name) for name, action in shown.items() if action == "sso.login"}
    assert [[f"`{each.name}`", each.about] for each in FORMATS.values()] == rows_of("Formats")[1:]
    paths = {quoted(row[1])[0]: tuple(quoted(row[0])) for row in rows_of("ocsf") if quoted(row[1])}
    assert PATHS.items() <= paths.items()
    options = {name for row in rows_of("Files")[1:] for name in quoted(row[0])}
    parameters = [name for name, each in signature(import_).parameters.items() if each.kind is each.KEYWORD_ONLY]
    known = {name.replace("_", "-").removesuffix("-file") for name in parameters}
    assert {f"--{name}" for name in known} == options


def test_its_numbers_are_those_of_the_code() -> None:
    """Sizes, counts and times."""
    for shown in (
        f"{IMPORT_BATCH_RECORDS:,} records are logged",
        f"{MAX_IMPORTED_BYTES:,} bytes",
        f"{SHOWN_REJECTS} are shown",
        f"{IMPORT_WAIT_SECONDS:g} by default",
        f"<file>{SUFFIX}",
    ):
        assert shown in PAGE.replace("\n  ", " "), shown
