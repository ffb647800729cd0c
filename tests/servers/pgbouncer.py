"""PgBouncer in front of a PostgreSQL server of our own, which gives each transaction another session of the server.

with Pooler(server, database) as pooler:
    engine = create_async_engine(...)  # to pooler.port
"""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from pathlib import Path

from tests.polling import eventually_sync
from tests.servers.postgres import PostgresCluster, as_server_user, server_user
from tests.servers.process import START_SECONDS, OwnServer, free_port

SESSIONS = 2
"""With the server, for all clients together: each is sure to meet the others' sessions."""

SETTINGS = """
[databases]
{database} = host={host} port={port} user={user} password={password}

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {listen_port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = {sessions}
server_round_robin = 1
"""


class Pooler(OwnServer):
    """A pooler for one database: a context manager that starts and stops it. It lets everybody in."""

    def __init__(self, server: PostgresCluster, database: str) -> None:
        self.port = free_port()
        self._settings = SETTINGS.format(
            database=database,
            host=server.host,
            port=server.port,
            user=server.user,
            password=server.password,
            listen_port=self.port,
            sessions=SESSIONS,
        )

    def start(self) -> None:
        """Start it, and return when it takes connections."""
        program = find_pgbouncer()
        assert program is not None
        self._home = Path(tempfile.mkdtemp(prefix="audit-pgbouncer-"))
        settings = self._home / "pgbouncer.ini"
        settings.write_text(self._settings)
        if owner := server_user():
            os.chown(self._home, owner.pw_uid, owner.pw_gid)
            os.chown(settings, owner.pw_uid, owner.pw_gid)
        self._begin([program, settings], ending='kill -KILL "$0"', **as_server_user(self._home))
        eventually_sync(self._answers, START_SECONDS)

    def close(self) -> None:
        """Stop at once and remove all files."""
        self._bury()
        self._remove_files()

    def _answers(self) -> bool:
        if not self.is_running:
            raise RuntimeError(f"PgBouncer did not start:\n{self._log.read_text()}")
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


def find_pgbouncer() -> Path | None:
    """Return the pooler's program, which is not on everybody's path, or None."""
    found = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    return Path(found) if found else None
