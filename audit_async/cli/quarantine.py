"""`audit-async quarantine`: what the database refuses for what is in it, kept on this machine's disk."""

from __future__ import annotations

import asyncio
import getpass
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from audit_async.cli.console import (
    FINDING,
    OK,
    JournalDirectory,
    MapFiles,
    OtherTable,
    Url,
    app,
    journal_directory,
    named_tables,
)
from audit_async.cli.visible import counted, visible, visible_json, when
from audit_async.config import DRAIN_SECONDS
from audit_async.errors import ConfigurationError
from audit_async.settings import Settings, read_settings

if TYPE_CHECKING:
    from audit_async.store.kept import Kept

quarantined = App(
    name="quarantine", help="What the database refuses for what is in it: list it, show it, try it again, drop it."
)
app.command(quarantined)

Names = Annotated[
    str, Parameter(help="Of events, as `quarantine ls` shows them; their beginning will do. The first may be a URL.")
]
All = Annotated[bool, Parameter(name="--all", help="Everything that this database refused.", negative="")]


@quarantined.command(name="ls")
def list_(*, journal_dir: JournalDirectory = None, url: Url = None) -> int:
    """List what is in quarantine, oldest first: when, id, action, and the database's reason."""
    settings = read_settings(url, journal_dir=journal_dir)
    found = _look(settings)
    for kept in found:
        print(_line(kept))
        print(f"    {_reason(kept)}{_other(kept, settings)}")
    if not found:
        print(f"Nothing is in quarantine in {visible(settings.journal_dir)}")
    return OK


@quarantined.command
def show(name: Names, /, *, journal_dir: JournalDirectory = None, url: Url = None) -> int:
    """Show one event as it would be inserted, and why it was not."""
    from audit_async.store.kept import select

    settings = read_settings(url, journal_dir=journal_dir)
    is_readable = True
    for kept in select(_look(settings), [name]):
        print(_line(kept))
        print(f"    {_reason(kept)}{_other(kept, settings)}")
        fields = _as_inserted(kept)
        for field, value in fields.items():
            print(f"    {field}: {visible_json(value) if isinstance(value, (dict, list)) else visible(value)}")
        is_readable = is_readable and bool(fields)
        if not fields:
            print(f"    no event: {visible(repr(kept.payload))}")
    return OK if is_readable else FINDING


@quarantined.command
def retry(
    *names: Names,
    everything: All = False,
    url: Url = None,
    journal_dir: JournalDirectory = None,
    table: OtherTable = None,
    map_file: MapFiles = None,
    adopt: Annotated[bool, Parameter(help="Also what another database refused.", negative="")] = False,
    timeout: Annotated[float, Parameter(help="Seconds to try a database that is away.")] = DRAIN_SECONDS,
) -> int:
    """Send events in quarantine to the database once more; those that are in the table then leave the quarantine."""
    from audit_async.store.kept import taking_out

    settings, names = _settings(names, url, journal_dir, named_tables(table, map_file))
    if not _look(settings):
        return _nothing(settings, names)
    with taking_out(_directory(settings)):
        chosen = _chosen(settings, names, everything=everything, adopt=adopt)
        left = asyncio.run(_retry(settings, chosen, timeout))
    print(f"{len(chosen) - left:,} stored, {left:,} still in quarantine")
    return FINDING if left else OK


@quarantined.command
def drop(
    *names: Names,
    everything: All = False,
    yes: Annotated[bool, Parameter(help="Without being asked at the terminal.", negative="")] = False,
    url: Url = None,
    journal_dir: JournalDirectory = None,
    table: OtherTable = None,
    map_file: MapFiles = None,
    adopt: Annotated[bool, Parameter(help="Also what another database refused.", negative="")] = False,
) -> int:
    """Remove events from quarantine for good. An event `audit.quarantine.dropped` says which, and who did it."""
    from audit_async.release import tell_dropped
    from audit_async.store.kept import remove, taking_out

    settings, names = _settings(names, url, journal_dir, named_tables(table, map_file))
    if not _look(settings):
        return _nothing(settings, names)
    with taking_out(_directory(settings)):
        chosen = _chosen(settings, names, everything=everything, adopt=adopt)
        if everything and not names:
            for kept in (kept for kept in chosen if kept.item is None):
                print(f"left {visible(kept.id)}: {_reason(kept)}; name it to drop it")
            chosen = [kept for kept in chosen if kept.item is not None]
        if chosen and not yes and not _is_confirmed(len(chosen)):
            print("Nothing was dropped")
            return FINDING
        # First the event is safe, then the files go: nothing is removed that nothing tells of.
        if chosen:
            asyncio.run(tell_dropped(settings, chosen, dropped_by=_user()))
        with journal_directory(settings.journal_dir):
            for kept in chosen:
                remove(kept)
    for kept in chosen:
        print(f"dropped {visible(kept.id)}")
    print(f"{len(chosen):,} dropped")
    return OK


