"""All of it, within a bounded time."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from audit_async.checkup.database import of_database
from audit_async.checkup.directory import of_directory
from audit_async.checkup.finding import Finding
from audit_async.checkup.journals import of_journals
from audit_async.checkup.packages import of_packages
from audit_async.checkup.settings import of_settings
from audit_async.config import DISK_ANSWER_SECONDS
from audit_async.diagnostics import describe
from audit_async.settings import Settings


@dataclass(frozen=True, slots=True)
class Checkup:
    """Everything that was found, in the order of an event's way."""

    findings: tuple[Finding, ...]

    @property
    def is_well(self) -> bool:
        """Whether there is neither a warning nor an error."""
        return all(finding.level in ("ok", "note") for finding in self.findings)

    def to_dict(self) -> dict[str, Any]:
        """Return it for programs."""
        return {"is_well": self.is_well, "findings": [asdict(finding) for finding in self.findings]}


async def examine(settings: Settings, origins: Mapping[str, str]) -> Checkup:
    """Look at everything that events of *settings* need, and change nothing. Never raises, and always ends.

    Args:
        origins: where each setting comes from, see `find_origins`.
    """
    findings = [*of_settings(settings, origins), *of_packages(settings.address.url)]
    if not any(finding.level == "error" and finding.about == "packages" for finding in findings):
        await of_database(settings, findings)
    findings += await _within(lambda: of_directory(settings.journal_dir, settings.journal_max_bytes), settings)
    findings += await _within(lambda: of_journals(settings), settings)
    return Checkup(tuple(findings))


async def _within(look: Callable[[], Iterable[Finding]], settings: Settings) -> list[Finding]:
    """Look at a disk on a thread that may be left behind: one that hangs cannot be cancelled."""
    loop = asyncio.get_running_loop()
    found: list[Finding] = []
    done = asyncio.Event()

    def run() -> None:
        try:
            found.extend(look())
        except Exception as error:
            found.append(Finding("error", "journal", f"{settings.journal_dir} cannot be looked at ({describe(error)})"))
        try:
            loop.call_soon_threadsafe(done.set)
        except RuntimeError:
            # Nobody waits any more.
            return

    threading.Thread(target=run, name="audit-checkup", daemon=True).start()
    try:
        async with asyncio.timeout(DISK_ANSWER_SECONDS):
            await done.wait()
    except TimeoutError:
        return [
            *found,
            Finding(
                "error",
                "disk",
                f"the disk of {settings.journal_dir} has not answered within {DISK_ANSWER_SECONDS:.0f} s",
                "see to the disk, or to the server it is on",
            ),
        ]
    return found
