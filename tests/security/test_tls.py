"""TLS: who is warned, who is refused, and what heals."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from audit_async import AuditLogger, events
from audit_async.errors import ConfigStoreError
from audit_async.store import StoreOptions
from audit_async.store.opening import open_store
from audit_async.table.creation import create_table
from tests.logs import heard
from tests.polling import eventually
from tests.security.certificates import Authority, Certificate
from tests.security.encrypted import LOOPBACK, EncryptedPostgres, encrypted_mariadb, own_address
from tests.servers.mariadb import MariadbServer
from tests.store.entries import entries
from tests.tables import count_rows

READABLE, UNCHECKED = "NOT ENCRYPTED", "NOBODY CHECKS WHOSE SERVER IT IS"


@dataclass
class Kit:
    """A server with TLS at this machine's own address, and what it may show.

    Attributes:
        trusting: the query of an address that trusts the authority, or another one.
        show: makes the server show a certificate from now on.
    """

    url: str
    trusting: Callable[[Authority], str]
    show: Callable[[Certificate], object]
    shown: dict[str, Certificate]
    authority: Authority
    stranger: Authority


@pytest.fixture(scope="module")
def authorities(tmp_path_factory: pytest.TempPathFactory) -> tuple[Authority, Authority]:
    """One whose certificates the servers show, and another one."""
    directory = tmp_path_factory.mktemp("certificates")
    return Authority(directory / "ours"), Authority(directory / "stranger")


@pytest.fixture(scope="module")
def shown(authorities: tuple[Authority, Authority]) -> dict[str, Certificate]:
    """Certificates that a server may show."""
    ours, _ = authorities
    hosts = ("DNS:localhost", f"IP:{LOOPBACK}", f"IP:{own_address()}")
    return {
        "good": ours.issue("good", *hosts),
        "of another host": ours.issue("other", "DNS:db.example"),
        "expired": ours.issue("old", *hosts, is_expired=True),
    }


@pytest.fixture(scope="module")
def encrypted_postgres(shown: dict[str, Certificate]) -> Iterator[EncryptedPostgres]:
    """PostgreSQL with TLS, on the loopback and on this machine's own address."""
    with EncryptedPostgres(shown["good"], own_address()) as server:
        yield server


@pytest.fixture(scope="module")
def encrypted_maria(shown: dict[str, Certificate], tmp_path_factory: pytest.TempPathFactory) -> Iterator[MariadbServer]:
    """MariaDB with TLS, on this machine's own address."""
    directory = tmp_path_factory.mktemp("shown")
    certificate = Certificate(directory / "server.pem", directory / "server.key")
    copy(shown["good"], certificate)
    with encrypted_mariadb(certificate, own_address()) as server:
        server.home.joinpath("shown").symlink_to(directory)
        yield server


def copy(certificate: Certificate, place: Certificate) -> None:
    place.file.write_bytes(certificate.file.read_bytes())
    place.key.write_bytes(certificate.key.read_bytes())


@pytest.fixture
async def kit(
    request: pytest.FixtureRequest, authorities: tuple[Authority, Authority], shown: dict[str, Certificate]
) -> AsyncIterator[Kit]:
    """The server of the test's parameter, with our table in a new database, and its good certificate afterwards."""
    if request.param == "postgres":
        server: EncryptedPostgres = request.getfixturevalue("encrypted_postgres")
        database = await server.create_database()
        await create_table(server.url(database))
        yield Kit(
            server.url(database).replace(f"@{LOOPBACK}:", f"@{own_address()}:"),
            lambda authority: f"?ssl=verify-full&sslrootcert={authority.file}",
            server.show,
            shown,
            *authorities,
        )
        server.show(shown["good"])
        await server.drop_database(database)
    else:
        maria: MariadbServer = request.getfixturevalue("encrypted_maria")
        database = await maria.create_database()
        await create_table(maria.url(database))
        place = Certificate(maria.home / "shown/server.pem", maria.home / "shown/server.key")
        yield Kit(
            maria.url(database),
            lambda authority: f"?ssl_ca={authority.file}",
            lambda certificate: copy(certificate, place),
            shown,
            *authorities,
        )
        copy(shown["good"], place)
        await maria.run("FLUSH SSL")
        await maria.drop_database(database)


EACH = pytest.mark.parametrize("kit", ["postgres", "mariadb"], indirect=True)


async def show(kit: Kit, name: str, request: pytest.FixtureRequest) -> None:
    """Have the server show the certificate *name* to whoever connects from now on."""
    kit.show(kit.shown[name])
    if "mysql" in kit.url:
        maria: MariadbServer = request.getfixturevalue("encrypted_maria")
        await maria.run("FLUSH SSL")


async def insert(url: str, *, times: int = 1) -> list[str]:
    """Insert on *times* connections, and return what is said of TLS meanwhile."""
    with heard() as lines:
        for _ in range(times):
            store = open_store(StoreOptions(url=url))
            try:
                await store.insert(entries(1), is_replay=True)
            finally:
                await store.close()
    return [line for line in lines if "the connection to the database" in line]


