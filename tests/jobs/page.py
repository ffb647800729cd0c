"""The blocks of docs/jobs.md."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

PAGE = (Path(__file__).parents[2] / "docs" / "jobs.md").read_text()


def block(language: str, name: str = "") -> str:
    """Return the one block of *language* in which *name* stands."""
    [found] = [each for each in re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL) if name in each]
    assert isinstance(found, str)
    return found


def python(name: str) -> dict[str, Any]:
    """Run the block in which *name* is defined, and return its names."""
    names: dict[str, Any] = {}
    exec(block("python", f"def {name}("), names)
    return names
