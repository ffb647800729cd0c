"""The packages that events depend on, and versions of them with faults that are known."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version

from audit_async.checkup.finding import Finding
from audit_async.config import LEAST_VERSIONS
from audit_async.errors import ConfigurationError
from audit_async.inspection import async_url


def of_packages(url: str) -> Iterator[Finding]:
    """Yield whether the driver of *url* can be loaded, and versions."""
    try:
        driver = async_url(url).get_driver_name()
    except ConfigurationError as error:
        yield Finding("error", "packages", error.message, error.hint)
        return
    names = [name for name in LEAST_VERSIONS if name in (driver, "sqlalchemy")]
    yield from of_versions({name: _version(name) for name in names})


def of_versions(installed: Mapping[str, str | None]) -> Iterator[Finding]:
    """Yield which of the *installed* packages are too old."""
    is_old = False
    for name, found in installed.items():
        least, why = LEAST_VERSIONS[name]
        if found is not None and _numbers(found) < _numbers(least):
            is_old = True
            yield Finding("error", "packages", f"{name} {found} is too old: {why}", f"pip install '{name}>={least}'")
    if not is_old:
        named = ", ".join(f"{name} {found}" for name, found in installed.items())
        yield Finding("ok", "packages", f"Python {'.'.join(map(str, sys.version_info[:3]))}, {named}")


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        # It can be imported all the same: somebody has put it there without its description.
        return None


def _numbers(text: str) -> tuple[int, ...]:
    """Return the leading numbers of a version, three of them: enough for a least one."""
    numbers = []
    for part in text.split("."):
        digits = part[: len(part) - len(part.lstrip("0123456789"))]
        if not digits:
            break
        numbers.append(int(digits))
    return tuple([*numbers, 0, 0, 0][:3])
