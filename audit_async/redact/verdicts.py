"""What the rules say of a key. Each distinct one is judged once."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from types import NoneType
from typing import Any

from audit_async.config import CONTEXT_SPELLINGS, MAX_KEY_CHARS
from audit_async.events import AuditEvent
from audit_async.redact import keys
from audit_async.redact.masks import REDACTED, hide_e_mails, mask_addresses, pseudonym_of
from audit_async.redact.rules import Redaction
from audit_async.redact.texts import is_suspicious
from audit_async.text import CUT_NOTE

OBJECTS = ("details", "metadata", "old_values", "new_values")

TOLD = ("description", "error_message", "user_agent", "resource_id")
"""Fields in which a value of the objects may be told once more, and for which the application's rule is asked; tags may
as well.
"""

_NAMES = frozenset({"name", "key", "header", "field", "property", "parameter", "setting"})
_VALUES = frozenset({"value", "oldvalue", "newvalue", "old", "new", "before", "after", "from", "to"})


def name_of_values(value: dict[Any, Any]) -> str | None:
    """Return what the values of an object such as `{"Name": "Password", "NewValue": ...}` are called, None of another.

    Then that, and not their keys, says what they are.
    """
    bare = {_bare(key): key for key in value if type(key) is str and len(key) <= _LONGEST_NAME_CHARS}
    if _VALUES.isdisjoint(bare):
        return None
    return next((value[bare[name]] for name in bare if name in _NAMES and type(value[bare[name]]) is str), None)


def is_value_key(key: str) -> bool:
    """Return whether in such an object a value stands under *key*."""
    return len(key) <= _LONGEST_NAME_CHARS and _bare(key) in _VALUES


_LONGEST_NAME_CHARS = 16

_bare = functools.lru_cache(CONTEXT_SPELLINGS)(keys.bare)
"""Of keys that are no longer than that: objects of many keys are asked of each, in every event."""

NO_SECRETS = frozenset({bool, NoneType})
"""Of which nothing is ever taken out: that there is a password is no secret."""

_NO_SECRET_WORDS = frozenset({"true", "false", "none", "null", "yes", "no"})
_E_MAIL_KEYS = frozenset({"email", "emails", "mail", "emailaddress"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What becomes of a value for its key.

    Attributes:
        is_secret: it goes, whatever it is.
        is_counted: ... but for numbers.
        is_claims: ... but for three claims, if it is an object.
        is_kept: not even its look counts.
        is_pseudonym: a keyed hash of it stays.
        is_address: only its network stays.
        is_body: it goes from an action whose bodies are never kept.
        is_id: its digits are no card's.
        is_identity: it may be who somebody is: whom a pseudonym stands for is looked for in it.
        has_clean_name: the key itself has no clue to a secret.
        is_reference: it is a field that leads to something, into which the application's patterns do not look.
        is_name: it is a field that names something, in which a colon assigns nothing: `token:refresh` is an action, and
            `arn:aws:secretsmanager:eu:1:secret:db` a resource.
    """

    is_secret: bool = False
    is_counted: bool = False
    is_claims: bool = False
    is_kept: bool = False
    is_pseudonym: bool = False
    is_address: bool = False
    is_body: bool = False
    is_id: bool = False
    is_identity: bool = False
    has_clean_name: bool = True
    is_reference: bool = False
    is_name: bool = False

    @property
    def is_verdict(self) -> bool:
        """Whether it says something of the value."""
        return self.is_secret or self.is_pseudonym or self.is_address or self.is_body or self.is_kept


_SENTENCES = frozenset({"description", "error_message", "user_agent", "actor_name", "tags"})

HARMLESS = Verdict()

ID = Verdict(is_id=True)

SAID = frozenset({*TOLD, "actor_name", "tags"})
"""Fields of an event that hold what somebody said, or a name."""


