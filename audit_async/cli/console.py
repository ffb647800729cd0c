"""What every command of the tool shares: the application, the two consoles, the parameters, the exit codes."""

from __future__ import annotations

from typing import Annotated

from cyclopts import App, Parameter
from rich.console import Console

from audit_async import __version__

OK, FINDING, USAGE, INTERRUPTED = 0, 1, 2, 130

app = App(
    name="audit-async",
    help="Who did what: make the table, deliver what waits on this machine, show what can be said.",
    version=__version__,
    result_action="return_value",
)
out = Console(highlight=False)
err = Console(stderr=True, highlight=False)

Url = Annotated[
    str | None,
    Parameter(name=["--url"], help="Database address with an async driver; else AUDIT_DATABASE_URL."),
]
Address = Annotated[str | None, Parameter(help="Database address, e.g. postgresql+asyncpg://app@db/app.")]
TableName = Annotated[str, Parameter(help="Name of the table, optionally with its schema.")]
