"""`audit-async journal`: what waits on this machine's disk, looked at, checked, and sent once more."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from audit_async.cli.console import (
    FINDING,
    OK,
    Address,
    JournalDirectory,
    MapFiles,
    OtherTable,
    Url,
    app,
    journal_directory,
    moment_of,
    named_tables,
)
from audit_async.cli.visible import counted, visible, visible_json, when
from audit_async.config import DRAIN_SECONDS, MIB
from audit_async.errors import ConfigurationError
from audit_async.settings import Settings, read_settings

if TYPE_CHECKING:
    from audit_async.journal.contents import Contents
    from audit_async.journal.frame import Record
    from audit_async.journal.survey import Surveyed
    from audit_async.resend import Replayed

journals = App(name="journal", help="What waits on this machine's disk: list it, show it, check it, send it once more.")
app.command(journals)

Writers = Annotated[str, Parameter(help="The beginning of a writer's id, as `journal ls` shows it.")]
Adopt = Annotated[
    bool, Parameter(help="Also what was meant for another database, or for one that cannot be told.", negative="")
]


@journals.command(name="ls")
def list_(
    address: Address = None,
    /,
    *,
    url: Url = None,
    journal_dir: JournalDirectory = None,
    table: OtherTable = None,
    map_file: MapFiles = None,
) -> int:
    """List every process's files: service, writer, state, entries, bytes, host, destination, times.

    Nothing is connected to: the address says which destination is "this database".
    """
    from audit_async.journal.contents import examine

    settings = read_settings(address or url, journal_dir=journal_dir, table=named_tables(table, map_file))
    found = _survey(settings)
    for each in found:
        contents = examine(each)
        states = ", ".join(_states(each, contents, settings))
        print(
            f"{each.file_set.service} {each.writer_id[:8]}  {states}  {contents.pending:,} pending, {each.mark.seq:,} "
            f"settled, {each.size_bytes / MIB:.1f} MiB"
        )
        host = visible(each.header.host) if each.header is not None else "unknown"
        print(f"    host {host}, for {_destination(each, settings)}{_span(contents)}")
        if each.left_overs:
            print(
                f"    {len(each.left_overs)} pieces of damage kept aside, of which `journal replay` sends whole entries"
            )
    if not found:
        print(f"There are no journals in {visible(settings.journal_dir)}")
    return OK


@journals.command
def show(
    writer: Writers | None = None,
    /,
    *,
    journal_dir: JournalDirectory = None,
    url: Url = None,
    limit: Annotated[int | None, Parameter(help="Stop after so many entries.")] = None,
    json: Annotated[bool, Parameter(help="One JSON object a line, for programs.", negative="")] = False,
) -> int:
    """Show the entries, one a line: time, action, outcome, actor, resource, id."""
    from audit_async.journal.contents import batches

    if limit is not None and limit < 0:
        raise ConfigurationError(f"--limit {limit} is no number of entries", hint="give 0 or more")
    settings = read_settings(url, journal_dir=journal_dir)
    left = limit
    for each in _named(_survey(settings), [writer] if writer else []):
        for records in batches(each):
            for record in records if left is None else records[:left]:
                print(_as_json(each, record) if json else _as_line(record.payload))
            left = None if left is None else left - min(left, len(records))
            if left == 0:
                return OK
    return OK


@journals.command
def verify(*, journal_dir: JournalDirectory = None, url: Url = None) -> int:
    """Read every byte, and say what is damaged or missing. Changes nothing.

    Exit codes: 0 whole, 1 something is damaged, missing or cannot be read, 2 there is no such directory.
    """
    from audit_async.journal.contents import examine

    settings = read_settings(url, journal_dir=journal_dir)
    findings = 0
    for each in _survey(settings):
        contents = examine(each)
        is_fine = contents.is_whole and not each.is_of_other_format
        findings += not is_fine
        print(
            f"{'OK' if is_fine else 'DAMAGED' if not contents.is_whole else 'UNKNOWN'} {each.file_set.service} "
            f"{each.writer_id[:8]}: {contents.entries:,} entries in {counted(len(each.segments), 'segment')}"
        )
        for line in _damage(each, contents):
            print(f"    {line}")
    return FINDING if findings else OK


@journals.command
def replay(
    address: Address = None,
    /,
    *writers: Writers,
    url: Url = None,
    since: Annotated[str | None, Parameter(help="Only events of then or later: 2026-01-31T12:00Z.")] = None,
    journal_dir: JournalDirectory = None,
    table: OtherTable = None,
    map_file: MapFiles = None,
    adopt: Adopt = False,
    timeout: Annotated[float, Parameter(help="Seconds to try a database that is away.")] = DRAIN_SECONDS,
) -> int:
    """Send once more what the files still hold, settled or not: the table takes each event once.

    For a database that came back from an older backup. Living processes are not disturbed. Segments whose entries are
    all in the table are removed at once, so that only the last ones are there, or those of a directory that was kept.
    """
    from audit_async.resend import replay as send_again

    names = list(writers)
    if address is not None and "://" not in address:
        # With the database from elsewhere, every word is a writer.
        names.insert(0, address)
        address = None
    settings = read_settings(address or url, journal_dir=journal_dir, table=named_tables(table, map_file))
    chosen: list[Surveyed] = []
    others: list[Surveyed] = []
    for each in _named(_survey(settings), names):
        (chosen if adopt or each.destination == settings.destination else others).append(each)
    moment = moment_of(since) if since is not None else None
    print(f"From {visible(settings.journal_dir)} to {visible(settings.address)}")
    done = asyncio.run(send_again(settings, chosen, since=moment, timeout_seconds=timeout))
    print(
        f"  {done.stored:,} sent from {counted(len(chosen), 'file set')}; what was in the table already is there once"
    )
    if others:
        listed = ", ".join(f"{each.file_set.service} {each.writer_id[:8]}" for each in others)
        print(f"  left out, of another database or none that can be told: {listed}; --adopt sends them as well")
    return _not_replayed(done)


def _not_replayed(done: Replayed) -> int:
    """Say what could not be sent, and return the exit code."""
    lines = [f"{count:,} refused: {visible(message)}" for message, count in done.refused.items()]
    if done.unreadable:
        lines.append("1 is no event" if done.unreadable == 1 else f"{done.unreadable:,} are no events")
    for each, contents in done.contents:
        lines += [f"{each.file_set.service} {each.writer_id[:8]}: {line}" for line in _damage(each, contents)]
    for line in lines:
        print(f"  {line}")
    return FINDING if lines else OK


def _survey(settings: Settings) -> list[Surveyed]:
    from audit_async.journal.survey import survey

    with journal_directory(settings.journal_dir):
        return survey(settings.journal_dir)


def _named(found: list[Surveyed], writers: Sequence[str]) -> list[Surveyed]:
    for writer in writers:
        if not writer or not any(each.writer_id.startswith(writer) for each in found):
            raise ConfigurationError(f"no writer's id begins with {writer[:100]!r}", hint="`audit-async journal ls`")
    return [each for each in found if not writers or each.writer_id.startswith(tuple(writers))]


def _states(each: Surveyed, contents: Contents, settings: Settings) -> Iterable[str]:
    if each.is_of_other_format:
        yield "unknown format"
    elif each.is_elsewhere:
        yield "other host"
    else:
        yield "living here" if each.is_living else "orphan" if each.segments or not each.left_overs else "left over"
    if _is_foreign(each, settings):
        yield "other destination"
    if not contents.is_whole:
        yield "damaged"


def _is_foreign(each: Surveyed, settings: Settings) -> bool:
    return not settings.is_embedded and each.destination not in (None, settings.destination)


def _destination(each: Surveyed, settings: Settings) -> str:
    if each.destination is None:
        return "a database that cannot be told"
    named = visible(each.destination[:8])
    if settings.is_embedded and each.destination != settings.destination:
        return f"database {named}"
    return f"another database ({named})" if _is_foreign(each, settings) else f"this database ({named})"


def _span(contents: Contents) -> str:
    if contents.first is None or contents.last is None:
        return ""
    first, last = (when(_event(record.payload).get("created_at")) for record in (contents.first, contents.last))
    return f", {first} to {last}"


def _damage(each: Surveyed, contents: Contents) -> Iterable[str]:
    if each.is_of_other_format:
        yield "written by another version of audit_async: not read, and left as it is"
    yield from contents.faults
    for damage in contents.damaged:
        what = "torn tail" if damage.is_tail else "damaged"
        yield f"segment {damage.segment}: {what}, bytes {damage.start:,} to {damage.stop:,}"
    for first, last in contents.gaps:
        yield f"entry {first:,} is missing" if first == last else f"entries {first:,} to {last:,} are missing"


def _event(payload: bytes) -> dict[str, Any]:
    import msgspec

    try:
        found = msgspec.json.decode(payload)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _as_line(payload: bytes) -> str:
    event = _event(payload)
    if not event:
        return f"{'no event':27}  {visible(repr(payload), 200)}"
    actor = event.get("actor_name") or event.get("actor_id") or event.get("user_id") or event.get("agent_id") or "-"
    kind, resource = event.get("resource_type"), event.get("resource_id")
    about = "/".join(visible(part) for part in (kind, resource) if part is not None) or "-"
    told = [visible(event.get(name, "-")) for name in ("action", "outcome")]
    return "  ".join([when(event.get("created_at", "-")), *told, visible(actor), about, visible(event.get("id", "-"))])


def _as_json(each: Surveyed, record: Record) -> str:
    event = _event(record.payload)
    what = {"event": event} if event else {"payload": base64.b64encode(record.payload).decode()}
    is_pending = record.seq > each.mark.seq
    return visible_json(
        {"writer_id": each.writer_id, "writer_seq": record.seq, "is_pending": is_pending, **what}, is_ascii=True
    )
