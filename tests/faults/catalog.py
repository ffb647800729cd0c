"""All faults of the bank, in the order of their numbers."""

from __future__ import annotations

from tests.faults import (
    clocks,
    configuration,
    disks,
    failover,
    files,
    forks,
    load,
    loops,
    network,
    poison,
    postgres,
    processes,
    shutdown,
    syscalls,
)
from tests.faults.fault import Fault, registered

MODULES = (
    clocks,
    configuration,
    disks,
    failover,
    files,
    forks,
    load,
    loops,
    network,
    poison,
    postgres,
    processes,
    shutdown,
    syscalls,
)
"""Loading one registers its faults."""

FAULTS: tuple[Fault, ...] = tuple(sorted(registered, key=lambda fault: (fault.number, fault.name)))
