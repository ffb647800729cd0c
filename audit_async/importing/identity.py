"""An id for records that have none: the same one in every run, made of what they say."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from audit_async.events.identifier import id_made_of
from audit_async.values import plain_object

_encode = msgspec.json.Encoder(order="sorted").encode


class Identity:
    """Gives ids that carry the record's time, and in their other bits a digest of the record.

    The digest is of the record's fields, sorted, and of how often the same record has come before: two log lines that
    are alike to the last letter are two events, and each has its own id in every run. The file's name and the place in
    it do not count, so that overlapping exports of one log meet in the same ids. It costs some 100 bytes of memory for
    each record without an id.
    """

    def __init__(self) -> None:
        self._seen: Counter[bytes] = Counter()

    def id_of(self, body: Mapping[str, Any], moment: datetime) -> str | None:
        """Return the id of the record that says *body*; None for a time that no id can carry."""
        digest = hashlib.sha256(_canonical(body)).digest()[:16]
        count = self._seen[digest]
        self._seen[digest] = count + 1
        if count:
            digest = hashlib.sha256(digest + str(count).encode()).digest()
        return id_made_of(moment, digest)


def _canonical(body: Mapping[str, Any]) -> bytes:
    try:
        return _encode(body)
    except (UnicodeEncodeError, OverflowError):
        # Halves of characters, and numbers beyond 64 bits: as the event will have them.
        return _encode(plain_object(body))
