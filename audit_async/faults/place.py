"""Where a batch was to go, as messages name it."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import URL

_PORTS = {"postgresql": 5432, "mysql": 3306, "mariadb": 3306}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a batch was to go, as messages name it.

    Attributes:
        server: `host:port`, or a file's path.
        database: its name there, or an empty text.
        table: the table, with its schema if one was given.
        role: who we are to the server.
        purpose: what is to be done with the table.
    """

    server: str = "the database server"
    database: str = ""
    table: str = "audit_logs"
    role: str = "the writer's role"
    purpose: str = "write to"

    @property
    def making(self) -> str:
        """The command that makes the table."""
        return making(self.table)

    @classmethod
    def of(cls, url: URL, table: object, purpose: str = "write to") -> Place:
        """Return the place that *url* names."""
        if url.get_backend_name() == "sqlite":
            return cls(server=url.database or "the database in memory", table=str(table), purpose=purpose)
        return cls(
            server=f"{url.host or 'localhost'}:{url.port or _PORTS.get(url.get_backend_name(), 'its port')}",
            database=url.database or "",
            table=str(table),
            role=url.username or "the role",
            purpose=purpose,
        )


def making(table: object) -> str:
    """Return the command that makes *table*, under its usual name or another one."""
    return "audit-async init URL" if str(table) == "audit_logs" else f"audit-async init URL --table {table}"
