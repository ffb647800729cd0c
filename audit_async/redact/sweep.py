"""A close look at one event: every value of it, by all rules.

Objects that no builder made (of other types, or with a part that occurs twice) are made plain first.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable
from datetime import datetime
from types import NoneType
from typing import Any

import msgspec

from audit_async.config import JSON_LEVELS, MAX_ACTION_CHARS, MAX_ID_CHARS, MAX_STRING_CHARS
from audit_async.events import AuditEvent
from audit_async.redact.digits import is_card
from audit_async.redact.echoes import Echoes, text_of_marker
from audit_async.redact.keys import is_key_of_pairs, looks_like_name
from audit_async.redact.masks import BODY_DROPPED, MARK_KEY, REDACTED, is_mark, mask_addresses
from audit_async.redact.texts import hide_secrets
from audit_async.redact.verdicts import (
    HARMLESS,
    NO_SECRETS,
    OBJECTS,
    TOLD,
    Verdict,
    Verdicts,
    is_value_key,
    name_of_values,
)
from audit_async.text import short_text, unused_name
from audit_async.values import plain, plain_object, plain_text

_CHANGES = frozenset({"old_values", "new_values"})
_RULED = frozenset(TOLD)
_OTHERS = tuple(name for name in AuditEvent.__struct_fields__ if name not in {*OBJECTS, "tags", "id", "created_at"})
_WORDS = frozenset({"category", "severity", "outcome"})
_MAX_CHARS = {"description": MAX_STRING_CHARS, "error_message": MAX_STRING_CHARS, "user_agent": MAX_STRING_CHARS}
_CLAIMS_KEPT = frozenset({"sub", "iss", "jti"})

_SCALARS = frozenset({str, int, float, bool, NoneType})
_NUMBERS = frozenset({int, float})
_NO_TEXTS = frozenset({int, float, bool, NoneType, datetime})


class _NotPlainError(Exception):
    """Something in the value is no plain data of our own making."""


class Sweep:
    """Goes over one event.

    Args:
        drops_bodies: what somebody wrote or got is not kept of this event.
        call_rule: the application's own, guarded; None if it has none.
    """

    def __init__(self, verdicts: Verdicts, *, drops_bodies: bool, call_rule: Callable[[str, Any], Any] | None) -> None:
        self._verdicts = verdicts
        self._drops_bodies = drops_bodies
        self._call_rule = call_rule
        self._echoes = Echoes(verdicts)
        # Held, and not only their ids, which what is made later may get again.
        self._seen: dict[int, Any] = {}
        self._changed: Any = None
        self._json_level = 0
        self._unruled = 0

    def over(self, event: AuditEvent) -> AuditEvent:
        """Return *event* without what the rules take out; the same object if that is nothing."""
        changes: dict[str, Any] = {}
        for names, sweep in ((OBJECTS, self._top), (_OTHERS, self._field), (("tags",), self._tags)):
            for name in names:
                value = getattr(event, name)
                if value is not None:
                    clean = sweep(name, value)
                    if clean is not value:
                        changes[name] = clean
        swept = msgspec.structs.replace(event, **changes) if changes else event
        changes = self._echoes.hidden_in(swept)
        return msgspec.structs.replace(swept, **changes) if changes else swept

    # --- fields ----------------------------------------------------------------------------------------

    def _top(self, name: str, value: Any) -> Any:
        if type(value) is dict and not value:
            return value
        if self._drops_bodies and name in _CHANGES:
            return value if value == {MARK_KEY: BODY_DROPPED} else {MARK_KEY: BODY_DROPPED}
        try:
            clean = self._whole(name, value)
        except (_NotPlainError, RecursionError):
            clean = self._whole(name, plain_object(value))
        return clean if type(clean) is dict else {MARK_KEY: clean}

    def _whole(self, name: str, value: Any) -> Any:
        # Names of values that differ: no two of them are a name and its value.
        self._changed = value.get("changed") if name == "details" and type(value) is dict else None
        return self._object(value, name, HARMLESS)

    def _field(self, name: str, value: Any) -> Any:
        """Return what stays of a field. One that is not what it should be is looked at as a part of an object is."""
        if not isinstance(value, str):
            return value if type(value) in _NO_TEXTS else self._value(name, self._verdicts.of(name), plain(value))
        if name in _WORDS:
            return value
        verdict = self._verdicts.of_field(name)
        clean = self._value(name, verdict, value if type(value) is str else str.__str__(value), name in _RULED)
        if clean is None or clean == value:
            return clean if clean is None else value
        text = clean if type(clean) is str else hide_secrets(plain_text(clean), verdict, self._verdicts)
        return short_text(text, MAX_ACTION_CHARS if name == "action" else _MAX_CHARS.get(name, MAX_ID_CHARS))

    def _tags(self, _: str, tags: Any) -> Any:
        if type(tags) not in (tuple, list):
            return self._value("tags", HARMLESS, plain(tags))
        verdict = self._verdicts.of_field("tags")
        clean = [self._value("tags", verdict, tag if type(tag) in _SCALARS else plain(tag)) for tag in tags]
        return tags if clean == list(tags) else tuple(tag for tag in clean if tag is not None)

    # --- values ----------------------------------------------------------------------------------------

    def _value(self, key: str, verdict: Verdict, item: Any, is_ruled: bool = True) -> Any:
        kind = type(item)
        if verdict.is_secret:
            return self._secret(verdict, item)
        if self._drops_bodies and verdict.is_body and item and kind not in _NUMBERS and kind not in NO_SECRETS:
            return item if kind is str and is_mark(item) else BODY_DROPPED
        if kind is dict:
            return self._object(item, key, verdict)
        if kind is list:
            return self._list(item, key, verdict)
        if kind not in _SCALARS:
            raise _NotPlainError
        if is_ruled and self._call_rule is not None and not self._unruled and not (kind is str and is_mark(item)):
            return self._unruled_value(key, verdict, self._call_rule(key, item), item)
        return self._scalar(verdict, item)

    def _unruled_value(self, key: str, verdict: Verdict, ruled: Any, item: Any) -> Any:
        """Return what stays of *ruled*, in the place of *item*. The rule is not asked for what it gave itself."""
        if type(ruled) is type(item) and ruled == item:
            return self._scalar(verdict, item)
        self._unruled += 1
        try:
            return self._value(key, verdict, ruled)
        finally:
            self._unruled -= 1

    def _secret(self, verdict: Verdict, item: Any) -> Any:
        """Return what stays of a secret: nothing, but for booleans, nulls, numbers of tokens, and an identity."""
        kind = type(item)
        if kind in NO_SECRETS or (kind in _NUMBERS and verdict.is_counted) or (kind is str and is_mark(item)):
            return item
        if verdict.is_claims and kind is dict and not _CLAIMS_KEPT.isdisjoint(item):
            clean = {
                name: self._value(name, self._verdicts.of(name), claim)
                if name in _CLAIMS_KEPT and type(claim) in _SCALARS
                else self._secret(Verdict(is_secret=True), claim)
                for name, claim in item.items()
            }
            return item if clean == item else clean
        self._echoes.add_secret(item)
        return REDACTED

    def _scalar(self, verdict: Verdict, item: Any, *, is_cut: bool = False) -> Any:
        kind = type(item)
        if kind in NO_SECRETS or (kind is str and is_mark(item)):
            return item
        if verdict.is_pseudonym:
            return self._renamed(str(item), self._verdicts.pseudonym, self._echoes.add_identity)
        if kind is str:
            text = self._renamed(item, mask_addresses, self._echoes.add_name) if verdict.is_address else item
            return self._text(text, verdict, is_cut=is_cut)
        is_number_of_card = kind is int and not (verdict.is_id or verdict.is_kept) and is_card(str(item))
        return REDACTED if is_number_of_card else item

    def _renamed(self, text: str, rename: Callable[[str], str], note: Callable[[str, str], None]) -> str:
        instead = rename(text) if text.strip() else text
        if instead == text:
            return text
        note(text, instead)
        return instead

    def _text(self, text: str, verdict: Verdict, *, is_cut: bool = False) -> str:
        if not verdict.is_kept and self._json_level < JSON_LEVELS and text.strip()[:1] in ("{", "[", '"'):
            text = self._json(text)
        hidden = hide_secrets(text, verdict, self._verdicts, is_cut=is_cut)
        return text if hidden == text else hidden

    def _json(self, text: str) -> str:
        """Return *text*, if it is JSON, without the secrets in it."""
        self._json_level += 1
        self._unruled += 1
        try:
            value = msgspec.json.decode(text)
            clean = self._value("", HARMLESS, value)
        except (msgspec.DecodeError, UnicodeError, RecursionError, _NotPlainError):
            return text
        finally:
            self._json_level -= 1
            self._unruled -= 1
        return text if clean is value else msgspec.json.encode(clean).decode()

    # --- containers ------------------------------------------------------------------------------------

    def _object(self, value: Any, key: str, verdict: Verdict) -> Any:
        """Return *value* itself if nothing in it has to change, else a copy."""
        self._expect(dict, value)
        text = text_of_marker(value)
        if text is not None:
            is_harmless = not verdict.is_pseudonym and hide_secrets(text, verdict, self._verdicts) == text
            return value if is_harmless else REDACTED
        is_cut = "$truncated" in value
        if is_cut and verdict.is_pseudonym:
            return REDACTED
        named = name_of_values(value)
        result: dict[str, Any] = {}
        numbers: dict[str, int] = {}
        is_changed = False
        for name, item in value.items():
            if type(name) is not str:
                raise _NotPlainError
            if is_cut and name == "text" and type(item) is str:
                clean = self._scalar(verdict, item, is_cut=True)
            else:
                meant = named if named is not None and is_value_key(name) else name
                own = self._verdicts.of(meant)
                # What is under a pseudonymised key is one as a whole.
                clean = self._value(meant, verdict if verdict.is_pseudonym and not own.is_secret else own, item)
            clean_name = name if self._verdicts.of(name).has_clean_name else self._text(name, HARMLESS)
            if clean_name != name:
                clean_name = unused_name(clean_name, ChainMap(result, value), numbers)
            result[clean_name] = clean
            is_changed = is_changed or clean is not item or clean_name != name
        return result if is_changed else value

    def _list(self, value: list[Any], key: str, verdict: Verdict, *, is_pair: bool = False) -> list[Any]:
        """Return *value* itself if nothing in it has to change, else a copy.

        Args:
            is_pair: it is one of a list of twos, as headers are.
        """
        self._expect(list, value)
        verdicts = [verdict] * len(value)
        if len(value) == 2 and (is_pair or self._may_be_pair(key, value)):
            name = text_of_marker(value[0]) if type(value[0]) is dict else value[0]
            own = self._verdicts.of(name) if type(name) is str else HARMLESS
            verdicts[1] = own if own.is_verdict and not verdict.is_pseudonym else verdict
        are_pairs = all(type(item) is list and len(item) == 2 for item in value)
        result = [
            self._list(item, key, each, is_pair=True) if are_pairs else self._value(key, each, item)
            for each, item in zip(verdicts, value, strict=True)
        ]
        is_changed = any(clean is not item for clean, item in zip(result, value, strict=True))
        return result if is_changed else value

    def _may_be_pair(self, key: str, value: list[Any]) -> bool:
        """Return whether *value*, two items under *key*, may be a name and its value, and not two names."""
        return value is not self._changed and (is_key_of_pairs(key) or not looks_like_name(value[1]))

    def _expect(self, kind: type, value: Any) -> None:
        if type(value) is not kind or id(value) in self._seen:
            raise _NotPlainError
        self._seen[id(value)] = value
