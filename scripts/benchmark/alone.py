"""One side of the redaction row, in a process of its own. Called by `calls.redaction`.

An interpreter adapts itself to the types that it meets: one that has seen a logger which redacts beside one which does
not is slower with both than a program, which has one logger, ever is.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from audit_async import AuditEvent, AuditLogger
from audit_async.redact import Redactor
from scripts.benchmark import samples
from scripts.benchmark.bench import burst

EVENTS: dict[str, Callable[[int], AuditEvent]] = {
    "typical": samples.typical,
    "plain": samples.event,
    "secret": lambda number: samples.event(number, with_secrets=True),
}


class _Unredacting(Redactor):
    """Lets everything pass, so that there is something to compare with."""

    def redact(self, event: AuditEvent) -> AuditEvent:
        """Return *event*."""
        return event


def measure(kind: str, count: int, *, is_redacted: bool = True) -> tuple[float, float]:
    """Return the microseconds of `log()` for an event of *kind*, without and with building it."""
    command = [
        sys.executable,
        "-m",
        "scripts.benchmark.alone",
        kind,
        str(count),
        "redacted" if is_redacted else "as it is",
    ]
    root = Path(__file__).parents[2]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=root)  # noqa: S603 -- of our own making
    logged, built = json.loads(done.stdout)
    return float(logged), float(built)


def _main(kind: str, count: str, mode: str) -> None:
    make = EVENTS[kind]
    with tempfile.TemporaryDirectory(prefix="audit-bench-") as folder:
        audit = AuditLogger(f"sqlite+aiosqlite:///{folder}/audit.db", journal_dir=folder, writer="none")
        if mode != "redacted":
            audit._process.redactor = _Unredacting()
        with samples.acting():
            for _ in range(2):  # the first time round everything is still to be adapted
                logged = burst(int(count), make, audit.log)
                built = burst(int(count), lambda number: number, lambda number: audit.log(make(number)))
        audit.close_sync(0)
    print(json.dumps([logged, built]))


if __name__ == "__main__":
    _main(*sys.argv[1:])
