"""The machine that a run was made on, and how busy it was: figures mean nothing without."""

from __future__ import annotations

import os
import platform
import shutil
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median

from audit_async.config import GIB
from tests.servers.mariadb import find_mariadbd
from tests.servers.postgres import find_binaries

_PACKAGES = ("SQLAlchemy", "asyncpg", "aiosqlite", "asyncmy", "msgspec", "uuid_utils", "loguru", "structlog")
_ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What does not change while a run goes on.

    Attributes:
        filesystem: of the folder in which the servers and journals keep their files.
        versions: of the databases and the packages; one that is not there is not named.
    """

    python: str
    processor: str
    processors: int
    memory_gib: float
    kernel: str
    filesystem: str
    versions: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """How busy the machine was: a neighbour's load shows in these first.

    Attributes:
        average: of the last one, five and fifteen minutes.
        sync_ms: what writing 4 KiB to the disk took, `fdatasync` included: median and worst.
    """

    average: tuple[float, float, float]
    sync_ms: tuple[float, float]

    def __str__(self) -> str:
        numbers = " ".join(f"{number:.1f}" for number in self.average)
        return f"load {numbers}, fdatasync of a page {self.sync_ms[0]:.2f} ms (at worst {self.sync_ms[1]:.2f})"


def machine() -> Machine:
    """Return what this machine is."""
    return Machine(
        python=f"{platform.python_implementation()} {platform.python_version()}",
        processor=_after_colon("/proc/cpuinfo", "model name") or platform.machine(),
        processors=os.cpu_count() or 0,
        memory_gib=round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIB, 1),
        kernel=f"{platform.system()} {platform.release()}",
        filesystem=_filesystem(Path(tempfile.gettempdir())),
        versions=_versions(),
    )


def load(times: int = 50) -> Load:
    """Return how busy this machine is."""
    taken = []
    with tempfile.TemporaryFile(buffering=0) as file:
        for _ in range(times):
            file.write(bytes(4096))
            started = time.perf_counter()
            os.fdatasync(file.fileno())
            taken.append((time.perf_counter() - started) * 1e3)
    return Load(average=os.getloadavg(), sync_ms=(median(taken), max(taken)))


def commit() -> str:
    """Return the commit that is measured, with a plus where something differs from it; empty outside of git."""
    found = _said("git", "rev-parse", "--short=12", "HEAD")
    return found + "+" if found and _said("git", "status", "--porcelain") else found


def _versions() -> dict[str, str]:
    binaries, mariadbd = find_binaries(), find_mariadbd()
    found = {
        "PostgreSQL": _said(str(binaries / "postgres"), "--version").rpartition(" ")[2] if binaries else "",
        "SQLite": sqlite3.sqlite_version,
        "MariaDB": _said(str(mariadbd), "--version").partition("Ver ")[2].split(" ")[0] if mariadbd else "",
    }
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return {name: number for name, number in found.items() if number}


def _said(*command: str) -> str:
    """Return what *command* says; nothing where it cannot be run."""
    if shutil.which(command[0]) is None:
        return ""
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=_ROOT)  # noqa: S603 -- our own
    return done.stdout.strip() if done.returncode == 0 else ""


def _after_colon(path: str, name: str) -> str:
    lines = Path(path).read_text().splitlines() if os.path.exists(path) else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), "")


def _filesystem(folder: Path) -> str:
    """Return the kind of the file system that holds *folder*: in memory, a sync costs nothing."""
    mounts = Path("/proc/self/mounts")
    found = [line.split()[1:3] for line in mounts.read_text().splitlines()] if mounts.exists() else []
    holding = [(point, kind) for point, kind in found if folder.resolve().is_relative_to(point)]
    return max(holding, key=lambda mount: len(mount[0]), default=("", "unknown"))[1]
