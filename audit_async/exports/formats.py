"""The formats that there are, by name."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, BinaryIO

from audit_async.errors import ConfigurationError, meant
from audit_async.exports.cef import open_cef
from audit_async.exports.csv import open_csv
from audit_async.exports.jsonl import open_jsonl
from audit_async.exports.ocsf import open_ocsf
from audit_async.exports.parquet import open_parquet
from audit_async.exports.sink import Sink
from audit_async.exports.syslog import open_syslog


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """One format.

    Attributes:
        suffix: of its files, with the dot.
        can_continue: whether a file that broke off can be gone on with.
        open: makes the sink; its keywords are the format's options.
    """

    suffix: str
    open: Callable[..., Sink]
    can_continue: bool = True

    @property
    def options(self) -> tuple[str, ...]:
        """The names of what can be chosen."""
        return tuple(name for name in inspect.signature(self.open).parameters if name not in ("file", "is_continued"))


FORMATS: dict[str, Format] = {
    "jsonl": Format(suffix=".jsonl", open=open_jsonl),
    "csv": Format(suffix=".csv", open=open_csv),
    "parquet": Format(suffix=".parquet", open=open_parquet, can_continue=False),
    "ocsf": Format(suffix=".ocsf.jsonl", open=open_ocsf),
    "cef": Format(suffix=".cef", open=open_cef),
    "syslog": Format(suffix=".log", open=open_syslog),
}


def open_export(format: str, file: BinaryIO, *, is_continued: bool = False, **options: Any) -> Sink:
    """Return a sink that writes events to *file* in *format*, and write what such a file begins with.

    Args:
        file: open for bytes; who opened it closes it.
        is_continued: *file* has a beginning, and whole lines, already.
        options: of the format, as `bom` and `delimiter` of CSV.

    Raises:
        ConfigurationError: there is no such format or option, a value is not what it may be, a package is missing, or
            a file of this format cannot be continued.
    """
    found = _format(format)
    unknown = next((name for name in options if name not in found.options), None)
    if unknown is not None:
        has = f"it has {', '.join(found.options)}" if found.options else "it has none"
        raise ConfigurationError(
            f"the format {format!r} has no option {unknown!r}{meant(unknown, found.options)}", hint=has
        )
    return found.open(file, is_continued=is_continued, **options)


def suffix_of(format: str) -> str:
    """Return what the name of a file of *format* ends with.

    Raises:
        ConfigurationError: there is no such format.
    """
    return _format(format).suffix


def format_of(name: str) -> str:
    """Return the format whose suffix the file called *name* has; `jsonl` if it is none's."""
    fitting = [format for format, found in FORMATS.items() if name.lower().endswith(found.suffix)]
    return max(fitting, key=suffix_of, default="jsonl")


def can_continue(format: str) -> bool:
    """Return whether a file of *format* that broke off can be gone on with.

    Raises:
        ConfigurationError: there is no such format.
    """
    return _format(format).can_continue


def _format(name: object) -> Format:
    found = FORMATS.get(name) if isinstance(name, str) else None
    if found is None:
        raise ConfigurationError(
            f"there is no format {name!r}{meant(str(name), FORMATS)}", hint=f"there are {', '.join(FORMATS)}"
        )
    return found