@pytest.mark.parametrize(
    ("kit", "query", "weakness"),
    [
        ("postgres", "", UNCHECKED),
        ("postgres", "?ssl=require", UNCHECKED),
        ("postgres", "?ssl=disable", READABLE),
        ("postgres", "trusting", None),
        ("postgres", "?sslmode=verify-ca&sslrootcert={}", None),
        ("mariadb", "", READABLE),
        ("mariadb", "?ssl_cipher=ALL", UNCHECKED),
        ("mariadb", "trusting", None),
    ],
    indirect=["kit"],
)
async def test_who_can_be_listened_to_is_told_once(kit: Kit, query: str, weakness: str | None) -> None:
    """A server on another host without TLS, or whose certificate nobody looks at, is one WARNING that says what to
    add to the URL; one that is verified is none."""
    query = kit.trusting(kit.authority) if query == "trusting" else query.format(kit.authority.file)
    said = await insert(kit.url + query, times=2)
    if weakness is None:
        assert [] == said
        return
    (line,) = said
    assert line.startswith("WARNING")
    assert weakness in line
    assert ("?ssl_ca=FILE" if "mysql" in kit.url else "?ssl=verify-full&sslrootcert=FILE") in line


async def test_what_does_not_leave_this_host_is_no_matter(
    encrypted_postgres: EncryptedPostgres, mariadb: MariadbServer
) -> None:
    """On the loopback, and through a Unix socket, nobody is on the way: nothing is said."""
    database = await encrypted_postgres.create_database()
    url = encrypted_postgres.url(database)
    await create_table(url)
    through_socket = url.replace(f"@{LOOPBACK}:{encrypted_postgres.port}/", "@/")
    socket = f"?host={encrypted_postgres.home}&port={encrypted_postgres.port}"
    assert [] == await insert(f"{url}?ssl=disable") + await insert(url) + await insert(through_socket + socket)
    other = await mariadb.create_database()
    await create_table(mariadb.url(other))
    assert [] == await insert(mariadb.url(other))
    await mariadb.drop_database(other)
    await encrypted_postgres.drop_database(database)


@EACH
@pytest.mark.parametrize("what", ["of a stranger", "of another host", "expired"])
async def test_a_certificate_that_is_not_trusted_is_refused(
    kit: Kit, what: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """No event goes to a server that cannot prove whose it is; that is a fault of the set-up, with a hint."""
    url = kit.url + kit.trusting(kit.stranger if what == "of a stranger" else kit.authority)
    if what != "of a stranger":
        await show(kit, what, request)
    with pytest.raises(ConfigStoreError, match="certificate that is not trusted") as caught:
        await insert(url)
    assert "ssl_ca" in str(caught.value.hint)
    with pytest.raises(ConfigStoreError, match="certificate that is not trusted"):
        await create_table(url)
    assert 0 == await count_rows(kit.url)


@EACH
async def test_events_arrive_when_the_certificate_is_mended(
    kit: Kit, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Behind an expired certificate events wait in the journal, `health()` says why, and all arrive with a new one."""
    await show(kit, "expired", request)
    async with AuditLogger(kit.url + kit.trusting(kit.authority), journal_dir=tmp_path / "journal") as audit:
        for _ in range(5):
            audit.log(events.custom("a"))
        await eventually(lambda: "certificate has expired" in str(audit.health().reasons))
        await show(kit, "good", request)
        assert await audit.flush(30)
        assert (5, 0, 0) == (audit.stats().stored, audit.stats().quarantined, audit.stats().dropped)
    assert 5 == await count_rows(kit.url)


@EACH
@pytest.mark.parametrize("content", [None, "no certificate"])
async def test_a_file_that_is_no_certificate_is_named(kit: Kit, content: str | None, tmp_path: Path) -> None:
    """A file for TLS that is not there, or holds something else, is a fault of the set-up."""
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_text(content)
    with pytest.raises(ConfigStoreError) as caught:
        await insert(kit.url + kit.trusting(Authority.at(file)))
    assert (str(file) if content is None else "no TLS can be agreed on") in caught.value.message


async def test_a_server_without_tls_is_no_substitute(
    postgres_url: str, mariadb: MariadbServer, authorities: tuple[Authority, Authority]
) -> None:
    """Who asks for TLS is never connected without it."""
    ours, _ = authorities
    if "?" not in postgres_url:
        with pytest.raises(ConfigStoreError, match=r"TLS|certificate"):
            await insert(f"{postgres_url}?ssl=verify-full&sslrootcert={ours.file}")
    database = await mariadb.create_database()
    with pytest.raises(ConfigStoreError, match=r"TLS|certificate"):
        await insert(f"{mariadb.url(database)}?ssl_ca={ours.file}")
    await mariadb.drop_database(database)
