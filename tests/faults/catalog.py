"""All faults of the bank, in the order of their numbers."""

from __future__ import annotations

from tests.faults import load, network, processes, shutdown
from tests.faults.fault import Fault, registered

MODULES = (
    load,
    network,
    processes,
    shutdown,
)
"""Loading one registers its faults."""

FAULTS: tuple[Fault, ...] = tuple(sorted(registered, key=lambda fault: (fault.number, fault.name)))
