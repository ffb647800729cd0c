"""Takes out of events what the rules say, and says how often a rule failed."""

from __future__ import annotations

import threading
from typing import Any

import msgspec

from audit_async.diagnostics import report
from audit_async.errors import AuditError
from audit_async.events import AuditEvent
from audit_async.events.vocabulary import family_of
from audit_async.redact.look import Look, LookCloserError
from audit_async.redact.masks import FAULT, MARK_KEY, RULE_FAILED
from audit_async.redact.rules import Redaction
from audit_async.redact.sweep import Sweep
from audit_async.redact.verdicts import OBJECTS, TOLD, Verdicts
from audit_async.shapes import pass_on, type_name
from audit_async.values import plain

_BUILT_IN_ONLY = Redaction()


class RecursiveRuleError(AuditError):
    """A rule of redaction logs an event while it is asked for one: that would never end.

    Attributes:
        reason: `recursion`.
    """

    reason = "recursion"


class Redactor:
    """Takes out of events what the built-in rules and the application's say. Any thread may call.

    Attributes:
        failed: values on which the application's rule failed, and events on which redaction itself did.
    """

    def __init__(self, rules: Redaction | None = None) -> None:
        rules = rules or _BUILT_IN_ONLY
        self.failed = 0
        self._rules = rules
        self._verdicts = Verdicts(rules)
        self._look = Look(self._verdicts)
        self._is_thorough = bool(rules.patterns or rules.rule or rules.pseudonymise or rules.mask_ip) or any(
            self._verdicts.of_field(name).is_secret for name in AuditEvent.__struct_fields__
        )
        self._is_quick = not self._is_thorough and not rules.drop_bodies
        # Re-entrant, because a signal handler may log while its own thread counts.
        self._counting = threading.RLock()
        self._inside = threading.local()

    def redact(self, event: AuditEvent) -> AuditEvent:
        """Return *event* without its secrets; the same object when it has none. Never raises on a value.

        When redaction itself fails, all that the event said is dropped, and who did what to what stays.

        Raises:
            RecursiveRuleError: the application's rule, asked for another event in this thread, has logged this one.
        """
        try:
            if self._is_quick or not (self._is_thorough or self._drops_bodies_of(event)):
                return self._look.at(event)
        except (LookCloserError, RecursionError):
            pass  # a value made by hand may be too deep
        except BaseException as error:
            return self._failed(event, error)
        if getattr(self._inside, "is_in_rule", False):
            raise RecursiveRuleError("a rule of redaction logged an event itself", hint="let it return what to keep")
        try:
            call_rule = self._call_rule if self._rules.rule is not None else None
            return Sweep(self._verdicts, drops_bodies=self._drops_bodies_of(event), call_rule=call_rule).over(event)
        except BaseException as error:
            return self._failed(event, error)

    def _failed(self, event: AuditEvent, error: BaseException) -> AuditEvent:
        pass_on(error)
        self._count(f"an event could not be redacted ({type_name(error)}): all that it said is dropped")
        return _without_contents(event)

    def _drops_bodies_of(self, event: AuditEvent) -> bool:
        """Return whether *event* is of an action, or of a family, whose bodies are never kept."""
        action = str(event.action)
        names = (action, f"{action.partition('.')[0]}.", f"{family_of(action)}.")
        return not frozenset(names).isdisjoint(self._rules.drop_bodies)

    def _call_rule(self, key: str, value: Any) -> Any:
        """Return what the application's rule makes of *value*, made plain; a mark when it fails."""
        rule = self._rules.rule
        assert rule is not None  # or nobody would call
        self._inside.is_in_rule = True
        try:
            return plain(rule(key, value))
        except BaseException as error:
            pass_on(error)
            failure = type_name(error)
        finally:
            self._inside.is_in_rule = False
        self._count(f"the rule given to redact= failed on a value ({failure}), which is removed")
        return RULE_FAILED

    def _count(self, message: str) -> None:
        with self._counting:
            self.failed += 1
        # Without the error's text, which may hold the value.
        report("redaction", message, level="ERROR")


def _without_contents(event: AuditEvent) -> AuditEvent:
    gone: dict[str, Any] = {name: {MARK_KEY: FAULT} for name in OBJECTS if getattr(event, name)}
    gone |= {name: FAULT for name in (*TOLD, "actor_name") if getattr(event, name) is not None}
    return msgspec.structs.replace(event, **gone, tags=())
