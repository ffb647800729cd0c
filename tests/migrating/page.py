"""The blocks of the pages, and of each change that they show the program before it and the program after it."""

from __future__ import annotations

import asyncio
import re
import shlex
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from subprocess import CompletedProcess
from types import ModuleType
from typing import Any

import pytest

from tests.terminal import here

FOLDER = Path(__file__).parents[2] / "docs" / "migrating"
ADDRESS = re.compile(r"(?:postgresql\+asyncpg|mysql\+asyncmy|sqlite\+aiosqlite)://[^\"' ]+")

Names = dict[str, Any]


class Page:
    """A page, by the name of its file, followed with the database at *url* in place of the one that it names."""

    def __init__(self, name: str, url: str = "sqlite+aiosqlite:///audit.db") -> None:
        self.text = (FOLDER / f"{name}.md").read_text()
        self._url = url

    def blocks(self, language: str) -> list[str]:
        return re.findall(rf"```{language}\n(.*?)```", self.text, re.DOTALL)

    def block(self, language: str, part: str = "") -> str:
        """Return the one block of *language* in which *part* stands."""
        [found] = [each for each in self.blocks(language) if part in each]
        return ADDRESS.sub(self._url, found)

    def python(self, part: str, names: Names | None = None) -> Names:
        """Run the block of Python in which *part* stands, with *names*, and return all names there are then."""
        return _run(self.block("python", part), names)

    def before(self, part: str = "", names: Names | None = None) -> Names:
        """Run what the change in which *part* stands takes away, between what it leaves."""
        return _run(side(self.block("diff", part), "-"), names)

    def after(self, part: str = "", names: Names | None = None) -> Names:
        """Run what the change in which *part* stands puts there, between what it leaves."""
        return _run(side(self.block("diff", part), "+"), names)

    def commands(self, part: str = "") -> list[str]:
        """Return the lines of the block of commands in which *part* stands."""
        return self.block("sh", part).replace("\\\n", " ").splitlines()


def stand_in(monkeypatch: pytest.MonkeyPatch, name: str, names: Mapping[str, Any]) -> None:
    """Make `from name import ...` find *names*: a module of the program that is migrated."""
    parts = name.split(".")
    for depth in range(1, len(parts) + 1):
        module = ModuleType(".".join(parts[:depth]))
        if depth == len(parts):
            module.__dict__.update(names)
        monkeypatch.setitem(sys.modules, module.__name__, module)


async def follow(commands: Iterable[str], folder: Path) -> list[CompletedProcess[str]]:
    """Run *commands* one after another, as at a prompt in *folder*; what they say may go into a file there."""
    done = []
    for command in commands:
        words = shlex.split(command)
        assert "audit-async" == words.pop(0)
        to_file = words[words.index(">") :] if ">" in words else []
        done.append(await asyncio.to_thread(here, *words[: len(words) - len(to_file)]))
        for name in to_file[1:]:
            (folder / name).write_text(done[-1].stdout)
    return done


def side(change: str, sign: str) -> str:
    """Return the program that *change* makes of another: before it with the sign `-`, after it with `+`."""
    lines = [line[1:] for line in change.splitlines() if line[:1] in ("", " ", sign)]
    return "\n".join(lines) + "\n"


def _run(code: str, names: Names | None) -> Names:
    names = {} if names is None else dict(names)
    exec(compile(code, "page", "exec"), names)
    return names
