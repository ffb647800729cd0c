"""One trial of a fault, from an empty table to the account."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from tests.faults.accountant import Account
from tests.faults.fault import Fault, Kind
from tests.faults.lab import Lab, Servers


@dataclass(frozen=True)
class Trial:
    """What a trial came to: the account, and the longest seconds of what the fault measured, by name."""

    account: Account
    longest: dict[str, float]


def try_fault(fault: Fault, kind: Kind, servers: Servers, folder: Path, seed: int) -> Trial:
    """Break what *fault* breaks, deliver what is left, and draw up the account.

    Raises:
        Exception: as the fault's own demands do, or when something is left that cannot be delivered.
    """
    folder.mkdir()
    with Lab(kind, servers, folder, seed) as lab:
        fault.run(lab)
        account = lab.settle()
        if lab.may_lose:
            account = account.without(lab.may_lose)
        elif lab.may_have_gaps:
            account = dataclasses.replace(account, gaps=0)
        return Trial(account, lab.longest)
