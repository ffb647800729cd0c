"""The database's address: what it names, and what the first mistake is answered."""

from __future__ import annotations

import os

import pytest

from audit_async.address import read_address
from audit_async.errors import ConfigurationError


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql+asyncpg://app:secret@db.example/app", "postgresql://db.example:5432/app"),
        ("postgresql+asyncpg://app:s%40x@db.example:6543/app?ssl=require", "postgresql://db.example:6543/app"),
        ("postgresql+asyncpg:///app", "postgresql://localhost:5432/app"),
        ("sqlite+aiosqlite:////var/lib/audit.db", "sqlite:/var/lib/audit.db"),
        ("sqlite+aiosqlite:///audit.db", f"sqlite:{os.getcwd()}/audit.db"),
        ("sqlite+aiosqlite://", "sqlite::memory:"),
    ],
)
def test_an_address_is_shown_without_credentials(url: str, shown: str) -> None:
    """An address prints as what it names, never with a password."""
    assert shown == str(read_address(url))
    assert "secret" not in repr(read_address(url))


def test_the_destination_is_the_table_not_the_way_to_it() -> None:
    """Driver, user, password and query do not make another destination; host, database and table do."""
    one = read_address("postgresql+asyncpg://app:a@db/app").destination("audit_logs")
    assert one == read_address("postgresql+psycopg://me:b@db:5432/app?x=1").destination("audit_logs")
    assert one != read_address("postgresql+asyncpg://app:a@db2/app").destination("audit_logs")
    assert one != read_address("postgresql+asyncpg://app:a@db/other").destination("audit_logs")
    assert one != read_address("postgresql+asyncpg://app:a@db/app").destination("trail")


@pytest.mark.parametrize(
    ("url", "hint"),
    [
        ("postgresql://app@db/app", r"write 'postgresql\+asyncpg://'"),
        ("postgres://app@db/app", r"write 'postgresql\+asyncpg://'"),
        ("sqlite:///audit.db", r"write 'sqlite\+aiosqlite://'"),
        ("audit.db", "give one like"),
        (42, "give one like"),
        ("postgresql+asyncpg://app:p@ss:w/ord@db/app", "%40"),
    ],
)
def test_the_first_mistake_is_answered_with_what_to_write(url: object, hint: str) -> None:
    """A wrong address is an error that says what to write instead, without repeating a password."""
    with pytest.raises(ConfigurationError, match=hint) as caught:
        read_address(url)
    assert "w/ord" not in str(caught.value)
