"""What every command of the tool shares: the application, the two consoles, the parameters, the exit codes."""

from __future__ import annotations

import re
from typing import Annotated

from cyclopts import App, CycloptsError, Parameter
from rich import markup
from rich.console import Console
from rich.panel import Panel

from audit_async import __version__
from audit_async.diagnostics import one_line

OK, FINDING, USAGE, INTERRUPTED = 0, 1, 2, 130

_PASSWORD = re.compile(r"(?<=://)([^/?#:@\s]*):[^\s'\"]*@")


def escape(text: str) -> str:
    """Return *text*, whoever wrote it, as it may be shown: no markup, no control character, no password of an address.

    Everything that a command prints and did not say itself goes through here.
    """
    return markup.escape(one_line(_PASSWORD.sub(r"\1:***@", text)))


def _show_misuse(error: CycloptsError) -> Panel:
    lines = str(error).splitlines()
    return Panel("\n".join(map(escape, lines)), title="Error", title_align="left", border_style="red", expand=True)


app = App(
    name="audit-async",
    help="Who did what: make the table, deliver what waits on this machine, show what can be said.",
    version=__version__,
    result_action="return_value",
    error_formatter=_show_misuse,
)
out = Console(highlight=False)
err = Console(stderr=True, highlight=False)

Url = Annotated[
    str | None,
    Parameter(name=["--url"], help="Database address with an async driver; else AUDIT_DATABASE_URL."),
]
Address = Annotated[str | None, Parameter(help="Database address, e.g. postgresql+asyncpg://app@db/app.")]
TableName = Annotated[str, Parameter(help="Name of the table, optionally with its schema.")]
