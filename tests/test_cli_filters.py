"""What the options of the reading commands mean."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, get_origin

import pytest
from cyclopts.annotations import resolve_optional

from audit_async import Query, Scope, TableMap
from audit_async.cli.console import app
from audit_async.cli.filters import Filters, field_of
from audit_async.cli.run import run
from audit_async.cli.source import Source, options, split_words
from audit_async.config import MAX_QUERY_VALUES
from audit_async.errors import ConfigurationError


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        ({"since": "2h", "until": "2026-01-31"}, {"since": "2h", "until": "2026-01-31"}),
        ({"action": ["auth.*", "login_failed"]}, {"actions": ["auth.*", "login_failed"]}),
        (
            {"user": ["a", "b"], "actor": ["c"], "agent": ["d"]},
            {"user_id": ["a", "b"], "actor_id": "c", "agent_id": "d"},
        ),
        ({"ip": ["192.0.2.1"], "status": ["403"]}, {"ip_address": "192.0.2.1", "status_code": 403}),
        ({"session": ["s"], "request": ["r"], "trace": ["t"]}, {"session_id": "s", "request_id": "r", "trace_id": "t"}),
        ({"severity": ["low", "high"], "severity_at_least": "medium"}, {"severity": "high"}),
        ({"resource": "document:17"}, {"resource_type": "document", "resource_id": "17"}),
        ({"resource": "document"}, {"resource_type": "document"}),
        ({"resource": ":a:b"}, {"resource_id": "a:b"}),
        ({"detail": ["count=3"]}, {"details": {"count": 3}}),
        ({"detail": ["a=1.5", "b=true", "c=null"]}, {"details": {"a": 1.5, "b": True, "c": None}}),
        ({"detail": ['code="3"', "a.b=x=y"]}, {"details": {"code": "3", "a.b": "x=y"}}),
        ({"detail": ["a=1", "a=x"]}, {"details": {"a": [1, "x"]}}),
        (
            {"detail": ["a=", "b=[1]", "c=NaN", "d={", "e=-"]},
            {"details": {"a": "", "b": "[1]", "c": "NaN", "d": "{", "e": "-"}},
        ),
        ({"without": ["user_id", "ip_address"]}, {"user_id": [None], "ip_address": [None]}),
        ({"text": "x", "tag": "y", "category": ["security"]}, {"text": "x", "tag": "y", "category": "security"}),
    ],
    ids=str,
)
def test_an_option_is_a_field_of_the_query(given: dict[str, Any], asked: dict[str, Any]) -> None:
    """What is given on the command line asks for the same as the query that a program makes."""
    assert Query(**asked) == Filters(**given).query()


def test_every_field_of_a_query_can_be_asked_for() -> None:
    """There is an option for each; the tenant is the scope's, and the rest belongs to a page."""
    others = {"tenant_id", "resource_type", "resource_id", "details", "limit", "oldest_first"}
    reached = {
        "actions" if option.name == "action" else field_of(option.name) for option in dataclasses.fields(Filters)
    }
    assert {field.name for field in dataclasses.fields(Query)} - others <= reached


@pytest.mark.parametrize(
    ("given", "said", "hint"),
    [
        ({"since": "yesterday"}, "since is no time", "24h"),
        ({"outcome": ["sucess"]}, "did you mean 'success'", "success, failure"),
        ({"severity_at_least": "bad"}, "severity_at_least cannot be 'bad'", "info, low"),
        ({"status": ["x"]}, "status_code cannot be 'x'", "a whole number"),
        ({"ip": ["300.1.1.1"]}, "ip_address cannot be", "an IPv4 or IPv6 address"),
        ({"resource": ":"}, "names none", "document:17"),
        ({"detail": ["provider"]}, "is no key and value", "provider=feishu"),
        ({"detail": ["=x"]}, "is no key and value", "provider=feishu"),
        ({"without": ["user"]}, "did you mean 'user_id'", "user_id, actor_id"),
        ({"without": ["user_id"], "user": ["u"]}, "without user_id", "leave one"),
        ({"action": [""]}, "names no action", "auth.login"),
    ],
    ids=str,
)
def test_what_cannot_be_meant_is_told_with_what_can(given: dict[str, Any], said: str, hint: str) -> None:
    """A slip is answered with the values that the option takes."""
    with pytest.raises(ConfigurationError) as refused:
        Filters(**given).query()
    assert (True, True) == (said in refused.value.message, hint in str(refused.value.hint)), refused.value


