"""The options that say which events are meant, the same for every command that lists or counts."""

from __future__ import annotations

import json as json_module
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Group, Parameter

from audit_async.cli.console import Several
from audit_async.errors import ConfigurationError, meant

if TYPE_CHECKING:
    from audit_async.reading.query import Query

_FIELDS = {
    "action": "actions",
    "user": "user_id",
    "actor": "actor_id",
    "agent": "agent_id",
    "api_key": "api_key_id",
    "organization": "organization_id",
    "ip": "ip_address",
    "session": "session_id",
    "request": "request_id",
    "trace": "trace_id",
    "span": "span_id",
    "status": "status_code",
    **{
        name: name
        for name in (
            *("category", "severity", "severity_at_least", "outcome", "actor_type", "actor_name", "on_behalf_of"),
            *("user_agent", "since", "until", "text", "tag", "involving"),
        )
    },
}
"""By option the field of a query."""


@Parameter(name="*", negative="", show_default=False, group=Group("Which events", sort_key=2))
@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What has to hold of an event; of one option that is repeated, one of the values."""

    since: Annotated[str | None, Parameter(help="From then on: 2h (ago), 7d, 2026-01-31, 2026-01-31T12:00Z.")] = None
    until: Annotated[str | None, Parameter(help="Before then; of a day its end.")] = None
    action: Annotated[
        Several, Parameter(help="auth.login, a family (auth), a pattern ('auth.*'), a spelling of old (login_failed).")
    ] = None
    outcome: Annotated[Several, Parameter(help="success, failure, denied, error, partial, ...")] = None
    severity: Annotated[Several, Parameter(help="info, low, medium, high or critical.")] = None
    severity_at_least: Annotated[str | None, Parameter(help="This one and those above it.")] = None
    category: Annotated[Several, Parameter(help="security, access, data, system or financial.")] = None
    user: Annotated[Several, Parameter(help="Id of the user whom it is about.")] = None
    actor: Annotated[Several, Parameter(help="Id of whoever did it.")] = None
    involving: Annotated[
        Several,
        Parameter(
            help="Id of a user who did it, whom it is about, or for or to whom it was done, but for those in details."
        ),
    ] = None
    actor_name: Annotated[Several, Parameter(help="Name of whoever did it, whole.")] = None
    actor_type: Annotated[Several, Parameter(help="user, service, agent, api_key, system, job or anonymous.")] = None
    on_behalf_of: Annotated[Several, Parameter(help="Id of the one for whom it was done.")] = None
    agent: Annotated[Several, Parameter(help="Id of an agent.")] = None
    api_key: Annotated[Several, Parameter(help="Id of an API key.")] = None
    organization: Annotated[Several, Parameter(help="Id of an organization.")] = None
    resource: Annotated[
        str | None, Parameter(help="What it was done to: type:id (document:17), only its type, or :id.")
    ] = None
    ip: Annotated[Several, Parameter(help="The address that it came from.")] = None
    user_agent: Annotated[Several, Parameter(help="The program that it came from, whole.")] = None
    session: Annotated[Several, Parameter(help="Id of a session.")] = None
    request: Annotated[Several, Parameter(help="Id of a request.")] = None
    trace: Annotated[Several, Parameter(help="Id of a trace.")] = None
    span: Annotated[Several, Parameter(help="Id of a span.")] = None
    status: Annotated[Several, Parameter(help="Status code of the answer, such as 403.")] = None
    text: Annotated[str | None, Parameter(help="Is somewhere in the description.")] = None
    detail: Annotated[
        Several,
        Parameter(help="key=value of `details`: provider=feishu, geo.country=DE, count=3, is_new=true, code='\"3\"'."),
    ] = None
    tag: Annotated[str | None, Parameter(help="Is among the tags.")] = None
    without: Annotated[Several, Parameter(help="A field that is empty, such as user_id or ip_address.")] = None

    def query(self, **more: Any) -> Query:
        """Return the query that these options ask for, and *more* of its attributes.

        Raises:
            ConfigurationError: a value that its field cannot have; the hint says which it can.
        """
        from audit_async.reading.query import Query

        for option in _FIELDS:
            said = getattr(self, option)
            # A variable of the shell that is not set; what is no text at all the query itself refuses.
            if isinstance(said, list) and "" in said and option != "action":
                raise ConfigurationError(
                    f"--{option.replace('_', '-')} is empty",
                    hint="give a value; events without one are found by --without",
                )
        asked: dict[str, Any] = {field: getattr(self, option) for option, field in _FIELDS.items()}
        if self.resource is not None:
            kind, _, key = self.resource.partition(":")
            asked["resource_type"], asked["resource_id"] = kind or None, key or None
            if not kind and not key:
                raise ConfigurationError(
                    f"--resource {self.resource[:100]!r} names none", hint="write document:17, document or :17"
                )
        asked["details"] = _details(self.detail) if self.detail else None
        self._leave_empty(asked)
        return Query(**asked, **more)

    def _leave_empty(self, asked: dict[str, Any]) -> None:
        from audit_async.reading.query import FIELDS

        for name in self.without or ():
            if name not in FIELDS:
                said = f"--without {name[:100]!r} names no field{meant(name, FIELDS)}"
                raise ConfigurationError(said, hint=f"there are {', '.join(FIELDS)}")
            if asked.get(name) is not None:
                raise ConfigurationError(
                    f"an event without {name} has no value of it to look for", hint="leave one of the two options out"
                )
            asked[name] = [None]


EVERY_EVENT = Filters()


def field_of(option: str) -> str:
    """Return the field of an event that *option* asks for: `user` for `user_id`; any other name is one of a field."""
    return option if option == "action" else _FIELDS.get(option, option)


def _details(given: list[str]) -> dict[str, list[Any]]:
    asked: dict[str, list[Any]] = {}
    for each in given:
        key, equals, value = each.partition("=")
        if not key or not equals:
            raise ConfigurationError(
                f"--detail {each[:100]!r} is no key and value", hint="write provider=feishu, or geo.country=DE"
            )
        asked.setdefault(key, []).append(_scalar(value))
    return asked


def _scalar(text: str) -> Any:
    """Return what *text* is in JSON, and the text itself where it is none: `3`, `true`, `null`, `"3"`, feishu."""
    try:
        value = json_module.loads(text, parse_constant=str)
    except (ValueError, RecursionError):
        return text
    return text if isinstance(value, (dict, list)) else value
