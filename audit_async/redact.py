"""Take secrets out of an event before anything of it reaches a disk.

A value is removed for the name of its key, whatever the key's case, separators, accents or width: `Client-Secret`,
`clientSecret` and a full-width `ｐａｓｓｗｏｒｄ` are alike. Booleans and nulls stay, and so do numbers
of tokens: `password: true` and `input_tokens: 12` are no secrets.

Source: the deny list of sentry-sdk's scrubber, without the addresses that an audit log is there to keep.
"""

from __future__ import annotations

import re
import unicodedata
from types import NoneType
from typing import Any

import msgspec

from audit_async.config import CONTEXT_SPELLINGS, MAX_KEY_CHARS
from audit_async.events import AuditEvent
from audit_async.shapes import pass_on
from audit_async.text import CUT_NOTE
from audit_async.values import plain_object

REDACTED = "[redacted]"

_ENDINGS = (
    "password",
    "passwd",
    "pwd",
    "passphrase",
    "secret",
    "token",
    "apikey",
    "privatekey",
    "accesskey",
    "aeskey",
    "signingkey",
    "encryptionkey",
    "authorization",
    "cookie",
    "credential",
    "credentials",
    "otp",
    "mfacode",
    "recoverycodes",
    "samlresponse",
    "assertion",
    "codeverifier",
    "csrf",
    "xsrf",
    "sessionkey",
    "connectionstring",
    "dsn",
    "jwt",
    "passcode",
    "passwords",
    "secrets",
    "apikeys",
    "cookies",
)
_WHOLE = frozenset({"auth", "pass", "pin", "cvv", "cvc", "phpsessid", "jsessionid", "connectsid", "sessionid", "sid"})
_SEPARATORS = re.compile(r"[\W_]+")
_FIELDS = ("details", "metadata", "old_values", "new_values")

_COUNTED = ("tokens",)
_SCALARS = frozenset({str, int, float, bool, NoneType})
_NO_SECRETS = frozenset({bool, NoneType})
_NUMBERS = frozenset({int, float})

_MAX_SHAPE_KEYS = 32

_verdicts: dict[str, bool] = {}
_harmless_shapes: set[tuple[str, ...]] = set()


def is_secret_key(key: str) -> bool:
    """Return whether the value under *key* is removed. Each distinct key is judged once.

    Accents and numbers at the end do not count; a key that was cut is judged by what was cut off: unknown, so secret.
    """
    verdict = _verdicts.get(key)
    if verdict is None:
        bare = _SEPARATORS.sub("", unicodedata.normalize("NFKD", key)).casefold().rstrip("0123456789")
        verdict = bare in _WHOLE or bare.endswith(_ENDINGS + _COUNTED) or CUT_NOTE in key
        if len(_verdicts) < CONTEXT_SPELLINGS and len(key) <= MAX_KEY_CHARS:
            _verdicts[key] = verdict
    return verdict


def redact(event: AuditEvent) -> AuditEvent:
    """Return *event* without its secrets; the same object when it has none. Never raises.

    An object that no builder made (of other types, or with a part that occurs twice) is made plain first.
    """
    changes: dict[str, Any] = {}
    for name in _FIELDS:
        value = getattr(event, name)
        if value is not None and (type(value) is not dict or value):
            clean = value if _is_known_harmless(value) else _clean(value)
            if clean is not value:
                changes[name] = clean
    return msgspec.structs.replace(event, **changes) if changes else event


def _is_known_harmless(value: Any) -> bool:
    """Return whether *value* is a flat object whose keys, as a whole, were judged before."""
    return (
        type(value) is dict
        and len(value) <= _MAX_SHAPE_KEYS
        and tuple(value) in _harmless_shapes
        and _SCALARS.issuperset(map(type, value.values()))
    )


def _clean(value: Any) -> dict[str, Any]:
    try:
        return _object(value, set())
    except BaseException as error:
        pass_on(error)
        return _object(plain_object(value), set())


def _object(value: dict[str, Any], seen: set[int]) -> dict[str, Any]:
    """Return *value* itself as long as nothing in it has to change, else a copy."""
    _expect(dict, value, seen)
    result = value
    for key, item in value.items():
        if type(key) is not str:
            raise _NotPlainError
        clean = _secret(key, item) if is_secret_key(key) else item
        kind = type(clean)
        if kind not in _SCALARS:
            clean = _list(clean, seen) if kind is list else _object(clean, seen)
        if clean is not item:
            if result is value:
                result = dict(value)
            result[key] = clean
    if result is value and len(value) <= _MAX_SHAPE_KEYS and len(_harmless_shapes) < CONTEXT_SPELLINGS:
        _remember(value)
    return result


def _remember(value: dict[str, Any]) -> None:
    if all(key in _verdicts and not _verdicts[key] for key in value):
        _harmless_shapes.add(tuple(value))


def _list(value: list[Any], seen: set[int]) -> list[Any]:
    _expect(list, value, seen)
    result = value
    if len(value) == 2 and type(value[0]) is str and is_secret_key(value[0]):
        # A header as a pair of name and value.
        result = [value[0], _secret(value[0], value[1])]
    for index, item in enumerate(result):
        kind = type(item)
        if kind not in _SCALARS:
            clean = _list(item, seen) if kind is list else _object(item, seen)
            if clean is not item:
                if result is value:
                    result = list(value)
                result[index] = clean
    return result


def _secret(key: str, item: Any) -> Any:
    """Return what stays of a secret: nothing, but for booleans, nulls and numbers of tokens (`input_tokens`)."""
    kind = type(item)
    if kind in _NO_SECRETS or (kind in _NUMBERS and key.casefold().endswith(_COUNTED)):
        return item
    return REDACTED


def _expect(kind: type, value: Any, seen: set[int]) -> None:
    if type(value) is not kind or id(value) in seen:
        raise _NotPlainError
    seen.add(id(value))


class _NotPlainError(Exception):
    """Something in the value is no plain data of our own making."""
