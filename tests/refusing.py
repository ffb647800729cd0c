"""Tables that refuse rows, some or all of them, and how often they were asked."""

from __future__ import annotations

from audit_async import AuditLogger, events
from tests.tables import run_sql

NO_POISON = "user_id <> 'poison'"


def log_all(audit: AuditLogger, users: list[str]) -> None:
    for number, user in enumerate(users):
        audit.log(events.custom("report.print", user_id=user, details={"number": number}))


async def check(url: str, **constraints: str) -> None:
    """Let the table refuse from now on what does not hold; what is there may stay."""
    added = (f"ADD CONSTRAINT {name} CHECK ({holds}) NOT VALID" for name, holds in constraints.items())
    await run_sql(url, f"ALTER TABLE audit_logs {', '.join(added)}")


async def refuse_all(url: str) -> None:
    """Let the table refuse every row, by the constraint `shift`; see `was_tried`."""
    await run_sql(url, "CREATE SEQUENCE tries")
    await check(url, shift="nextval('tries') < 0")


async def was_tried(url: str, times: int) -> bool:
    """Return whether rows came to a table that refuses all so often: a sequence counts what is rolled back as well."""
    [row] = await run_sql(url, "SELECT last_value FROM tries")
    return bool(row["last_value"] >= times)


async def raise_for(url: str, user: str, *, when: str = "BEFORE", state: str = "P0001") -> None:
    """Let a trigger refuse the rows of *user*, by that code."""
    await run_sql(
        url,
        f"CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.user_id = '{user}' THEN "
        f"RAISE EXCEPTION 'no' USING ERRCODE = '{state}'; END IF; RETURN NEW; END $$",
        f"CREATE TRIGGER see {when} INSERT ON audit_logs FOR EACH ROW EXECUTE FUNCTION see()",
    )
