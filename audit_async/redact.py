"""Take secrets out of an event before anything of it reaches a disk.

A value is removed for the name of its key, whatever the key's case, separators or width: `Client-Secret`,
`clientSecret` and a full-width `ｐａｓｓｗｏｒｄ` are alike. Booleans and nulls stay: `password_changed: true` is no secret.

Source: the deny list of sentry-sdk's scrubber, without the addresses that an audit log is there to keep.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Any

import msgspec

from audit_async.config import CONTEXT_SPELLINGS
from audit_async.events import AuditEvent

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
)
_WHOLE = frozenset({"auth", "pin", "cvv", "cvc", "phpsessid", "jsessionid", "connectsid", "sessionid", "sid"})
_SEPARATORS = re.compile(r"[\W_]+")
_FIELDS = ("details", "metadata", "old_values", "new_values")

_verdicts: dict[str, bool] = {}


def is_secret_key(key: str) -> bool:
    """Return whether the value under *key* is removed. Each distinct key is judged once."""
    verdict = _verdicts.get(key)
    if verdict is None:
        bare = _SEPARATORS.sub("", unicodedata.normalize("NFKC", key)).casefold()
        verdict = bare in _WHOLE or bare.endswith(_ENDINGS)
        if len(_verdicts) < CONTEXT_SPELLINGS:
            _verdicts[key] = verdict
    return verdict


def redact(event: AuditEvent) -> AuditEvent:
    """Return *event* without its secrets; the same object when it has none."""
    changes: dict[str, Any] = {}
    for name in _FIELDS:
        value = getattr(event, name)
        if value:
            clean = _object(value)
            if clean is not value:
                changes[name] = clean
    return msgspec.structs.replace(event, **changes) if changes else event


def _object(value: dict[str, Any]) -> dict[str, Any]:
    """Return *value* itself as long as nothing in it has to change, else a copy."""
    result = value
    for key, item in value.items():
        kind = type(item)
        if is_secret_key(key):
            clean: Any = item if item is None or kind is bool else REDACTED
        elif kind is dict:
            clean = _object(item)
        elif kind is list:
            clean = _list(item)
        else:
            continue
        if clean is not item:
            if result is value:
                result = dict(value)
            result[key] = clean
    return result


def _list(value: list[Any]) -> list[Any]:
    result = value
    for index, item in enumerate(value):
        clean = _object(item) if type(item) is dict else _list(item) if type(item) is list else item
        if clean is not item:
            if result is value:
                result = list(value)
            result[index] = clean
    return result
