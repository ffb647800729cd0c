"""Row-level security, where a table has it, is used beside the scope, and never makes a part look like the whole."""

from __future__ import annotations

from typing import Any

import pytest

from audit_async import AuditReader, Scope
from audit_async.errors import ConfigurationError
from tests.maintenance.conftest import Ruled
from tests.maintenance.conftest import isolated as isolated
from tests.maintenance.conftest import ruled as ruled
from tests.store.conftest import postgres_empty as postgres_empty
from tests.store.conftest import postgres_place as postgres_place


@pytest.mark.parametrize(("tenant", "count"), [("t1", 3), ("t2", 20), ("t3", 0), (Scope.of(), 0)])
async def test_the_readers_role_sees_its_tenant(isolated: Ruled, tenant: Any, count: int) -> None:
    """The tenant of the scope is told to the database, in each transaction anew."""
    async with AuditReader(isolated.url(isolated.roles.reader), tenant=tenant) as reader:
        assert [count] * 2 == [await reader.count(), len(await reader.search())]


@pytest.mark.parametrize("scope", [Scope.all(), Scope.of("t1", "t2"), Scope.of(None)])
async def test_a_scope_that_the_database_would_cut_is_refused(isolated: Ruled, scope: Scope) -> None:
    """A listing that misses rows without a word would be worse than none; the auditor's role sees all."""
    with pytest.raises(ConfigurationError, match=r"row-level security(.|\n)*auditor"):
        async with AuditReader(isolated.url(isolated.roles.reader), tenant=scope):
            pass
    async with AuditReader(isolated.url(isolated.roles.auditor), tenant=scope) as reader:
        assert await reader.count() == {Scope.all(): 24, Scope.of("t1", "t2"): 23}.get(scope, 0)
