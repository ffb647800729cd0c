"""The promises under every fault of the bank, each a few times; `scripts/faults` tries them many times."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.catalog import FAULTS
from tests.faults.fault import Fault, Kind
from tests.faults.lab import Servers
from tests.faults.trial import try_fault

TRIALS = [
    pytest.param(fault, kind, seed, id=f"{fault.number}-{fault.run.__name__}-{kind}-{seed}")
    for fault in FAULTS
    for kind in fault.on
    for seed in range(fault.trials.fast)
]


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    with Servers() as servers:
        yield servers


@pytest.mark.timeout(180)
@pytest.mark.parametrize(("fault", "kind", "seed"), TRIALS)
def test_what_callers_were_told_is_in_the_table(
    fault: Fault, kind: Kind, seed: int, servers: Servers, tmp_path: Path
) -> None:
    """Whatever breaks: every event of which a caller was told anything good is one row that says the same, and there
    is no other one."""
    if missing := fault.missing(kind):
        pytest.skip(missing)
    account = try_fault(fault, kind, servers, tmp_path / "trial", seed).account
    assert account.balances, account
    assert account.called, "nothing was tried"
