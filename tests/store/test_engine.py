"""What is known of a connection of our own."""

from __future__ import annotations

import pytest
from sqlalchemy import make_url

from audit_async.store.engine import is_readable_on_the_way, raw_connection
from tests.store.conftest import Place, empty  # noqa: F401 -- fixtures


@pytest.mark.parametrize("empty", ["asyncpg", "mariadb"], indirect=True)
@pytest.mark.parametrize(("host", "is_readable"), [("db.example", True), ("127.0.0.1", False), ("", False)])
async def test_what_leaves_the_host_unencrypted_can_be_read(empty: Place, host: str, is_readable: bool) -> None:  # noqa: F811
    """A connection without TLS is one that others can read, unless its server is on this host."""
    async with empty.admin.connect() as connection:
        raw = await raw_connection(connection)
        assert is_readable == is_readable_on_the_way(make_url(empty.url).set(host=host), raw)
