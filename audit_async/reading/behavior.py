"""What a user did, in numbers by the spellings that Aether's audit service gave its events."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from audit_async.events.dialects import DIALECTS, LEGACY, spell, term_of
from audit_async.events.vocabulary import FAILED, TERMS, Outcome

DIALECT = "aether"

SUSPICIOUS = ("suspicious_activity", "unauthorized_access", "login_failed", "request_rate_limited")
"""What its list of suspicious activities holds."""

_OUTCOMES = {member.value: member for member in Outcome}


def behavior(user_id: str | None, days: float, rows: Iterable[tuple[str, str, int]], now: datetime) -> dict[str, Any]:
    """Return what `AuditReader.user_behavior` says, of *rows* with an action, an outcome, and how many they are."""
    counts: Counter[str] = Counter()
    succeeded = failed = 0
    for action, said, events in rows:
        outcome = _OUTCOMES.get(said, Outcome.UNKNOWN)
        spelling = spelled(action, outcome)
        counts[spelling] += events
        succeeded += events * (spelling == "request_success" and outcome == Outcome.SUCCESS)
        failed += events * (spelling == "request_failed" and outcome in FAILED)
    return {
        "user_id": user_id,
        "period_days": days,
        "event_counts": dict(counts.most_common()),
        "failed_requests": failed,
        "success_requests": succeeded,
        "success_rate": succeeded / (succeeded + failed) if succeeded + failed else 0,
        "suspicious_activities": counts["suspicious_activity"] + counts["unauthorized_access"],
        "analysis_time": now.isoformat(),
    }


def unasked(spellings: Iterable[str]) -> list[str]:
    """Return the spellings of Aether that mean an action of *spellings* as well, and are not among them.

    To us one action, they are told apart in a table that has them.
    """
    meanings, asked = DIALECTS[DIALECT].meanings, set(spellings)
    names = {meanings[each] for each in asked if each in meanings} - {
        term_of(each).name for each in asked if each not in meanings
    }
    others = [each for each, name in meanings.items() if name in names and each not in asked]
    return [*others, *(each.upper() for each in others)]


def spelled(action: str, outcome: Outcome) -> str:
    """Return how Aether's service spelled *action*, which stands in a table; its own spellings stay as they are."""
    if action in TERMS:
        return spell(action, outcome, DIALECT)
    known = action if action in LEGACY or action.lower() not in LEGACY else action.lower()
    return spell(term_of(known).name, outcome, DIALECT, known)
