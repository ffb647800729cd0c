"""What an application adds to the built-in rules, as a value."""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from audit_async.config import LEAST_PSEUDONYM_KEY_BYTES
from audit_async.errors import ConfigurationError, meant
from audit_async.events.catalogue import builder_of
from audit_async.events.dialects import LEGACY, term_of
from audit_async.events.vocabulary import TERMS, family_of
from audit_async.redact.keys import bare
from audit_async.redact.masks import pseudonym_of
from audit_async.values import plain_text

Rule = Callable[[str, Any], Any]
"""Of a key and its value: what is kept in its place."""

KEY_VARIABLE = "AUDIT_PSEUDONYM_KEY"


@dataclass(frozen=True, slots=True, kw_only=True)
class Redaction:
    """Rules of one's own, beside the built-in ones, which always hold.

    Keys are compared without case, separators, accents and width. A key of one's own matches at the end of a longer
    one, by whole words: `iban` matches `user_iban` and `userIban`, not `caliban`.

    Of the built-in rules three are decisions that one may want to know. A `session_id` in details stays, since the
    event's own field of that name does, by which an audit log is joined to others; cookies go, `sessionid` and
    `PHPSESSID` among them, and `keys={"session_id"}` removes both. A list of two is a header, whose name says that its
    value goes, where it stands among others of two or under a key like `headers`, or where its second part does not
    look like a name: `["password", "hunter2"]` loses it, `["password", "username"]` and `["password", "swordfish"]`
    do not; in the names of `details.changed` nothing is one. Behind `token:` or `secret:` in a sentence a short word of
    letters stays (`invalid token: expired`), behind `password:` nothing does.

    Attributes:
        keys: more secret keys, or fields of the event (`user_agent`); what stands under them is removed.
        keep: keys, each in full, that are never secret: neither their name nor the look of their value counts. The
            only exception to the built-in rules, and to `keys`.
        patterns: regular expressions, as text or compiled; what they match is removed from keys and texts of the four
            objects, and from `description`, `error_message`, `user_agent`, `resource_id`, `actor_name` and `tags`. Into
            the other fields, which lead to something (ids, `action`, `ip_address`), they do not look.
        rule: called with key and value for every text, number, boolean and null in the four objects, and with name and
            text for `description`, `error_message`, `user_agent`, `resource_id` and each of `tags`; what it returns is
            kept. It runs in the caller's thread, inside `log()`. When it raises, the value is removed, which
            `stats().redaction_failed` counts. What it logs itself is refused.
        drop_bodies: actions (`api.request`, `use_log`), families of them (`conversation`, `orders.*`) or builders
            (`api_request`, `usage`) of which old and new values, and details under keys like `body`, `prompt` or
            `messages`, are never kept. `custom` is every action without a dot.
        pseudonymise: keys, or fields of the event (`user_id`), of which a keyed hash is kept: the same value gives the
            same pseudonym, so that it can be searched for. What is told of it elsewhere in the same event follows. The
            same pseudonym is put in the place of the whole value, however short, where `user_id`, `actor_id`,
            `actor_name`, `on_behalf_of`, `agent_id`, `api_key_id`, `resource_id` or a tag is equal to it, and a text or
            number in the four objects that stands under a key of an id or of a person (`target_user_id`, `granted_by`,
            `transferred_to`) or is kept as a field's invalid value; ids of a tenant, an organization, a session, a
            request or a trace are not followed. It is put in the place of the word in `description` and
            `error_message`, however short, and of one of 3 characters or more in `user_agent`, `resource_id` and
            `tags`. Other texts in the objects, keys, and JSON in a text keep it; but with `email` among them, e-mail
            addresses are found in every text.
        pseudonym_key: for these hashes, at least 16 bytes, at best 32 random ones; None for `$AUDIT_PSEUDONYM_KEY`.
            Whoever has it can try who is behind a pseudonym; whoever loses it cannot search any more. Never shown.
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
        actions = (_actions(each) for each in _several("drop_bodies", self.drop_bodies))
        settle(self, "drop_bodies", frozenset().union(*actions))
        settle(self, "pseudonym_key", _read_key(self.pseudonym_key, is_needed=bool(self.pseudonymise)))
        _check_rule(self.rule)
        if type(self.mask_ip) is not bool:
            raise ConfigurationError(f"mask_ip={self.mask_ip!r} is neither True nor False", hint="give one of them")

    def pseudonym(self, value: object) -> str:
        """Return what the log has in the place of *value*, for a search.

        Raises:
            ConfigurationError: there is no key, or a short one.
        """
        key = _read_key(self.pseudonym_key, is_needed=True)
        assert key is not None  # which it would have said
        return pseudonym_of(plain_text(value), key)


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
                raise ConfigurationError(
                    f"redact has no setting {name!r}{meant(str(name), names)}", hint=f"there are: {', '.join(names)}"
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


_FAMILIES = frozenset(term.family for term in TERMS.values())
_NO_FAMILY = "custom"
_IS_FAMILY = re.compile(r"[a-z0-9_:-]+").fullmatch
_BUILDERS: dict[str, frozenset[str]] = {
    "usage": frozenset({"api.request"}),
    **{
        builder: frozenset(name for name, term in TERMS.items() if builder_of(term) == builder)
        for builder in map(builder_of, TERMS.values())
        if builder not in (*_FAMILIES, _NO_FAMILY)
    },
}
"""Of those that are not named as their family: what they build."""


def _actions(given: Any) -> frozenset[str]:
    """Return the canonical names that *given* means; those of a whole family as the family with a dot behind it.

    Five cases: a family, a builder (which also may be the old spelling of an action), an action in whatever spelling, a
    free-form one of a family that is not ours, and a slip.
    """
    name = str.__str__(given).strip() if isinstance(given, str) else ""
    family = name.lower().removesuffix(".*").removesuffix(".")
    is_whole = family in _FAMILIES or family == _NO_FAMILY or family != name.lower()
    if is_whole and _IS_FAMILY(family):
        return frozenset({f"{family}."})
    found = _BUILDERS.get(name.lower(), frozenset())
    term = term_of(name)
    is_own = "." in name and "*" not in name and family_of(term.name) not in (*_FAMILIES, _NO_FAMILY, "")
    if name in LEGACY or term.name in TERMS or is_own:
        found |= {term.name}
    if not found:
        raise _no_action(given, name)
    return found


def _no_action(given: Any, name: str) -> ConfigurationError:
    known = [*TERMS, *_FAMILIES, *_BUILDERS, *LEGACY, _NO_FAMILY]
    return ConfigurationError(
        f"drop_bodies has {given!r}, which is no action{meant(name.lower(), known)}",
        hint="give an action, a family of them or a builder: 'api.request', 'conversation.*', 'usage'; "
        "one of your own as 'family.verb', and 'custom' for all that have no dot",
    )


def _check_rule(rule: object) -> None:
    """Make sure that *rule* can be called with key and value.

    Raises:
        ConfigurationError: it cannot, or would have to be awaited.
    """
    if rule is None:
        return
    is_callable = callable(rule) and not inspect.iscoroutinefunction(rule)
    if is_callable and _takes_two(rule):
        return
    wrong = "does not take two arguments" if is_callable else "is no plain function"
    raise ConfigurationError(
        f"rule={getattr(rule, '__name__', type(rule).__name__)} {wrong}",
        hint="give a callable that takes key and value, and returns what to keep; no coroutine function, since "
        "log() does not wait",
    )


def _takes_two(rule: Any) -> bool:
    """Return whether *rule* takes two arguments by their place; True where that cannot be known (of some in C)."""
    try:
        parameters = inspect.signature(rule)
    except (TypeError, ValueError):
        return True
    try:
        parameters.bind("key", "value")
    except TypeError:
        return False
    return True


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


def _read_key(given: Any, *, is_needed: bool) -> bytes | None:
    """Return the key as bytes, None for none.

    Raises:
        ConfigurationError: it is none; it is needed or given, and short; or it is needed, and there is none.
    """
    key = given if given is not None else os.environ.get(KEY_VARIABLE)
    if not isinstance(key, (str, bytes, type(None))):
        raise ConfigurationError(f"pseudonym_key is a {type(key).__name__}", hint="give it as text or bytes")
    key = key.encode("utf-8", "surrogateescape") if isinstance(key, str) else key
    if key and len(key) < LEAST_PSEUDONYM_KEY_BYTES and (is_needed or given is not None):
        raise ConfigurationError(
            f"the key for pseudonyms has {len(key)} bytes: whoever has the log could try all such keys",
            hint=f"give at least {LEAST_PSEUDONYM_KEY_BYTES}, at best 32 random ones: {_MAKE_KEY}",
        )
    if not key and is_needed:
        raise ConfigurationError(
            "there is no key to make pseudonyms with",
            hint=f"give pseudonym_key=, or set {KEY_VARIABLE}, to 32 random bytes that stay the same: {_MAKE_KEY}",
        )
    return key or None


_MAKE_KEY = "`openssl rand -hex 32`"
