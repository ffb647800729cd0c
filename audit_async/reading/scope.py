"""Whose events may be seen: the tenants of a reader."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self

from audit_async.errors import ConfigurationError
from audit_async.events.fields import InvalidValueError, to_id


@dataclass(frozen=True, slots=True)
class Scope:
    """The tenants whose events a reader shows. Nothing of it is implied: every tenant has to be said.

        Scope.of("t-1")             one tenant
        Scope.of("t-1", "t-2")      two
        Scope.of(None)              events without a tenant
        Scope.of()                  nothing
        Scope.all()                 everything, of every tenant and of none

    Attributes:
        tenants: their ids, None for events without one; None in place of the set for all.
    """

    tenants: frozenset[str | None] | None

    @classmethod
    def all(cls) -> Self:
        """Return the scope of everything."""
        return cls(None)

    @classmethod
    def of(cls, *tenants: Any) -> Self:
        """Return the scope of some tenants, by whatever an event takes for a tenant's id.

        Raises:
            ConfigurationError: one of them is no id: an empty text, a list.
        """
        return cls(frozenset(_tenant(tenant) for tenant in tenants))

    @classmethod
    def read(cls, given: Any) -> Scope:
        """Return the scope that *given* says: one, a tenant, or several."""
        if isinstance(given, Scope):
            return given
        if isinstance(given, Iterable) and not isinstance(given, (str, bytes, bytearray)):
            return cls.of(*given)
        return cls.of(given)

    @property
    def is_all(self) -> bool:
        """Whether it keeps nothing out."""
        return self.tenants is None

    @property
    def only(self) -> str | None:
        """The tenant, where it is one and no more; else None."""
        if self.tenants is not None and len(self.tenants) == 1:
            (tenant,) = self.tenants
            return tenant
        return None

    def covers(self, tenant: str | None) -> bool:
        """Return whether an event of *tenant* may be seen."""
        return self.tenants is None or tenant in self.tenants

    def to_list(self) -> list[str | None] | None:
        """Return its tenants in their order, as a cursor is bound to them; None for all."""
        return None if self.tenants is None else sorted(self.tenants, key=lambda tenant: tenant or "")

    def __str__(self) -> str:
        if self.tenants is None:
            return "all tenants"
        return ", ".join(sorted(tenant or "no tenant" for tenant in self.tenants)) or "nothing"


def _tenant(given: Any) -> str | None:
    if given is None:
        return None
    tenant = ""
    if isinstance(given, (str, int, bytes, uuid.UUID)) and not isinstance(given, bool):
        with suppress(InvalidValueError):
            tenant = to_id(given)
    if not tenant:
        raise ConfigurationError(
            f"a value of type {type(given).__name__} is no tenant: {given!r:.100}",
            hint="give a tenant's id, Scope.of(None) for events without one, or Scope.all()",
        )
    return tenant
