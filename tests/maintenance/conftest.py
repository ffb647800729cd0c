"""A table of ours whose rights are set, and a way to log in as each role."""

from __future__ import annotations

import os
from dataclasses import dataclass

import pytest
from sqlalchemy import make_url, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from audit_async.maintenance.roles import RoleNames, apply_roles
from tests.store.conftest import Place, postgres_empty, postgres_place
from tests.store.entries import entries

__all__ = ["postgres_empty", "postgres_place"]


@dataclass
class Ruled:
    """A place with roles of its own, since a server shares its roles among all databases."""

    place: Place
    roles: RoleNames

    def url(self, role: str) -> str:
        return make_url(self.place.url).set(username=role, password="only-here").render_as_string(hide_password=False)

    async def let_log_in(self) -> None:
        await self.place.execute(*(f"ALTER ROLE \"{role}\" PASSWORD 'only-here'" for role in self.roles.all))

    async def run(self, role: str, *statements: str) -> list[tuple[object, ...]]:
        """Run *statements* in one transaction, logged in as *role*; return the last one's rows."""
        engine = create_async_engine(self.url(role), poolclass=NullPool)
        try:
            async with engine.begin() as connection:
                for statement in statements:
                    result = await connection.execute(text(statement))
                return [tuple(row) for row in result] if result.returns_rows else []
        finally:
            await engine.dispose()

    async def is_refused(
        self, role: str, *statements: str, match: str = "permission denied|must be (owner|superuser)"
    ) -> None:
        with pytest.raises(DBAPIError, match=match):
            await self.run(role, *statements)


@pytest.fixture
def ruled(postgres_place: Place) -> Ruled:
    """A table without rights set, and the names of roles that are not there yet."""
    own = os.urandom(4).hex()
    names = RoleNames(owner=f"owner_{own}", writer=f"writer_{own}", reader=f"reader_{own}", auditor=f"auditor_{own}")
    return Ruled(postgres_place, names)


@pytest.fixture
async def applied(ruled: Ruled) -> Ruled:
    """Rights are set, without tenants, and each role can log in."""
    await apply_roles(ruled.place.url, roles=ruled.roles)
    await ruled.let_log_in()
    return ruled


@pytest.fixture
async def isolated(ruled: Ruled) -> Ruled:
    """Rights are set, with tenants, and there are rows of two."""
    await apply_roles(ruled.place.url, roles=ruled.roles, tenant_isolation=True)
    await ruled.let_log_in()
    store = ruled.place.open(url=ruled.url(ruled.roles.writer))
    for tenant, count in (("t1", 3), ("t2", 20), ("", 1)):
        await store.insert(entries(count, tenant_id=tenant))
    return ruled
