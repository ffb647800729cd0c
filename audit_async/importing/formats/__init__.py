"""The kinds of logs that can be read, each by its name.

A format is a pure function from what a record says to an event. What of a record has no field of its own is folded
into the event's `details`, and named in the report; a record without a time, or without an action, is refused.
"""

from __future__ import annotations

from audit_async.errors import ConfigurationError, meant
from audit_async.importing.formats import desktop, m365, ocsf, own
from audit_async.importing.formats.format import Format, Mapped, Reading, RefusedError

__all__ = ["FORMATS", "Format", "Mapped", "Reading", "RefusedError", "format_named"]

FORMATS: dict[str, Format] = {
    each.name: each for each in (m365.FORMAT, own.JSONL, own.CSV, ocsf.FORMAT, desktop.FORMAT)
}
"""Every format, by its name."""


def format_named(name: str) -> Format:
    """Return the format called *name*.

    Raises:
        ConfigurationError: there is none.
    """
    found = FORMATS.get(name)
    if found is None:
        raise ConfigurationError(
            f"there is no format {name[:100]!r}{meant(name, FORMATS)}", hint=f"give one of {', '.join(FORMATS)}"
        )
    return found
