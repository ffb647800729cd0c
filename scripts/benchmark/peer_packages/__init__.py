"""Other audit loggers from their own packages, each driven the way its documentation says.

They are installed into an environment of their own (`scripts/setup bench`), in which `peer_alone` runs each of them
without the others. Every way logs the same event: who did what to what, from where, in which request, with the same
details. What a way has no column for goes where its documentation puts more of the same: into its JSON.
"""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Protocol, Self

MANY = 1_000_000
"""More than any burst here has events: a limit on what waits in memory, out of the way."""

Details = dict[str, Any]

WAYS = {
    "ours": ("own", "Ours"),
    "trail": ("trail", "InTransaction"),
    "airlog": ("buffered", "Airlog"),
    "airlog-wal": ("buffered", "AirlogWithWal"),
    "airlog-default": ("buffered", "AirlogByDefault"),
    "fabric": ("queued", "Fabric"),
    "fabric-default": ("queued", "FabricByDefault"),
}


class Way(Protocol):
    """An audit logger as an application has it, from its start to its end."""

    table: str

    def __init__(self, url: str, folder: Path) -> None: ...

    async def create(self) -> None:
        """Make its table, as its documentation says."""
        ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *_: object) -> None: ...

    def log(self, details: Details) -> Awaitable[object] | None:
        """Log one event; who is given something waits for it, as its callers do."""
        ...

    async def log_all(self, many: Sequence[Details]) -> None:
        """Log *many* as fast as its callers can."""
        ...

    async def flush(self) -> None:
        """Do what its documentation says for the end of a program."""
        ...


def find(name: str) -> type[Way]:
    """Return a way, with nothing imported for the other ones."""
    module, of_it = WAYS[name]
    found: type[Way] = getattr(importlib.import_module(f"{__name__}.{module}"), of_it)
    return found


async def in_a_loop(log: Callable[[Details], None], many: Sequence[Details]) -> None:
    """Log *many* from one task, which lets the loop have its turn now and then."""
    for number, details in enumerate(many):
        log(details)
        if number % 50 == 0:
            await asyncio.sleep(0)
