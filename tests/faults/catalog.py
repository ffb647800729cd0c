"""All faults of the bank, in the order of their numbers."""

from __future__ import annotations

from tests.faults import (  # noqa: F401 -- loading one registers its faults
    clocks,
    configuration,
    disks,
    failover,
    files,
    forks,
    load,
    loops,
    mariadb,
    network,
    poison,
    postgres,
    processes,
    shutdown,
    sqlite,
    syscalls,
)
from tests.faults.fault import Fault, registered

FAULTS: tuple[Fault, ...] = tuple(sorted(registered, key=lambda fault: (fault.number, fault.name)))
