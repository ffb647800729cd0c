"""Processes that are killed: what their `append` returned for is read by the next one, once."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from tests.journal.journals import files, read_orphans

ROOT = Path(__file__).parent.parent.parent


def start(directory: Path, label: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.journal.programs.appending", str(directory), label]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT, env=environment)


def kill_after(process: subprocess.Popen[bytes], count: int) -> list[str]:
    """Kill *process* when it has reported *count* entries, and return all it reported, whole lines only."""
    assert process.stdout is not None
    said = b"".join(process.stdout.readline() for _ in range(count))
    process.kill()
    said += process.stdout.read()
    process.stdout.close()
    process.wait(30)
    return [line.decode() for line in said.split(b"\n")[:-1]]


@pytest.mark.parametrize("seed", range(20))
def test_killed_processes_leave_every_entry_once(seed: int, tmp_path: Path) -> None:
    """Two processes on one directory, killed twice in a row at random moments: each reported entry is read once,
    in the order of its process, and nothing else but the one that was under way."""
    chance = random.Random(seed)
    reported: list[list[str]] = []
    for turn in (1, 2):
        processes = [start(tmp_path / "journal", f"{name}{turn}") for name in "ab"]
        reported += [kill_after(process, chance.randrange(1, 1500)) for process in processes]
    found = [payload.rstrip(b".").decode() for _, payload in read_orphans(tmp_path / "journal")]
    for lines in reported:
        label = lines[0].split()[0]
        of_one = [line for line in found if line.startswith(f"{label} ")]
        assert of_one == [f"{label} {number}" for number in range(1, len(of_one) + 1)]
        assert len(of_one) - len(lines) in (0, 1)
    assert [name for name in files(tmp_path / "journal") if not name.endswith(".corrupt")] == []
