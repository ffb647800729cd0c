"""What was taken out of an event's objects, so that it goes from its texts as well.

details={"email": "joe@example.com"}, description="Login attempt for joe@example.com"
"""

from __future__ import annotations

import base64
from typing import Any

from audit_async.config import LEAST_ECHO_CHARS, LEAST_SECRET_ECHO_CHARS
from audit_async.events import AuditEvent
from audit_async.redact.marks import REDACTED, is_mark

SPEAKING = ("description", "error_message", "user_agent", "resource_id")
"""Fields in which a value of the objects may be told once more; tags may as well."""


class Echoes:
    """Texts that were taken out of one event, each with what stands for it."""

    def __init__(self) -> None:
        self._secrets: set[str] = set()
        self._names: dict[str, str] = {}

    def add_secret(self, item: Any) -> None:
        """Note every text and number in *item*, which was removed, down to its last container."""
        left, seen = [item], set()
        while left:
            item = left.pop()
            if type(item) in (dict, list):
                if id(item) not in seen:
                    seen.add(id(item))
                    left += item if type(item) is list else [text_of_marker(item) or list(item.values())]
            elif type(item) in (str, int, float) and len(text := str(item).strip()) >= LEAST_SECRET_ECHO_CHARS:
                self._secrets.add(text)

    def add_name(self, text: str, instead: str) -> None:
        """Note *text*, a name or an address, in whose place *instead* was put."""
        if len(text.strip()) >= LEAST_ECHO_CHARS:
            self._names[text.strip()] = instead

    def hide(self, text: str) -> str:
        """Return *text* without the secrets, wherever they stand, and with what stands for the names that it has."""
        for secret in sorted(self._secrets, key=len, reverse=True):
            if secret in text and not is_mark(secret):
                text = text.replace(secret, REDACTED)
        for name in sorted(self._names, key=len, reverse=True):
            text = _replace_word(text, name, self._names[name])
        return text

    def hidden_in(self, event: AuditEvent) -> dict[str, Any]:
        """Return the fields of *event* that told of any of it, as they are without."""
        found = {name: getattr(event, name) for name in SPEAKING}
        hidden = {name: self.hide(text) for name, text in found.items() if type(text) is str}
        changes: dict[str, Any] = {name: text for name, text in hidden.items() if text != found[name]}
        tags = tuple(self.hide(tag) if type(tag) is str else tag for tag in event.tags)
        return changes if tags == event.tags else {**changes, "tags": tags}


def text_of_marker(value: dict[str, Any]) -> str | None:
    """Return the text of a marker that stands for bytes (`{"$bytes": ...}`), None if it is none."""
    encoded = value.get("$bytes")
    if type(encoded) is not str:
        return None
    try:
        return base64.b64decode(encoded).decode("latin-1")
    except ValueError:
        return None


def _replace_word(text: str, word: str, instead: str) -> str:
    """Return *text* with *instead* for each *word*, in any case, that is no part of a longer one."""
    lower, sought = text.lower(), word.lower()
    if len(lower) != len(text):
        lower, sought = text, word  # a letter that becomes two when it is lowered: places would be wrong
    pieces: list[str] = []
    done, at = 0, lower.find(sought)
    while at >= 0:
        end = at + len(sought)
        if not (_is_inside(text, at) or _is_inside(text, end)):
            pieces += (text[done:at], instead)
            done = end
        at = lower.find(sought, end)
    return "".join((*pieces, text[done:])) if pieces else text


def _is_inside(text: str, at: int) -> bool:
    """Return whether a word goes on over position *at*."""
    return 0 < at < len(text) and text[at - 1].isalnum() and text[at].isalnum()
