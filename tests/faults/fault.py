"""What a fault of the bank is: a way to break something, where it can be tried, and how often."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from tests.faults.lab import Lab
from tests.faults.mounts import can_mount
from tests.faults.strace import can_trace
from tests.servers.mariadb import find_mariadbd
from tests.servers.pgbouncer import find_pgbouncer
from tests.servers.postgres import find_binaries

Kind = Literal["postgres", "mariadb", "sqlite"]
Need = Literal["root", "strace", "mount", "linux", "pgbouncer"]
EVERYWHERE: tuple[Kind, ...] = ("sqlite", "postgres", "mariadb")
SERVERS: tuple[Kind, ...] = ("postgres", "mariadb")


@dataclass(frozen=True)
class Trials:
    """How often a fault is tried, each time with another seed: in the tests, with `--quick`, and in full."""

    fast: int = 1
    quick: int = 1
    full: int = 20


@dataclass(frozen=True)
class Fault:
    """One line of the matrix.

    Attributes:
        number: as in the matrix of docs/reliability.md.
        name: what breaks, in a few words.
        run: breaks it in a `Lab`, and says what has to hold beside the account, which is always drawn up afterwards.
        on: the databases that it is tried with.
        needs: what the machine must have.
    """

    number: str
    name: str
    run: Callable[[Lab], None]
    on: tuple[Kind, ...]
    trials: Trials
    needs: tuple[Need, ...] = ()

    def missing(self, kind: Kind) -> str | None:
        """Return what this machine lacks for it, or None."""
        if kind == "postgres" and find_binaries() is None:
            return "no PostgreSQL"
        if kind == "mariadb" and find_mariadbd() is None:
            return "no MariaDB"
        if "root" in self.needs and os.geteuid() != 0:
            return "not root"
        if "strace" in self.needs and not can_trace():
            return "no strace"
        if "mount" in self.needs and not can_mount():
            return "nothing can be mounted"
        if "linux" in self.needs and sys.platform != "linux":
            return "not Linux"
        if "pgbouncer" in self.needs and find_pgbouncer() is None:
            return "no pgbouncer"
        return None


registered: list[Fault] = []


def fault(
    number: str,
    name: str,
    *,
    on: tuple[Kind, ...] = ("sqlite",),
    fast: int = 1,
    quick: int = 1,
    full: int = 20,
    needs: tuple[Need, ...] = (),
) -> Callable[[Callable[[Lab], None]], Callable[[Lab], None]]:
    """Put the decorated function into the bank."""

    def register(run: Callable[[Lab], None]) -> Callable[[Lab], None]:
        registered.append(Fault(number, name, run, on, Trials(fast, quick, full), needs))
        return run

    return register
