"""What was taken out of an event, so that it goes from its other places as well.

details={"email": "joe@example.com"}, description="Login attempt for joe@example.com"
user_id=42 -> resource_id=42, description="Role granted to user 42"
"""

from __future__ import annotations

import base64
from typing import Any

from audit_async.config import LEAST_ECHO_CHARS, LEAST_SECRET_ECHO_CHARS, LEAST_WORD_ECHO_CHARS, MAX_ECHOES
from audit_async.events import AuditEvent
from audit_async.events.build import INVALID_KEY
from audit_async.redact.masks import REDACTED, folded, is_mark
from audit_async.redact.verdicts import OBJECTS, TOLD, Verdicts

IDENTITIES = ("user_id", "actor_id", "actor_name", "on_behalf_of", "agent_id", "api_key_id", "resource_id")
"""Fields that may say once more who it was."""

_SENTENCES = frozenset({"description", "error_message"})


class Echoes:
    """Texts that were taken out of one event, each with what stands for it."""

    def __init__(self, verdicts: Verdicts) -> None:
        self._verdicts = verdicts
        self._secrets: set[str] = set()
        self._names: dict[str, str] = {}
        self._identities: dict[str, str] = {}

    def add_secret(self, item: Any) -> None:
        """Note the texts and numbers in *item*, which was removed: of an object those under keys of secrets only, since
        beside a password there may be whose it is."""
        left, seen = [item], set()
        while left and len(self._secrets) < MAX_ECHOES:
            item = left.pop()
            if type(item) in (dict, list):
                if id(item) not in seen:
                    seen.add(id(item))
                    left += item if type(item) is list else [text_of_marker(item) or self._secrets_in(item)]
            elif type(item) in (str, int, float) and _is_telling(text := str(item).strip()):
                self._secrets.add(text)

    def _secrets_in(self, value: dict[str, Any]) -> list[Any]:
        return [
            item for key, item in value.items() if type(item) in (dict, list) or self._verdicts.of(str(key)).is_secret
        ]

    def add_name(self, text: str, instead: str) -> None:
        """Note *text*, a name or an address, in whose place *instead* was put."""
        if len(self._names) < MAX_ECHOES:
            self._names[text.strip()] = instead

    def add_identity(self, text: str, instead: str) -> None:
        """Note *text*, in whose place the pseudonym *instead* was put."""
        self.add_name(text, instead)
        self._identities[folded(text)] = instead

    def hidden_in(self, event: AuditEvent) -> dict[str, Any]:
        """Return the fields of *event* that told of any of it, as they are without."""
        found = {name: getattr(event, name) for name in (*TOLD, *(IDENTITIES if self._identities else ()))}
        hidden = {name: self._in_field(name, text) for name, text in found.items() if type(text) is str}
        changes: dict[str, Any] = {name: text for name, text in hidden.items() if text != found[name]}
        given: Any = event.tags
        if type(given) in (tuple, list):
            tags = tuple(self._in_field("tags", tag) if type(tag) is str else tag for tag in given)
            if tags != tuple(given):
                changes["tags"] = tags
        for name in OBJECTS if self._identities or self._secrets else ():
            value = getattr(event, name)
            clean = self._in_object(value) if type(value) is dict else value
            if clean != value:
                changes[name] = clean
        return changes

    def _in_field(self, name: str, text: str) -> str:
        instead = self._identities.get(folded(text)) if self._identities and name not in _SENTENCES else None
        if instead is not None:
            return instead
        if name in TOLD or name == "tags":
            return self._in_text(text, least=1 if name in _SENTENCES else LEAST_ECHO_CHARS)
        return text

    def _in_text(self, text: str, *, least: int) -> str:
        """Return *text* without the secrets, wherever they stand, and with what stands for the names that it has."""
        text = self._without_secrets(text)
        for name in sorted(self._names, key=len, reverse=True):
            if len(name) >= least:
                text = _replace_word(text, name, self._names[name])
        return text

    def _without_secrets(self, text: str) -> str:
        for secret in sorted(self._secrets, key=len, reverse=True):
            if secret in text and not is_mark(secret):
                text = text.replace(secret, REDACTED)
        return text

    def _in_object(self, value: dict[str, Any]) -> dict[str, Any]:
        return {
            key: self._in_invalid(item)
            if key == INVALID_KEY
            else self._in_value(item, is_identity=self._verdicts.of(key).is_identity)
            for key, item in value.items()
        }

    def _in_value(self, item: Any, *, is_identity: bool) -> Any:
        if type(item) is dict:
            return self._in_object(item)
        if type(item) is list:
            return [self._in_value(each, is_identity=is_identity) for each in item]
        if is_identity and type(item) in (str, int, float):
            item = self._identities.get(folded(str(item)), item)
        return self._without_secrets(item) if type(item) is str and self._secrets else item

    def _in_invalid(self, item: Any) -> Any:
        """Return what stays of values that were given for fields: any of them may be one, or a sentence about one."""
        if type(item) is dict:
            return {key: self._in_invalid(each) for key, each in item.items()}
        if type(item) is list:
            return [self._in_invalid(each) for each in item]
        clean = self._in_value(item, is_identity=True)
        return self._in_text(clean, least=1) if type(clean) is str and clean == item else clean


def _is_telling(text: str) -> bool:
    """Return whether *text*, a secret, is looked for elsewhere: a plain word is in sentences that do not mean it."""
    if len(text) < LEAST_SECRET_ECHO_CHARS:
        return False
    return len(text) >= LEAST_WORD_ECHO_CHARS or not (text.isalpha() and text.islower())


def text_of_marker(value: dict[str, Any]) -> str | None:
    """Return the text of a marker that stands for bytes (`{"$bytes": ...}`), None if it is none.

    Only what `values` makes is one: an object with other keys beside it is somebody's, and is looked into.
    """
    encoded = value.get("$bytes")
    if type(encoded) is not str or not _MARKER_KEYS.issuperset(value):
        return None
    try:
        return base64.b64decode(encoded, validate=True).decode("latin-1")
    except ValueError:
        return None


_MARKER_KEYS = frozenset({"$bytes", "length", "sha256", "hashed"})


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
    """Return whether a word goes on over position *at*. Scripts that have no blanks between words have no such places.

    Source: the Unicode blocks, of which those from U+2E80 on are of East Asia.
    """
    if not 0 < at < len(text):
        return False
    return all(char.isalnum() and char < "\u2e80" for char in text[at - 1 : at + 1])