class Verdicts:
    """The rules, ready to be asked. Any thread may ask."""

    def __init__(self, rules: Redaction) -> None:
        self.rules = rules
        self._key = rules.pseudonym_key if isinstance(rules.pseudonym_key, bytes) else b""
        self._names = frozenset(rules.keys)
        self._kept = frozenset(rules.keep)
        self._pseudonymised = frozenset(rules.pseudonymise)
        self._hides_e_mails = bool(self._pseudonymised & _E_MAIL_KEYS)
        self._looks_into_names = self._hides_e_mails or bool(rules.patterns)
        self._known: dict[str, Verdict] = {}
        self._of_fields = {name: self._judge_field(name) for name in AuditEvent.__struct_fields__}

    def of(self, key: str) -> Verdict:
        """Return what is to be done with the value under *key* of an object."""
        verdict = self._known.get(key)
        if verdict is None:
            verdict = self._judge(key)
            if len(key) <= MAX_KEY_CHARS:
                if len(self._known) >= CONTEXT_SPELLINGS:
                    # Somebody puts ids into keys. Beginning anew costs a while, never remembering again costs for ever.
                    self._known.clear()
                self._known[key] = verdict
        return verdict

    def of_field(self, name: str) -> Verdict:
        """Return what is to be done with field *name* of an event, which the application's rules have to name in full:
        that `id` is a key of theirs does not mean every id.
        """
        return self._of_fields[name]

    def _judge_field(self, name: str) -> Verdict:
        whole = keys.bare(name)
        return Verdict(
            is_secret=whole in self._names,
            is_kept=whole in self._kept,
            is_pseudonym=whole in self._pseudonymised,
            is_address=self.rules.mask_ip and name == "ip_address",
            is_id=keys.is_id(name),
            is_reference=name not in SAID,
            is_name=name not in _SENTENCES,
        )

    def in_text(self, key: str) -> Callable[[str], str] | None:
        """Return what makes of a value that a text gives to *key* what stands for it; None where it stays."""
        verdict = self.of(key)
        if verdict.is_pseudonym:
            return self.pseudonym
        if verdict.is_secret:
            return _keep_counted if verdict.is_counted else _hide
        return mask_addresses if verdict.is_address else None

    def pseudonym(self, text: str) -> str:
        """Return the pseudonym of *text*."""
        return pseudonym_of(text, self._key)

    def hide_own(self, text: str) -> str:
        """Return *text* without what the application's patterns match, and with pseudonyms of e-mail addresses."""
        for pattern in self.rules.patterns:
            assert not isinstance(pattern, str)  # compiled when the rules were made
            text = pattern.sub(REDACTED, text)
        return hide_e_mails(text, self._key) if self._hides_e_mails else text

    def _judge(self, key: str) -> Verdict:
        words, whole = keys.words_of(key), keys.bare(key)
        is_kept = whole in self._kept
        is_pseudonym = keys.ends_like(words, self._pseudonymised)
        # A key that was cut is judged by what was cut off: unknown, so secret.
        is_secret = keys.is_secret_key(key) or CUT_NOTE in key or keys.ends_like(words, self._names)
        verdict = Verdict(
            is_secret=is_secret and not is_kept and not is_pseudonym,
            is_counted=keys.is_counted(key),
            is_claims=keys.is_claims_key(key),
            is_kept=is_kept,
            is_pseudonym=is_pseudonym,
            is_address=self.rules.mask_ip and keys.is_address_key(key),
            is_body=bool(self.rules.drop_bodies) and keys.is_body_key(key),
            is_id=keys.is_id(key),
            is_identity=bool(self._pseudonymised) and keys.is_identity_key(key),
            has_clean_name=not self._looks_into_names and not is_suspicious(key),
        )
        return HARMLESS if verdict == HARMLESS else verdict


def _hide(value: str) -> str:
    return value if value.casefold() in _NO_SECRET_WORDS else REDACTED


def _keep_counted(value: str) -> str:
    return value if value.isdecimal() else _hide(value)
