"""A PostgreSQL server that follows another one, and takes its place when it is promoted.

with PostgresServer(binaries) as primary, StandbyServer(primary, binaries) as standby:
    standby.is_waited_for()
    primary.stop("immediate")
    standby.promote()
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from pathlib import Path

from tests.polling import eventually_sync
from tests.servers.postgres import PostgresServer, as_server_user, readable, server_user
from tests.servers.process import run_installer


class StandbyServer(PostgresServer):
    """A copy of *primary* that streams what is committed there and takes no writes, until it is promoted."""

    def __init__(self, primary: PostgresServer, binaries: Path) -> None:
        super().__init__(binaries)
        self.user, self.password = primary.user, primary.password
        self._primary = primary

    def is_waited_for(self) -> None:
        """Have the primary wait for this server at each commit from now on; return when it does."""
        eventually_sync(
            lambda: _ask(self._primary, "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'")
        )
        _ask(self._primary, "ALTER SYSTEM SET synchronous_standby_names = '*'")
        _ask(self._primary, "SELECT pg_reload_conf()")
        is_synchronous = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'"
        eventually_sync(lambda: _ask(self._primary, is_synchronous))

    def promote(self) -> None:
        """Become a primary, and return when it takes writes."""
        _ask(self, "SELECT pg_promote()")

    def _create(self) -> None:
        home = Path(tempfile.mkdtemp(prefix="audit-standby-"))
        self._home = home
        if owner := server_user():
            os.chown(home, owner.pw_uid, owner.pw_gid)
            self.binaries = readable(self.binaries, home)
        run_installer(
            [
                *(self.binaries / "pg_basebackup", "-D", home / "data", "--checkpoint=fast", "--no-sync"),
                *("--write-recovery-conf", "-h", self._primary.host, "-p", str(self._primary.port), "-U", self.user),
            ],
            env={**os.environ, "PGPASSWORD": self.password},
            **as_server_user(home),
        )


def _ask(server: PostgresServer, statement: str) -> object:
    async def ask() -> object:
        connection = await server.connect()
        try:
            return await connection.fetchval(statement)
        finally:
            await connection.close()

    return asyncio.run(ask())
