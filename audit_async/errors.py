"""What can go wrong, said so that the reader knows what to do.

An error carries facts as attributes and a `hint`, printed below the message. A store error says by its class
whether trying again can help.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class AuditError(Exception):
    """Base of every error of this package.

    Attributes:
        message: what happened, to what.
        hint: what to do about it, or None.
    """

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\nHINT: {self.hint}" if self.hint else self.message


class ConfigurationError(AuditError):
    """A setting is wrong: an address that is none, a name that is unknown."""


class UnknownActionError(AuditError, ValueError):
    """A logger with `strict=True` was given an action that the vocabulary does not have; nothing was logged."""


class AuditUnavailableError(AuditError):
    """`require()` could neither store the event nor put it on disk in the time agreed to."""


class JournalFullError(AuditError):
    """The journal holds as many bytes as it may; nothing was added.

    Attributes:
        reason: `journal_full` (the budget on disk) or `memory_full` (no disk, and the memory is used up).
    """

    def __init__(self, message: str, *, reason: str, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.reason = reason


class JournalClosedError(AuditError):
    """The journal was closed; nothing was added."""


class StoreError(AuditError):
    """The database did not take a batch.

    Attributes:
        sqlstate: the five characters of the SQL standard, or None.
    """

    def __init__(self, message: str, *, hint: str | None = None, sqlstate: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.sqlstate = sqlstate


class TransientStoreError(StoreError):
    """The database is away, busy or slow. The same batch can succeed later; it may even have succeeded."""


class ConfigStoreError(StoreError):
    """The database is there, but not as it must be (table, column, right, password). Somebody has to mend it."""


class DuplicateStoreError(StoreError):
    """Some of the rows are in the table already: the batch has to be replayed idempotently."""


class DataStoreError(StoreError):
    """The database refuses a row for what is in it. Trying again will not help, leaving that row out will.

    Attributes:
        culprit: the column or constraint that the database named, or None.
    """

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        sqlstate: str | None = None,
        culprit: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint, sqlstate=sqlstate)
        self.culprit = culprit

    @property
    def cause(self) -> tuple[str | None, str] | None:
        """What is the same of rows that are refused alike; None where nothing is named, or the row may yet come."""
        return None if self.culprit is None or self.may_heal else (self.sqlstate, self.culprit)

    @property
    def may_heal(self) -> bool:
        """Whether the row that is missed may yet come: a foreign key to what the caller has not committed."""
        return self.sqlstate == "23503"


class MissingPartitionError(DataStoreError):
    """The table has no partition for the row's time."""


class TableDoubtError(ConfigStoreError):
    """The table refuses every row that was tried for the same column or constraint: is it the rows, or the table?"""

    def __init__(self, refusal: DataStoreError) -> None:
        super().__init__(
            f"the table refuses every event for the same reason: {refusal.message}",
            hint="mend the table: a default for the column, or no such constraint",
            sqlstate=refusal.sqlstate,
        )


def meant(name: str, known: Iterable[str]) -> str:
    """Return ` (did you mean 'x'?)` with the name in *known* that is nearest to *name*; nothing if none is near."""
    there = list(known)
    near = difflib.get_close_matches(name, there, n=1) or difflib.get_close_matches(name.lower(), there, n=1)
    return f" (did you mean {near[0]!r}?)" if near else ""
