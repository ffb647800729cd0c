"""What happens before the first event: nothing; and what is said when a driver is too old."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

from audit_async.store.floors import FLOORS, warn_of_old
from tests.children import ROOT, Child
from tests.logs import heard


def test_an_import_does_nothing(tmp_path: Path) -> None:
    """Loading every public name, and making a logger, connects to nothing, writes no file and starts no thread."""
    with Child("importing", tmp_path / "journal", package="tests.security.programs") as child:
        assert [] == [line for line in child.rest() if "__pycache__" not in line and "/dev/null" not in line]
        assert 0 == child.returncode
    assert not (tmp_path / "journal").exists()


@pytest.mark.parametrize("name", FLOORS)
def test_the_floors_are_those_of_the_project(name: str) -> None:
    """What is warned of at run time is what the project asks for when it is installed."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["mysql"]]
    (found,) = [each for each in wanted if re.match(rf"{name}\b", each)]
    assert f">={FLOORS[name][0]}" in found.replace("[asyncio]", "")


@pytest.mark.parametrize(
    ("version", "is_old"), [("0.31.0", True), ("0.9", True), ("0.32.0", False), ("0.100.dev1", False)]
)
def test_an_old_driver_is_told(version: str, is_old: bool, tmp_path: Path) -> None:
    """A driver that is installed in a version below its floor is one WARNING with what to install."""
    installed = tmp_path / f"asyncpg-{version}.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text(f"Metadata-Version: 2.1\nName: asyncpg\nVersion: {version}\n")
    code = (
        "import sys; from audit_async.store.opening import open_store; from audit_async.store import StoreOptions; "
        "open_store(StoreOptions(url='postgresql+asyncpg://app@db/app'))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
        env={"PYTHONPATH": f"{tmp_path}:{ROOT}"},
    )
    assert 0 == done.returncode, done.stderr
    assert is_old == ("asyncpg>=0.32" in done.stderr)
    assert is_old == ("WARNING" in done.stderr)


def test_what_is_installed_is_not_told() -> None:
    """The versions that the tests run with are none too old."""
    with heard() as lines:
        for name in FLOORS:
            warn_of_old(name)
    assert [] == lines
    assert metadata.version("sqlalchemy")
