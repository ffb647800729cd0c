"""Questions that are answered by counting, each by one statement."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import Select

from audit_async.config import (
    ANALYSIS_DAYS,
    FAILURES_AT_LEAST,
    MAX_COUNTED_VALUES,
    MAX_LISTED_EVENTS,
    PAGE_EVENTS,
    TOP_VALUES,
)
from audit_async.errors import ConfigurationError, meant
from audit_async.events import AuditEvent
from audit_async.events.vocabulary import FAILED
from audit_async.reading import analysis_statements as statements
from audit_async.reading.analysis_values import Counted, FailedLogins, Period, RepeatedFailures, Seen
from audit_async.reading.asked import LOGINS, PRIVILEGES, action_texts, bounded, check_fields, span_of
from audit_async.reading.behavior import SUSPICIOUS, behavior, unasked
from audit_async.reading.conditions import Condition, conditions
from audit_async.reading.found import activity_of, merged, merged_actions, text_of, value_of
from audit_async.reading.pages import Listing
from audit_async.reading.periods import LENGTHS, Unit
from audit_async.reading.query import Query
from audit_async.reading.scope import Scope
from audit_async.reading.view import View

_FAILED = sorted(FAILED)
_EVERYTHING = Scope.all()


class Analysis(ABC):
    """What an `AuditReader` can be asked beside its events: numbers of them, within its scope.

    Where a query is given, its filters and its times count; its order and its `limit` mean nothing here.
    Lists end at *limit*. Each question raises:

    Raises:
        ConfigurationError: a value that cannot be meant, or a field that this table has no place for.
        QueryTimeoutError: it took too long; the next question may be asked at once.
        StoreError: the database is away, or refuses.
    """

    scope: Scope

    @abstractmethod
    async def _look(self) -> View: ...

    @abstractmethod
    async def _rows(self, statement: Select[Any]) -> Sequence[Sequence[Any]]: ...

    # --- as Aether's audit service answered ------------------------------------------------------------

    async def user_audit_logs(self, user_id: Any, actions: Any = None, limit: int = PAGE_EVENTS) -> list[AuditEvent]:
        """Return the events of a user, by `user_id`, the newest first; those without a user for None.

        Args:
            actions: only these, in whatever spelling, or members of an enumeration; none or an empty list for all.
                Spellings of Aether that are one action to us are told apart where the table has them.
            limit: at most so many events, 1 to `MAX_LISTED_EVENTS`.
        """
        return await self._spelled_events({"user_id": [user_id], "actions": action_texts(actions) or None}, limit)

    async def suspicious_activities(self, hours: float = 24, limit: int = PAGE_EVENTS) -> list[AuditEvent]:
        """Return the events of four kinds in the last hours, the newest first.

        Suspicious activities and unauthorized accesses that were logged as such, log-ins that failed (`auth.login`),
        and requests beyond a rate limit. One beyond a quota is none of them in a table that has the spellings of old;
        ours has one action for both, and it is listed.

        Args:
            hours: counted back from now.
            limit: at most so many events, 1 to `MAX_LISTED_EVENTS`.
        """
        since = span_of("hours", hours, timedelta(hours=1))
        return await self._spelled_events({"actions": SUSPICIOUS, "since": since}, limit)

    async def user_behavior(self, user_id: Any, days: float = ANALYSIS_DAYS) -> dict[str, Any]:
        """Return numbers of what a user did in the last days, under the keys that Aether's audit service gave them.

            user_id, period_days    as they were asked for
            event_counts            number of events by action, as that service spelled it (`login_failed`): a table of
                                    old has that spelling. Of ours, actions that it had no word for have that of another
                                    system of old, or their own, and of its spellings for one action (`request_success`,
                                    `api_key_used`) the first counts for all
            failed_requests         requests (`api.request`) of outcome failure, denied or error
            success_requests        those of outcome success
            success_rate            their share of both, 0 to 1; 0 where there was neither
            suspicious_activities   events of `security.suspicious_activity` and `security.unauthorized_access`
            analysis_time           when it was asked, ISO 8601, UTC

        Args:
            days: counted back from now.
        """
        now = datetime.now(UTC)
        query = Query(user_id=[user_id], since=span_of("days", days, timedelta(days=1)))
        rows = await self._grouped(query, ("action", "outcome"), MAX_COUNTED_VALUES, now)
        found = [(text_of(action) or "", text_of(outcome) or "", int(events)) for action, outcome, events in rows]
        return behavior(query.user_id[0], days, found, now)

    # --- numbers of events -----------------------------------------------------------------------------

    async def counts(
        self, query: Query | None = None, by: str | Sequence[str] = "action", limit: int = PAGE_EVENTS
    ) -> list[Counted]:
        """Return how many events have the same value of a field, or the same values of several, the most first.

        Empty is a value too. Actions are counted under their canonical names, whatever the table calls them.

        Args:
            query: which events; all without.
            by: a field, or several: `action`, or one of a query's.
            limit: at most so many, 1 to `MAX_COUNTED_VALUES`.
        """
        fields = check_fields((by,) if isinstance(by, str) or not isinstance(by, Iterable) else by)
        rows = await self._grouped(query or Query(), fields, bounded("limit", limit, MAX_COUNTED_VALUES))
        view = await self._look()
        found = ((tuple(map(partial(value_of, view), fields, row)), int(row[-1])) for row in rows)
        return [Counted(values=values, events=events) for values, events in merged(found)[:limit]]

    async def activity(self, query: Query | None = None, by: str = "hour") -> list[Period]:
        """Return how many events happened in each hour, or on each day, in UTC, in the order of time.

        From the query's `since`, or else the first event, to its `until`, or else now or the last event, with those in
        which nothing happened; where an event far away makes them too many, the longest stretches of these are left
        out. Events whose time cannot be read are not counted.

        Args:
            by: `hour` or `day`.

        Raises:
            ConfigurationError: those since the query's `since`, or those in which something happened, are more than
                `MAX_COUNTED_VALUES`.
        """
        if by not in LENGTHS:
            raise ConfigurationError(f"{by!r:.100} is no period{meant(str(by), LENGTHS)}", hint="it is hour or day")
        unit: Unit = "hour" if by == "hour" else "day"
        query, now, view = query or Query(), datetime.now(UTC), await self._look()
        where = conditions(query, self.scope, view, now)
        rows = await self._rows(statements.by_period(view, where, unit, MAX_COUNTED_VALUES + 1))
        return activity_of(rows, query, unit, now)

    async def top(self, query: Query | None = None, by: str = "user_id", limit: int = TOP_VALUES) -> list[Seen]:
        """Return the values of a field that most events have, how many, and the first and the last time.

        Events that have none are not counted.

        Args:
            query: which events; all without.
            by: a field: `user_id`, `actor_id`, `action`, `ip_address`, or another of a query's.
            limit: at most so many, 1 to `MAX_COUNTED_VALUES`.
        """
        check_fields((by,))
        most = bounded("limit", limit, MAX_COUNTED_VALUES)
        view = await self._look()
        where = conditions(query or Query(), self.scope, view)
        if by != "action":
            return _seen(view, by, await self._rows(statements.ranked(view, where, by, most)))
        # Several spellings may be of one action: they are put together before the list is cut.
        rows = _seen(view, by, await self._rows(statements.ranked(view, where, by, MAX_COUNTED_VALUES)))
        return merged_actions(rows)[:limit]

    # --- what somebody looks for -----------------------------------------------------------------------

    async def failed_logins(self, query: Query | None = None, limit: int = PAGE_EVENTS) -> list[FailedLogins]:
        """Return the addresses from which log-ins failed, the most first: how many, of how many users, since when.

        Counted are the actions in `LOGINS` (by password, QR code, single sign-on) of outcome failure, denied or error.

        Args:
            query: which of them; those of the last 24 hours without.
            limit: at most so many, 1 to `MAX_COUNTED_VALUES`.
        """
        most = bounded("limit", limit, MAX_COUNTED_VALUES)
        view = await self._look()
        where = self._narrowed(query or Query(since="24h"), view, Query(actions=LOGINS, outcome=_FAILED))
        rows = await self._rows(statements.by_address(view, where, most))
        return [
            FailedLogins(
                ip_address=text_of(address),
                events=int(events),
                users=int(users),
                without_user=int(without),
                first_at=view.moment(first),
                last_at=view.moment(last),
            )
            for address, events, users, without, first, last in rows
        ]

    async def first_seen(
        self, user_id: Any, field: str = "ip_address", days: float = ANALYSIS_DAYS, limit: int = PAGE_EVENTS
    ) -> list[Seen]:
        """Return the values that a user's events have in the last days and never had before, the latest first.

        Before is as far back as the table goes: what a retention rule has removed is not remembered.

        Args:
            user_id: by this field.
            field: `ip_address`, `user_agent`, `session_id`, or another of a query's.
            days: counted back from now.
            limit: at most so many, 1 to `MAX_COUNTED_VALUES`.
        """
        check_fields((field,))
        most = bounded("limit", limit, MAX_COUNTED_VALUES)
        since = datetime.now(UTC) - span_of("days", days, timedelta(days=1))
        view = await self._look()
        where = conditions(Query(user_id=[user_id]), self.scope, view)
        rows = await self._rows(statements.ranked(view, where, field, most, new_since=since))
        return _seen(view, field, rows)

    async def privilege_changes(self, query: Query | None = None, limit: int = PAGE_EVENTS) -> list[AuditEvent]:
        """Return the events that gave or took a right, the newest first, whether they went well or not.

        These are the actions in `PRIVILEGES`: all of roles and permissions, API keys made and deleted, impersonation,
        tenants joined and left, changes of the single sign-on.

        Args:
            query: which of them; those of the last 30 days without.
            limit: at most so many events, 1 to `MAX_LISTED_EVENTS`.
        """
        view = await self._look()
        narrowing = conditions(Query(actions=PRIVILEGES), _EVERYTHING, view)
        return await self._events(query or Query(since=timedelta(days=ANALYSIS_DAYS)), limit, narrowing)

    async def repeated_failures(
        self,
        hours: float = 24,
        at_least: int = FAILURES_AT_LEAST,
        by: str = "user_id",
        actions: Any = LOGINS,
        limit: int = PAGE_EVENTS,
    ) -> list[RepeatedFailures]:
        """Return the users, or addresses, of which many events failed, the most first; and whether one succeeded then.

        Counted are events of the *actions* together, of outcome failure, denied or error. A success is one of the same
        actions and the same user or address, that has at least *at_least* of these failures before it.

        Args:
            hours: counted back from now.
            at_least: so many failures, 1 or more.
            by: `user_id`, `ip_address`, or another field of a query.
            actions: which; log-ins where nothing is said.
            limit: at most so many, 1 to `MAX_COUNTED_VALUES`.
        """
        check_fields((by,))
        most, least = bounded("limit", limit, MAX_COUNTED_VALUES), bounded("at_least", at_least, MAX_COUNTED_VALUES)
        query = Query(actions=actions, since=span_of("hours", hours, timedelta(hours=1)))
        view = await self._look()
        where = conditions(query, self.scope, view)
        rows = await self._rows(statements.repeated(view, where, by, least, most))
        return [
            RepeatedFailures(
                value=value_of(view, by, value),
                failures=int(failures),
                first_at=view.moment(first),
                last_at=view.moment(last),
                succeeded_at=view.moment(succeeded),
            )
            for value, failures, first, last, succeeded in rows
        ]

    # --- how -------------------------------------------------------------------------------------------

    async def _events(self, query: Query, limit: int, narrowing: Iterable[Condition] = ()) -> list[AuditEvent]:
        most = bounded("limit", limit, MAX_LISTED_EVENTS)
        view = await self._look()
        where = [*conditions(query, self.scope, view), *narrowing]
        listing = Listing(view=view, where=where, is_ascending=False, bound_to="")
        return view.shown(await self._rows(listing.statement(None, most)))

    async def _spelled_events(self, asked: Mapping[str, Any], limit: int) -> list[AuditEvent]:
        query, view = Query(**asked), await self._look()
        others = unasked(each for each in asked["actions"] or () if isinstance(each, str))
        narrowing = [statements.place_of(view, "action").not_in(others)] if others else []
        return await self._events(query, limit, narrowing)

    async def _grouped(
        self, query: Query, fields: Sequence[str], limit: int, now: datetime | None = None
    ) -> Sequence[Sequence[Any]]:
        view = await self._look()
        where = conditions(query, self.scope, view, now)
        # Several spellings may be of one action: they are put together before the list is cut.
        most = MAX_COUNTED_VALUES if "action" in fields else limit
        return await self._rows(statements.counted(view, where, fields, most))

    def _narrowed(self, query: Query, view: View, narrowing: Query) -> list[Condition]:
        # The scope is in the first of both.
        return [*conditions(query, self.scope, view), *conditions(narrowing, _EVERYTHING, view)]


def _seen(view: View, field: str, rows: Iterable[Sequence[Any]]) -> list[Seen]:
    return [
        Seen(
            value=value_of(view, field, value),
            events=int(events),
            first_at=view.moment(first),
            last_at=view.moment(last),
        )
        for value, events, first, last in rows
    ]
