"""How long rows are kept: rules, and the conditions of SQL that they amount to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from audit_async.config import MAX_RETENTION_DAYS
from audit_async.errors import ConfigurationError, meant
from audit_async.events import Category
from audit_async.events.fields import convert
from audit_async.inspection import TableName
from audit_async.table.ddl import MYSQL, holds_table, quote_of


@dataclass(frozen=True, slots=True)
class Retention:
    """Rows are kept for *days*, by when they happened: all of them, or those of a category, a tenant, or both.

    Of the rules that a row matches the most specific one counts: tenant and category, then tenant, then category, then
    the general one. Rows that no rule matches are kept.

    Raises:
        ConfigurationError: less than a day, or no category.
    """

    days: int
    category: str | None = None
    tenant_id: str | None = None

    def __post_init__(self) -> None:
        if type(self.days) is not int or not 1 <= self.days <= MAX_RETENTION_DAYS:
            raise ConfigurationError(f"rows cannot be kept for {self.days!r} days", hint="give whole days, 1 or more")
        if self.category is not None:
            object.__setattr__(self, "category", known_category(self.category))
        if self.tenant_id is not None:
            object.__setattr__(self, "tenant_id", as_stored("tenant_id", self.tenant_id))

    @property
    def rank(self) -> int:
        """How specific the rule is."""
        return 2 * (self.tenant_id is not None) + (self.category is not None)

    def before(self, now: datetime) -> datetime:
        """Return the time before which rows may go."""
        try:
            return now - timedelta(days=self.days)
        except OverflowError:
            return datetime.min.replace(tzinfo=UTC)

    def __str__(self) -> str:
        parts = [f"tenant {self.tenant_id}"] if self.tenant_id is not None else []
        parts += [f"category {self.category}"] if self.category is not None else []
        return f"{self.days} days" + (f" of {', '.join(parts)}" if parts else "")


def known_category(category: object) -> str:
    """Return *category* as a row has it.

    Raises:
        ConfigurationError: there is none of that name.
    """
    names = [str(each) for each in Category]
    named = str(category).lower()
    if named not in names:
        raise ConfigurationError(
            f"there is no category {named[:100]!r}{meant(named, names)}", hint=f"there are {', '.join(names)}"
        )
    return named


def as_stored(field: str, value: object) -> str:
    """Return an id as a row has it: what an event makes of it.

    Raises:
        ConfigurationError: it is no id.
    """
    stored = convert(field, value, {})
    if not isinstance(stored, str) or not stored:
        raise ConfigurationError(f"{field}={value!r} is no id", hint="give a text that is not empty")
    return stored


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """Which rows may go by one rule, as a condition of SQL with its bound values. No row meets two of them."""

    rule: Retention
    sql: str
    bound: dict[str, Any]
    before: datetime


def conditions(rules: Sequence[Retention], now: datetime, dialect: str) -> list[Condition]:
    """Return the condition of each rule, the most specific one first.

    Raises:
        ConfigurationError: two rules are about the same rows.
    """
    ranked = sorted(rules, key=lambda rule: -rule.rank)
    about = [(rule.tenant_id, rule.category) for rule in ranked]
    for rule, each in zip(ranked, about, strict=True):
        if about.count(each) > 1:
            raise ConfigurationError(f"two rules are about the same rows: {rule}", hint="leave one of them out")
    made: list[Condition] = []
    names: dict[str, Any] = {}
    matches: list[str] = []
    for number, rule in enumerate(ranked):
        parts = []
        for column, value in (("tenant_id", rule.tenant_id), ("category", rule.category)):
            if value is not None:
                names[f"{column}_{number}"] = value
                parts.append(f"(({column} = :{column}_{number}) IS TRUE)")
        match = " AND ".join(parts) or "(1 = 1)"
        wins = " AND ".join([match, *(f"NOT ({better})" for better in matches)])
        matches.append(match)
        bound = {**names, f"before_{number}": moment_for(dialect, rule.before(now))}
        made.append(
            Condition(
                rule=rule, sql=f"({wins} AND created_at < :before_{number})", bound=bound, before=rule.before(now)
            )
        )
    return made


def not_held(name: TableName, part: TableName, dialect: str) -> str:
    """Return the condition that no legal hold on *name* touches a row of *part*, which is all of it or a partition."""
    quote = quote_of(dialect)
    row = part.in_text(quote)
    same = " AND ".join(
        f"(hold.{column} IS NULL OR hold.{column} = {row}.{column})" for column in ("tenant_id", "category", "user_id")
    )
    return (
        f"NOT EXISTS (SELECT 1 FROM {holds_table(name).in_text(quote)} AS hold WHERE {same}"
        f" AND (hold.since IS NULL OR hold.since <= {row}.created_at)"
        f" AND (hold.until IS NULL OR {row}.created_at < hold.until))"
    )


def moment_for(dialect: str, moment: datetime) -> Any:
    """Return *moment* as the database compares it: SQLite keeps times as text that sorts as time does, MariaDB and
    MySQL in UTC without saying so.
    """
    plain = moment.astimezone(UTC).replace(tzinfo=None)
    if dialect in MYSQL:
        return plain
    return f"{plain.isoformat(timespec='microseconds')}Z" if dialect == "sqlite" else moment


def moment_of(value: Any) -> datetime | None:
    """Return the time that the database gave, whatever way it keeps times."""
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    return None
