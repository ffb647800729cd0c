"""What a job counts, from any thread."""

from __future__ import annotations

from threading import get_ident

import msgspec

from audit_async.config import JOB_NAMES, MAX_KEY_CHARS
from audit_async.text import short_text

OTHER = "other"
"""Under which is counted what came behind the first `JOB_NAMES` names."""


class Tally(msgspec.Struct, eq=False):
    """Numbers by name, which many threads add to at once.

    Each thread adds to a mapping of its own. So there is no lock that a forked child would find held for ever, or a
    signal handler held by what it has interrupted.
    """

    _by_thread: dict[int, dict[str, int]] = {}

    def add(self, name: str, amount: int = 1) -> None:
        """Add *amount* to what is counted as *name*."""
        own = self._by_thread.get(get_ident())
        if own is None:
            own = self._by_thread.setdefault(get_ident(), {})
        _add(own, name, amount)

    def totals(self) -> dict[str, int]:
        """Return the sum of each name, in the order in which they came."""
        found: dict[str, int] = {}
        if not self._by_thread:
            return found
        threads = list(self._by_thread.values())
        if len(threads) == 1:
            return threads[0].copy()
        for own in threads:
            for name, amount in list(own.items()):
                _add(found, name, amount)
        return found


def _add(found: dict[str, int], name: str, amount: int) -> None:
    if name not in found:
        # As a key of details, which it becomes.
        name = short_text(name, MAX_KEY_CHARS)
        name = name if name in found or len(found) < JOB_NAMES else OTHER
    found[name] = found.get(name, 0) + amount
