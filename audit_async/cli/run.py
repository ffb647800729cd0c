"""The tool as a whole: every command, and how errors are told."""

from __future__ import annotations

import errno
import os
import sys
from collections import Counter
from collections.abc import Callable
from io import TextIOWrapper
from typing import Any

from audit_async.cli import analysis as _analysis
from audit_async.cli import catalog as _catalog
from audit_async.cli import doctor as _doctor
from audit_async.cli import drain as _drain
from audit_async.cli import export as _export
from audit_async.cli import importing as _importing
from audit_async.cli import journal as _journal
from audit_async.cli import maintain as _maintain
from audit_async.cli import maps as _maps
from audit_async.cli import quarantine as _quarantine
from audit_async.cli import roles as _roles
from audit_async.cli import search as _search
from audit_async.cli import show as _show
from audit_async.cli import stats as _stats
from audit_async.cli import tables as _tables
from audit_async.cli import tail as _tail
from audit_async.cli.console import FINDING, OK, USAGE, app, err, escape
from audit_async.config import MAX_QUERY_VALUES
from audit_async.errors import AuditError, ConfigurationError

COMMANDS = (
    *(_tables, _maps, _roles, _maintain, _drain, _importing, _journal, _quarantine, _doctor, _stats, _catalog),
    *(_search, _show, _tail, _analysis, _export),
)
"""Loading one puts its commands into `app`."""


_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def run(arguments: list[str] | None = None) -> int:
    """Run the tool and return its exit code; errors are told in two lines, what and what to do."""
    from loguru import logger

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            # A terminal that cannot show a character is no reason to fail.
            stream.reconfigure(errors="replace")
    logger.remove()
    logger.add(sys.stderr, level="WARNING", format="<level>{level: <8}</level> {message}")
    call: Callable[..., Any] = app
    try:
        _check_repeats(sys.argv[1:] if arguments is None else arguments)
        result = call(arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        # `| head` has seen enough. What is still in the buffer goes nowhere, and not into a traceback at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return OK
    except OSError as error:
        # Standard output, or a file that was named: the disk is full, or the name is none.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        hint = "make room for it" if error.errno in _FULL else ""
        return _say(AuditError(f"{error.filename or 'standard output'}: {error.strerror or error}", hint=hint), FINDING)
    except ConfigurationError as error:
        return _say(error, USAGE)
    except AuditError as error:
        return _say(error, FINDING)
    return result if isinstance(result, int) else OK


def _check_repeats(arguments: list[str]) -> None:
    """Refuse more of one option than any takes, before the time is spent to read them."""
    for option, count in Counter(each.partition("=")[0] for each in arguments if each.startswith("--")).items():
        if count > MAX_QUERY_VALUES:
            raise ConfigurationError(
                f"{option[:100]} is given {count:,} times", hint=f"give it up to {MAX_QUERY_VALUES:,} times"
            )


def _say(error: AuditError, code: int) -> int:
    err.print(f"[red]Failed:[/] {escape(error.message)}", soft_wrap=True)
    if error.hint:
        err.print(f"  [dim]HINT:[/] {escape(error.hint)}", soft_wrap=True)
    return code
