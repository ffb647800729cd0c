"""`audit-async maintain` and `audit-async upgrade`: the table is looked after."""

from __future__ import annotations

import asyncio
import getpass
from collections.abc import Sequence
from typing import Annotated, Any

from cyclopts import Parameter

from audit_async.cli.console import FINDING, OK, Address, Several, TableName, Url, app, escape, moment_of, out
from audit_async.config import PARTITION_MONTHS_AHEAD
from audit_async.errors import ConfigurationError, meant
from audit_async.settings import read_settings

_RULE_WORDS = {"tenant": "tenant_id", "category": "category"}
_HOLD_WORDS = {**_RULE_WORDS, "user": "user_id", "since": "since", "until": "until"}


@app.command
def maintain(
    address: Address = None,
    /,
    *,
    url: Url = None,
    table: TableName = "audit_logs",
    months_ahead: Annotated[
        int, Parameter(help="Monthly partitions from now on, on PostgreSQL.")
    ] = PARTITION_MONTHS_AHEAD,
    keep: Annotated[
        Several,
        Parameter(help='Days that rows are kept: "365", "90:category=access", "30:tenant=acme".', negative=""),
    ] = None,
    detach: Annotated[
        bool, Parameter(help="Keep partitions that may go, as tables of their own.", negative="", show_default=False)
    ] = False,
    dry_run: Annotated[
        bool, Parameter(help="Change nothing; say what would be done.", negative="", show_default=False)
    ] = False,
    hold: Annotated[
        str | None,
        Parameter(help='Place a legal hold: "tenant=acme,user=u-1,since=2026-01-01", or "all".'),
    ] = None,
    reason: Annotated[str | None, Parameter(help="Why it is placed.")] = None,
    release: Annotated[str | None, Parameter(help="Release the legal hold with this id.")] = None,
    holds: Annotated[bool, Parameter(help="List the legal holds.", negative="", show_default=False)] = False,
    by: Annotated[str | None, Parameter(help="Who places or releases it; else the user of this session.")] = None,
) -> int:
    """Make partitions ahead, give strays their month, remove what is old; or see to legal holds. As the owner."""
    settings = read_settings(address or url, table=table)
    wishes = [word for word, given in (("--hold", hold), ("--release", release), ("--holds", holds)) if given]
    others = [word for word, given in (("--keep", keep), ("--detach", detach), ("--dry-run", dry_run)) if given]
    if len(wishes) > 1 or (wishes and others):
        raise ConfigurationError(f"{' and '.join([*wishes, *others])} exclude each other", hint="give one at a time")
    if (reason is not None) != (hold is not None):
        raise ConfigurationError("--hold and --reason go together", hint='--hold "tenant=acme" --reason "suit 4711"')
    target = settings.address.url
    if hold is not None:
        return _place(target, table, _hold_of(hold), reason or "", by)
    if release is not None:
        return _release(target, table, release, by)
    if holds:
        return _list(target, table)

    from audit_async.maintenance.maintain import maintain as look_after

    rules = [_rule_of(each) for each in keep or ()]
    done = asyncio.run(
        look_after(target, months_ahead=months_ahead, retention=rules, dry_run=dry_run, detach=detach, table=table)
    )
    _tell(str(done), is_well=done.is_complete)
    out.print(f"   [dim]in {escape(str(settings.address))}[/]", soft_wrap=True)
    return OK if done.is_complete else FINDING


@app.command
def upgrade(
    address: Address = None,
    /,
    *,
    url: Url = None,
    table: TableName = "audit_logs",
    resource_index: Annotated[
        bool,
        Parameter(help="Also make the index by resource and time, beside writers.", negative="", show_default=False),
    ] = False,
) -> int:
    """Bring an audit table that an earlier version made to the present version of its schema. As its owner."""
    from audit_async.table.upgrade import upgrade_table

    settings = read_settings(address or url, table=table)
    done = asyncio.run(upgrade_table(settings.address.url, table=table, resource_index=resource_index))
    _tell(str(done), is_well=not done.is_newer)
    out.print(f"   [dim]in {escape(str(settings.address))}[/]", soft_wrap=True)
    return FINDING if done.is_newer else OK


def _tell(text: str, *, is_well: bool) -> None:
    first, *more = text.splitlines()
    out.print(f"{'[green]OK[/]' if is_well else '[yellow]But[/]'} {escape(first)}", soft_wrap=True)
    for line in more:
        colour = "[yellow]" if line.startswith("not done:") else "[default]"
        out.print(f"   {colour}{escape(line)}[/]", soft_wrap=True)


def _place(url: str, table: str, what: dict[str, Any], reason: str, by: str | None) -> int:
    from audit_async.maintenance.holds import place_hold

    placed = asyncio.run(place_hold(url, reason=reason, placed_by=by or _user(), table=table, **what))
    out.print(f"[green]OK[/] Placed a legal hold on {escape(table)}: {escape(str(placed))}", soft_wrap=True)
    return OK


def _release(url: str, table: str, hold_id: str, by: str | None) -> int:
    from audit_async.maintenance.holds import release_hold

    released = asyncio.run(release_hold(url, hold_id, released_by=by or _user(), table=table))
    out.print(f"[green]OK[/] Released the legal hold on {escape(table)}: {escape(str(released))}", soft_wrap=True)
    return OK


def _list(url: str, table: str) -> int:
    from audit_async.maintenance.holds import find_holds

    found = asyncio.run(find_holds(url, table=table))
    for each in found:
        out.print(escape(str(each)), soft_wrap=True)
    if not found:
        out.print(f"No legal hold on {escape(table)}")
    return OK


def _rule_of(given: str) -> Any:
    from audit_async.maintenance.retention import Retention

    days, _, about = given.partition(":")
    if not (days.strip().isascii() and days.strip().isdigit()):
        raise ConfigurationError(
            f"--keep {given[:100]!r}: {days[:100]!r} is no whole number of days",
            hint='write "365" or "90:category=access"',
        )
    return Retention(int(days), **_pairs(about, _RULE_WORDS, "--keep"))


def _hold_of(given: str) -> dict[str, Any]:
    if given.strip() == "all":
        return {}
    pairs = _pairs(given, _HOLD_WORDS, "--hold")
    if not pairs:
        raise ConfigurationError("--hold names nothing", hint='write "tenant=acme", or "all" to hold every row')
    return {name: moment_of(value) if name in ("since", "until") else value for name, value in pairs.items()}


def _pairs(given: str, words: dict[str, str], option: str) -> dict[str, str]:
    """Read `word=value,word=value`; return the values by the names that they have in Python."""
    found: dict[str, str] = {}
    for part in filter(None, (each.strip() for each in given.split(","))):
        word, equals, value = (each.strip() for each in part.partition("="))
        if word not in words or not equals or not value or words[word] in found:
            raise ConfigurationError(
                f"{option}: {part[:100]!r} cannot be meant{meant(word, words)}",
                hint=f"write {_some(list(words))}=..., with commas between",
            )
        found[words[word]] = value
    return found


def _some(words: Sequence[str]) -> str:
    return f"{'=..., '.join(words[:-1])}=... or {words[-1]}"


def _user() -> str | None:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return None
