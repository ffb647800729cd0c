"""What of an event will not arrive in a mapped table as it is, said before the first one."""

from __future__ import annotations

from dataclasses import dataclass

from audit_async.inspection import TableName, inspect_through
from audit_async.table.connection import connected
from audit_async.table_map.mapping import TableMap
from audit_async.table_map.review import ERROR, INFO, Finding, review


@dataclass(frozen=True, slots=True)
class Probe:
    """What was found.

    Attributes:
        table: its name.
        findings: what to know, errors first.
    """

    table: str
    findings: tuple[Finding, ...]

    @property
    def is_usable(self) -> bool:
        """Whether events can be written: there is no error."""
        return all(finding.level != ERROR for finding in self.findings)

    @property
    def is_clean(self) -> bool:
        """Whether every event will be stored, and nothing of it lost."""
        return all(finding.level == INFO for finding in self.findings)


async def probe(table_map: TableMap, url: str) -> Probe:
    """Look at the table of *table_map*. As `TableMap.probe`."""
    name = TableName.parse(table_map.table)
    async with connected(url, name, "look at") as connection:
        found = await inspect_through(connection, name)
        return Probe(table_map.table, tuple(review(table_map, found)))
