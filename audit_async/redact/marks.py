"""What stands in the place of what was taken out."""

from __future__ import annotations

REDACTED = "[redacted]"

BODY_DROPPED = "[redacted: body]"
"""In the place of what a message or a document said, of an action whose bodies are never kept."""

RULE_FAILED = "[redacted: rule failed]"
"""In the place of a value on which the application's own rule failed."""

FAULT = "[redacted: fault]"
"""In the place of everything an event said, when redaction itself failed."""

MARK_KEY = "$redacted"
"""The one key of an object that went as a whole."""

PSEUDONYM = "pseudonym:"
"""What a pseudonym begins with."""


def is_mark(text: str) -> bool:
    """Return whether *text* is one of the marks, so that nothing is left to be taken out."""
    return text in (REDACTED, BODY_DROPPED, RULE_FAILED, FAULT)
