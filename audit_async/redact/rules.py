"""What an application adds to the built-in rules, as a value."""

from __future__ import annotations

import difflib
import inspect
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from audit_async.errors import ConfigurationError
from audit_async.events.dialects import term_of
from audit_async.redact.keys import bare
from audit_async.redact.pseudonyms import pseudonym_of
from audit_async.values import plain_text

Rule = Callable[[str, Any], Any]
"""Of a key and its value: what is kept in its place."""

KEY_VARIABLE = "AUDIT_PSEUDONYM_KEY"


@dataclass(frozen=True, slots=True, kw_only=True)
class Redaction:
    """Rules of one's own, beside the built-in ones, which always hold.

    Keys are compared without case, separators, accents and width. A key of one's own matches at the end of a longer
    one, by whole words: `iban` matches `user_iban` and `userIban`, not `caliban`.

    Attributes:
        keys: more secret keys, or fields of the event (`user_agent`); what stands under them is removed.
        keep: keys, each in full, that are never secret: neither their name nor the look of their value counts. The
            only exception to the built-in rules, and to `keys`.
        patterns: regular expressions, as text or compiled; what they match in any text is removed.
        rule: called with key and value for every text, number, boolean and null in the four objects, and with name and
            text for `description`, `error_message`, `user_agent`, `resource_id` and each of `tags`; what it returns is
            kept. It runs in the caller's thread, inside `log()`. When it raises, the value is removed, which
            `stats().redaction_failed` counts. What it logs itself is refused.
        drop_bodies: actions (`api.request`) or families of them (`conversation`, `conversation.*`) of which old and new
            values, and details under keys like `body`, `prompt` or `messages`, are never kept.
        pseudonymise: keys, or fields of the event (`user_id`), of which a keyed hash is kept: the same value gives the
            same pseudonym, so that it can be searched for. With `email` among them, e-mail addresses are found in every
            text as well.
        pseudonym_key: for these hashes, at best 32 random bytes; None for `$AUDIT_PSEUDONYM_KEY`. Whoever has it can
            try who is behind a pseudonym; whoever loses it cannot search any more. Never shown.
        mask_ip: keep the network of an IP address only: `192.0.2.0/24`, `2001:db8:1::/48`.

    Raises:
        ConfigurationError: one of them cannot be meant; the message says which, and what to give.
    """

    keys: Iterable[str] = ()
    keep: Iterable[str] = ()
    patterns: Iterable[str | re.Pattern[str]] = ()
    rule: Rule | None = None
    drop_bodies: Iterable[str] = ()
    pseudonymise: Iterable[str] = ()
    pseudonym_key: str | bytes | None = field(default=None, repr=False)
    mask_ip: bool = False

    def __post_init__(self) -> None:
        settle = object.__setattr__
        for name in ("keys", "keep", "pseudonymise"):
            settle(self, name, frozenset(_bare_key(name, each) for each in _several(name, getattr(self, name))))
        settle(self, "patterns", tuple(_compiled(each) for each in _several("patterns", self.patterns)))
        settle(self, "drop_bodies", frozenset(_action(each) for each in _several("drop_bodies", self.drop_bodies)))
        settle(self, "pseudonym_key", _read_key(self.pseudonym_key))
        rule: object = self.rule
        if rule is not None and (not callable(rule) or inspect.iscoroutinefunction(rule)):
            raise ConfigurationError(
                f"rule={type(rule).__name__} is no plain function",
                hint="give a callable that takes key and value, and returns what to keep; no coroutine function, since "
                "log() does not wait",
            )
        if type(self.mask_ip) is not bool:
            raise ConfigurationError(f"mask_ip={self.mask_ip!r} is neither True nor False", hint="give one of them")
        if self.pseudonymise and self.pseudonym_key is None:
            raise _no_key()

    def pseudonym(self, value: object) -> str:
        """Return what the log has in the place of *value*, for a search.

        Raises:
            ConfigurationError: there is no key.
        """
        if not isinstance(self.pseudonym_key, bytes):
            raise _no_key()
        return pseudonym_of(plain_text(value), self.pseudonym_key)


def read_redaction(given: object) -> Redaction | None:
    """Return what `redact=` was given as rules: a `Redaction`, its keywords as a mapping, a rule alone, or None.

    Raises:
        ConfigurationError: it is none of these.
    """
    if given is None or isinstance(given, Redaction):
        return given
    if isinstance(given, Mapping):
        names = [each.name for each in fields(Redaction)]
        for name in given:
            if name not in names:
                near = difflib.get_close_matches(str(name), names, n=1)
                meant = f"did you mean {near[0]!r}? " if near else ""
                raise ConfigurationError(
                    f"redact has no setting {name!r}", hint=f"{meant}There are: {', '.join(names)}"
                )
        return Redaction(**given)
    if callable(given) and not isinstance(given, type):
        return Redaction(rule=given)
    raise ConfigurationError(
        f"redact={type(given).__name__} is no redaction",
        hint="give a Redaction, its keywords as a mapping, or a function of key and value; built-in rules need none",
    )


def _several(name: str, given: Any) -> tuple[Any, ...]:
    """Return *given* as a tuple: one text, or one pattern, is one."""
    if isinstance(given, (str, re.Pattern)):
        return (given,)
    try:
        return tuple(given)
    except TypeError:
        raise ConfigurationError(f"{name}={given!r} is no collection", hint="give a set, a list or a tuple") from None


def _bare_key(name: str, key: Any) -> str:
    folded = bare(key) if isinstance(key, str) else ""
    if not folded:
        raise ConfigurationError(f"{name} has {key!r}, which is no key", hint="give names as text: {'iban'}")
    return folded


def _action(given: Any) -> str:
    """Return the canonical name of an action, or a family with a dot behind it."""
    name = str.__str__(given).strip().removesuffix("*") if isinstance(given, str) else ""
    if not name.strip("."):
        raise ConfigurationError(
            f"drop_bodies has {given!r}, which is no action", hint="give {'api.request'} or {'conversation.*'}"
        )
    family = name.removesuffix(".")
    return f"{family}." if name != family or "." not in term_of(family).name else term_of(family).name


def _compiled(given: Any) -> re.Pattern[str]:
    try:
        pattern = re.compile(given)
        if isinstance(pattern.pattern, str) and not pattern.search(""):
            return pattern
        reason = "it is for bytes" if isinstance(pattern.pattern, bytes) else "it matches where there is nothing"
    except (re.error, TypeError) as error:
        reason = str(error)
    shown = getattr(given, "pattern", given)
    raise ConfigurationError(
        f"the pattern {shown!r} cannot be used: {reason}", hint="give a regular expression for text, at least one long"
    )


def _read_key(given: Any) -> bytes | None:
    key = given if given is not None else os.environ.get(KEY_VARIABLE)
    if not isinstance(key, (str, bytes, type(None))):
        raise ConfigurationError(f"pseudonym_key is a {type(key).__name__}", hint="give it as text or bytes")
    return (key.encode("utf-8", "surrogateescape") if isinstance(key, str) else key) or None


def _no_key() -> ConfigurationError:
    return ConfigurationError(
        "there is no key to make pseudonyms with",
        hint=f"give pseudonym_key=, or set {KEY_VARIABLE}, to 32 random bytes that stay the same: "
        "`python -c 'import secrets; print(secrets.token_hex())'`",
    )
