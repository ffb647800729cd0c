"""What a format is, and what all of them read alike: times, ids, addresses, and what is left of a record."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from typing import Any

from audit_async.config import MAX_ADDRESS_CHARS, MAX_ID_CHARS, MAX_WORD_CHARS
from audit_async.errors import AuditError
from audit_async.events import AuditEvent
from audit_async.events.identifier import time_of
from audit_async.importing.identity import Identity

_MILLISECONDS_FROM = 10**11
"""A number of this size counts milliseconds: as seconds it would be in the year 5138."""

_ADDRESS = re.compile(r"\[(?P<inside>[^\]]+)\](?::(?P<port>\d{1,5}))?|(?P<v4>[\d.]+):(?P<v4port>\d{1,5})")


class RefusedError(AuditError):
    """A record cannot become an event; the message says why, as the end of a sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapped:
    """What became of a record.

    Attributes:
        operation: what its own log calls what happened.
        folded: what has no field of its own, and is in `details` or `metadata`.
    """

    event: AuditEvent
    operation: str
    folded: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What is said about a whole file.

    Attributes:
        zone: of times that name none; None for that of this machine.
        tenant_id: of records that name none.
        columns: names that the file has for fields of ours.
    """

    zone: tzinfo | None = UTC
    tenant_id: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    identity: Identity = field(default_factory=Identity)

    def key_of(self, given: Any, moment: datetime | None, body: Mapping[str, Any]) -> tuple[str, datetime]:
        """Return id and time of a record, which are the key of its event: the same ones in every run.

        Args:
            given: its own id, or None.
            moment: its own time; None where its id carries one.

        Raises:
            RefusedError: it has no time.
        """
        own = str(given).strip() if isinstance(given, (str, int)) and not isinstance(given, bool) else ""
        # A text that is cut would get its end from its own digest, so that it would be the same again; it is no id.
        own = own if len(own) <= MAX_ID_CHARS else ""
        moment = moment or time_of(own.lower())
        if moment is None:
            raise RefusedError("it has no time")
        event_id = own or self.identity.id_of(body, moment)
        assert event_id is not None  # no time outside those that an id can carry comes this far
        return event_id, moment


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """A kind of log.

    Attributes:
        about: what it is, in one line.
        read: the event of a record. Raises `RefusedError`, and nothing else for what a record says.
        header_mark: what the first line of a table has in it; empty where it is one in any case, None where in none.
        is_local: whether its times are those of the machine's own clock.
        has_columns: whether its names may be said to be fields of ours.
    """

    name: str
    about: str
    read: Callable[[Mapping[str, Any], Reading], Mapped]
    header_mark: bytes | None = None
    is_local: bool = False
    has_columns: bool = False


def moment_of(value: Any, zone: tzinfo | None) -> datetime | None:
    """Return the time that *value* says, in UTC; None where it says nothing. A number counts from 1970.

    Raises:
        RefusedError: it says something that is no time, or one outside 1970 to 9999.
    """
    if value is None or value == "":
        return None
    try:
        if isinstance(value, str) and len(value) <= MAX_WORD_CHARS:
            moment = datetime.fromisoformat(value.strip())
            # A time without a zone is the machine's own to `astimezone`.
            moment = (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            moment = _since_1970(value)
        else:
            raise ValueError
    except (ValueError, OverflowError, OSError):
        raise RefusedError(f"its time is none: {str(value)[:MAX_WORD_CHARS]!r}") from None
    if not 1970 <= moment.year <= 9998:
        raise RefusedError(f"its time is not in the years 1970 to 9998: {moment.isoformat()}")
    return moment


def _since_1970(value: float) -> datetime:
    # Not by a division, which would round the last digits of the milliseconds.
    if isinstance(value, int) and abs(value) >= _MILLISECONDS_FROM:
        seconds, milliseconds = divmod(value, 1000)
        return datetime.fromtimestamp(seconds, UTC).replace(microsecond=milliseconds * 1000)
    return datetime.fromtimestamp(value, UTC)


def address_of(value: Any) -> tuple[str, str | None] | None:
    """Return address and port of `192.0.2.1:443`, `[2001:db8::1]:443` or a plain address; None where it is none."""
    if not isinstance(value, str) or len(value) > MAX_ADDRESS_CHARS:
        return None
    text, port = value.strip(), None
    if found := _ADDRESS.fullmatch(text):
        text, port = found["inside"] or found["v4"], found["port"] or found["v4port"]
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return str(getattr(address, "ipv4_mapped", None) or address), port


def words_of(name: str) -> str:
    """Return a name as words with underscores between: `file_accessed` for `FileAccessed`."""
    words = re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+", name)
    return "_".join(words).lower() or "unnamed"


def said(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of *values* that say something: no None, no empty text, list or object."""
    return {name: value for name, value in values.items() if value not in (None, "", [], {}, ())}