def test_an_option_that_is_repeated_takes_one_value_at_a_time() -> None:
    """Of every command: else the time for a thousand of them is that of a million."""
    repeated = {
        (command, name): argument.parameter.n_tokens
        for command in ("search", "tail", "export", "count", "import", "maintain", "stats")
        for argument in app[command].assemble_argument_collection()
        for name in argument.names
        if get_origin(resolve_optional(argument.hint)) is list and name.startswith("--")
    }
    assert {1} == set(repeated.values()), repeated
    assert {("search", "--user"), ("tail", "--tenant"), ("count", "--by"), ("import", "--field")} <= repeated.keys()


def test_more_of_one_option_than_any_takes_is_refused_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    """Before the rest is looked at."""
    assert 2 == run(["search", "--nothing", *["--user", "u"] * (MAX_QUERY_VALUES + 1)])
    assert "--user is given 1,001 times" in capsys.readouterr().err


def test_whose_events_are_meant_has_to_be_said() -> None:
    """One tenant, several, those without one, or all; nothing of it is implied."""
    assert Scope.of("a", "b") == Source(tenant=["a", "b"]).scope
    assert Scope.of(None) == Source(no_tenant=True).scope
    assert Scope.of("a", None) == Source(tenant=["a"], no_tenant=True).scope
    assert Scope.all() == Source(all_tenants=True).scope
    for wrong in (Source(), Source(tenant=[""]), Source(all_tenants=True, no_tenant=True)):
        with pytest.raises(ConfigurationError) as refused:
            _ = wrong.scope
        assert "--no-tenant" in str(refused.value)
    with pytest.raises(ConfigurationError) as refused:
        _ = Source().scope
    assert all(option in str(refused.value) for option in ("--tenant", "--no-tenant", "--all-tenants"))


def test_a_map_has_a_table_or_gets_another(sqlite_url: str, tmp_path: Path) -> None:
    """The reader is of the table that the map names, or of the one that is named beside it."""
    (tmp_path / "map.toml").write_text(TableMap.ready("aether", table="trail").to_toml())
    given = Source(all_tenants=True, url=sqlite_url, map=tmp_path / "map.toml")
    assert "of trail," in repr(given.reader(None))
    assert "of old.trail," in repr(dataclasses.replace(given, table="old.trail").reader(None))


def test_a_database_is_given_once(sqlite_url: str) -> None:
    """The first word is one if it looks like one, unless there is another by option."""
    assert (sqlite_url, ["a"]) == split_words([sqlite_url, "a"], Source())
    assert (None, ["a", "b"]) == split_words(["a", "b"], Source())
    assert (None, ["x://y"]) == split_words(["x://y"], Source(url=sqlite_url))
    with pytest.raises(ConfigurationError, match="given twice"):
        Source(url=sqlite_url, all_tenants=True).reader(sqlite_url)


def test_options_are_written_as_they_were_given() -> None:
    """Each in one word with its value, which may begin with a dash; defaults are left out."""
    given = Filters(user=["-a", "b c"], severity_at_least="low")
    assert ["--severity-at-least=low", "--user=-a", "--user=b c"] == options(given)
    assert ["--tenant=t", "--no-tenant", "--timeout=5"] == options(Source(tenant=["t"], no_tenant=True, timeout=5))
