"""One trial of a fault, from an empty table to the account."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from tests.faults.accountant import Account
from tests.faults.fault import Fault, Kind
from tests.faults.lab import Lab, Servers


def try_fault(fault: Fault, kind: Kind, servers: Servers, folder: Path, seed: int) -> Account:
    """Break what *fault* breaks, deliver what is left, and return the account.

    Raises:
        Exception: as the fault's own demands do, or when something is left that cannot be delivered.
    """
    folder.mkdir()
    with Lab(kind, servers, folder, seed) as lab:
        fault.run(lab)
        account = lab.settle()
        return dataclasses.replace(account, gaps=0) if lab.may_have_gaps else account
