"""A log to read from at the command line, and a terminal to read it at."""

from __future__ import annotations

import asyncio
import fcntl
import io
import os
import pty
import struct
import subprocess
import sys
import tempfile
import termios
from collections.abc import Iterable
from contextlib import redirect_stderr, redirect_stdout, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from audit_async import AuditEvent, AuditLogger, create_table, events

START = datetime(2026, 3, 1, tzinfo=UTC)
HOSTILE = "a\x1b[31m\n[bold]:bug:\u202e\x9b2J\u200b"
SHOWN = r"a\x1b[31m\n[bold]:bug:\u202e\x9b2J\u200b"


def made() -> list[AuditEvent]:
    """Return forty events of two tenants and of none, a minute apart."""
    return [
        events.custom(
            ("auth.login", "report.print", "role.assign", "auth.logout")[n % 4],
            created_at=START + timedelta(minutes=n),
            tenant_id=("t-1", "t-2", None)[n % 3],
            user_id=f"u-{n % 5}",
            outcome="failure" if n % 8 == 0 else "success",
            resource_type="document",
            resource_id=n,
            ip_address=f"192.0.2.{n % 7}",
            description=f"Number {n} of a description with some words",
            details={"provider": "feishu" if n % 2 else "saml", "count": n, "geo": {"country": "DE"}, "code": str(n)},
        )
        for n in range(40)
    ]


def hostile(tenant_id: str = HOSTILE, *, text: str = HOSTILE) -> AuditEvent:
    """Return an event of which every text would command a terminal."""
    names = "actor_id actor_name actor_type user_id agent_id on_behalf_of user_agent session_id description"
    names = f"{names} error_message resource_type resource_id request_id organization_id"
    change = {"old_values": {text: text}, "new_values": {text: [text]}}
    texts = dict.fromkeys(names.split(), text)
    return events.custom(text, tenant_id=tenant_id, details={text: text}, tags=[text], **texts, **change)


async def filled(url: str, given: Iterable[AuditEvent]) -> None:
    """Make the table at *url*, and log the events *given* to it."""
    await create_table(url)
    await added(url, given)


async def added(url: str, given: Iterable[AuditEvent]) -> None:
    """Log the events *given* to the table at *url*."""
    with tempfile.TemporaryDirectory() as journal_dir:
        async with AuditLogger(url, writer="task", journal_dir=journal_dir) as audit:
            for event in given:
                audit.log(event)
            assert await audit.flush(30)


def filled_file(path: Path, given: Iterable[AuditEvent]) -> str:
    """Return the address of a SQLite file at *path* with the events *given*."""
    url = f"sqlite+aiosqlite:///{path}"
    asyncio.run(filled(url, given))
    return url


def here(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the tool in this process, as into pipes: what costs most of a process of its own is to load everything."""
    from loguru import logger

    from audit_async.cli.run import run

    before = os.environ.copy()
    os.environ.update(environment)
    try:
        with redirect_stdout(_pipe()) as out, redirect_stderr(_pipe()) as err:
            try:
                code = run([*map(str, arguments)])
            except SystemExit as ended:
                code = int(ended.code or 0)
            logger.remove()
    finally:
        os.environ.clear()
        os.environ.update(before)
    return subprocess.CompletedProcess([*map(str, arguments)], code, _said(out), _said(err))


def _pipe() -> io.TextIOWrapper:
    """Return what takes text, and bytes beneath it, as standard output does."""
    return io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="\n", write_through=True)


def _said(pipe: io.TextIOWrapper) -> str:
    pipe.seek(0)
    return pipe.read()


def at_terminal(columns: int, *arguments: object, **environment: str) -> str:
    """Run the tool at a terminal of that width, and return what is on it in the end, escapes and all."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    plain = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "NO_COLOR")}
    with subprocess.Popen(
        [sys.executable, "-m", "audit_async", *map(str, arguments)],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**plain, "TERM": "xterm-256color", **environment},
    ):
        os.close(theirs)
        said = b""
        # Linux says that nobody is at the other end as an error.
        with suppress(OSError):
            while part := os.read(ours, 65_536):
                said += part
    os.close(ours)
    return said.decode().replace("\r\n", "\n")
