"""The public face: what it costs to import, and that every name is there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import audit_async

HEAVY = {"sqlalchemy", "asyncpg", "aiosqlite", "loguru", "rich", "cyclopts", "anyio"}


def modules_after(program: str) -> set[str]:
    """Return the top-level packages that are loaded after *program* has run in a fresh interpreter."""
    return {module.partition(".")[0] for module in all_modules_after(program)}


def all_modules_after(program: str) -> set[str]:
    """Return the modules that are loaded after *program* has run in a fresh interpreter."""
    ask = f"import sys\n{program}\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_importing_the_package_loads_nothing_heavy() -> None:
    """`import audit_async` loads no SQLAlchemy, no driver, no loguru, no terminal library."""
    assert set() == modules_after("import audit_async") & HEAVY


def test_importing_the_package_loads_itself_alone() -> None:
    """`import audit_async` loads its one file, and not even `typing`, which takes ten times as long."""
    assert {"__future__", "audit_async"} == all_modules_after("import audit_async") - all_modules_after("pass")


def test_logging_itself_loads_nothing_heavy(tmp_path: Path) -> None:
    """Building and logging an event loads no SQLAlchemy in the caller's thread."""
    program = (
        "from audit_async import AuditLogger, events\n"
        f"audit = AuditLogger('sqlite+aiosqlite:///{tmp_path}/a.db', journal_dir='{tmp_path}/j', writer='none')\n"
        "audit.log(events.custom('report.print'))"
    )
    assert set() == modules_after(program) & HEAVY


@pytest.mark.parametrize("name", audit_async.__all__)
def test_every_public_name_is_there_and_documented(name: str) -> None:
    """Each name of `__all__` can be had, and has a docstring that says what it is."""
    assert getattr(audit_async, name).__doc__


def test_an_unknown_name_is_an_attribute_error() -> None:
    """A name that is not there is an AttributeError, as of any module."""
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        audit_async.nonsense  # noqa: B018


def test_the_names_for_type_checkers_are_the_names() -> None:
    """What type checkers see is what `__all__` has."""
    source = Path(audit_async.__file__ or "").read_text()
    seen = set(re.findall(r"^    from audit_async\S* import \w+ as (\w+)$", source, re.MULTILINE))
    assert seen == set(audit_async.__all__)