async def _retry(settings: Settings, chosen: Sequence[Kept], timeout_seconds: float) -> int:
    """Say what becomes of each of *chosen*, and return how many are left."""
    from audit_async.release import retry as send_again

    left = 0
    with journal_directory(settings.journal_dir):
        async for kept, why in send_again(settings, chosen, timeout_seconds=timeout_seconds):
            left += why is not None
            print(f"stored {visible(kept.id)}" if why is None else f"refused {visible(kept.id)}: {visible(why)}")
    return left


def _settings(
    names: tuple[str, ...], url: str | None, journal_dir: Path | None, table: Any
) -> tuple[Settings, tuple[str, ...]]:
    """Return what is meant: the first word may be the database."""
    if names and "://" in names[0]:
        url, names = names[0], names[1:]
    settings = read_settings(url, journal_dir=journal_dir, table=table)
    if settings.is_embedded and not Path(settings.address.database).exists():
        raise ConfigurationError("no database is given", hint="give its address first, or by AUDIT_DATABASE_URL")
    return settings, names


def _directory(settings: Settings) -> Path:
    return settings.journal_dir / "quarantine"


def _look(settings: Settings) -> list[Kept]:
    from audit_async.store.kept import look_through

    with journal_directory(settings.journal_dir):
        return look_through(_directory(settings))


def _nothing(settings: Settings, names: Sequence[str]) -> int:
    from audit_async.store.kept import select

    select([], names)
    print(f"Nothing is in quarantine in {visible(settings.journal_dir)}")
    return OK


def _chosen(settings: Settings, names: Sequence[str], *, everything: bool, adopt: bool) -> list[Kept]:
    """Return what the command is about.

    Raises:
        ConfigurationError: nothing was named, or too much, or what another database refused.
    """
    from audit_async.store.kept import select

    if everything == bool(names):
        raise ConfigurationError("say which events", hint="name them, as `quarantine ls` does, or give --all")
    found = _look(settings)
    if everything:
        ours = [kept for kept in found if adopt or kept.destination == settings.destination]
        if len(ours) < len(found):
            print(f"{len(found) - len(ours):,} left, which another database refused; --adopt takes them as well")
        return ours
    chosen = select(found, names)
    others = [kept for kept in chosen if kept.destination != settings.destination]
    if others and not adopt:
        raise ConfigurationError(
            f"another database than {settings.address} refused {others[0].id[:100]}",
            hint="give the address of that one, or --adopt",
        )
    return chosen


def _is_confirmed(count: int) -> bool:
    """Ask the person at the terminal.

    Raises:
        ConfigurationError: there is none.
    """
    if not sys.stdin.isatty():
        raise ConfigurationError("dropping is for good, and nobody is there to confirm it", hint="give --yes")
    print(f"{counted(count, 'event')} will be gone for good. Type the number to drop them: ", end="", flush=True)
    return sys.stdin.readline().strip() == str(count)


def _line(kept: Kept) -> str:
    item = kept.item
    action = (item.event or {}).get("action", "-") if item is not None else "-"
    moment = when(item.quarantined_at) if item is not None else f"{'cannot be read':27}"
    return f"{moment}  {visible(kept.id)}  {visible(action)}"


def _reason(kept: Kept) -> str:
    if kept.item is None:
        return visible(kept.fault)
    state = kept.item.sqlstate
    return f"{visible(kept.item.reason)}{'' if state is None or state in kept.item.reason else f' [{visible(state)}]'}"


def _other(kept: Kept, settings: Settings) -> str:
    is_other = not settings.is_embedded and kept.destination != settings.destination
    return " (another database)" if is_other else ""


def _as_inserted(kept: Kept) -> dict[str, Any]:
    """Return the fields that have a value, as the writer would send them; empty where it is no event."""
    import msgspec

    from audit_async.release import entry_of

    entry = entry_of(kept)
    values = {name: getattr(entry, name) for name in entry.__struct_fields__} if entry is not None else {}
    for name, value in values.items():
        if isinstance(value, msgspec.Raw):
            values[name] = msgspec.json.decode(value) if len(value) else None
    return {name: value for name, value in values.items() if value not in (None, {}, [])}


def _user() -> str | None:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return None
