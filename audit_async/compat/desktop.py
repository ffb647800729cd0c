"""The desktop client's audit logger under its old names: changing one import line moves a program to this one.

    from audit_async.compat.desktop import get_audit_logger, init_audit_logger, shutdown

    init_audit_logger({"host": "db", "user": "app", "password": "...", "database": "app"}, queue_path, logs_dir)
    get_audit_logger().log_use(user, device, prompt, path, "success", None, model, 1200, "STOP")

Its promise is kept: once `log_use` or `log_login` has returned, the event is on this machine's disk, and survives the
loss of power. What was in the way of that is not: events of an offline hour keep their own time, one that the
database refuses does not stop the others, several programs may run at once, and a table that can tell events apart has
each of them once.

On MySQL its two old tables are written, by the ready maps of their names; both have to be there. They have no place
for an event's id, so that a row may be there twice when a connection, or the program, breaks off in the middle of a
commit; a table beside them that remembers ids helps (`TableMap.with_delivered_ids`, given as `table`). An event of
another kind that somebody logs to `.audit` belongs into neither: it goes to quarantine, and stops nothing.

The journal is a directory beside the old queue, `<queue_path>.journal`. The queue file itself is neither read nor
touched: let the old program empty it first (it does when it is started and closed while the database can be reached).
"""

from __future__ import annotations

import dataclasses
import os
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

from audit_async.config import CLOSE_SECONDS
from audit_async.diagnostics import describe, report
from audit_async.errors import ConfigurationError
from audit_async.events import AuditEvent
from audit_async.importing.formats.desktop import UNKNOWN_DEVICE, UNKNOWN_USER, login_event, use_event
from audit_async.logger import AuditLogger as _Logger
from audit_async.receipt import Receipt
from audit_async.shapes import pass_on
from audit_async.table_map.mapping import TableMap
from audit_async.values import is_true

__all__ = [
    "AuditLogger",
    "DesktopAuditLogger",
    "get_audit_logger",
    "init_audit_logger",
    "shutdown",
]

OLD_TABLES = (TableMap.ready("nano_banana_user_use_log"), TableMap.ready("nano_banana_user_log"))
"""One for each kind of event."""

# Guards the one instance, and the opening of a late journal.
_lock = threading.RLock()
_instance: DesktopAuditLogger | None = None


def init_audit_logger(db_config: Mapping[str, Any], queue_path: Any, logs_dir: Any = None) -> DesktopAuditLogger:
    """Make the logger of this process, start it, and return it. Where there is one already, that is returned.

    Args:
        db_config: `host`, `port` (3306), `user`, `password` and `database` of a MySQL server, for its two old tables;
            or `url`, the address of any database that audit_async writes to, for our table. `table` names other ones,
            as for `AuditLogger`.
        queue_path: of the old queue file; the journal goes beside it.
        logs_dir: taken, and not used, as of old.

    Raises:
        ConfigurationError: something is missing in *db_config*, or cannot be meant.
    """
    global _instance
    with _lock:
        if _instance is None:
            made = DesktopAuditLogger(db_config, queue_path, logs_dir)
            made.start()
            _instance = made
        return _instance


def get_audit_logger() -> DesktopAuditLogger | None:
    """Return the logger of this process, or None before `init_audit_logger` and after `shutdown`."""
    return _instance


def shutdown(timeout: float = CLOSE_SECONDS) -> bool:
    """Close the logger of this process, if there is one, as `DesktopAuditLogger.shutdown` does."""
    logger = _instance
    return logger.shutdown(timeout) if logger is not None else True


class DesktopAuditLogger:
    """Takes what a desktop program has to say, puts it on disk, and brings it to the database in the background.

    Its methods may be called from any thread. Nothing that they are given, and no fault, makes them raise.
    """

    def __init__(self, db_config: Mapping[str, Any], queue_path: Any, logs_dir: Any = None) -> None:
        self._audit = _Logger(_address(db_config), journal_dir=_journal_dir(queue_path), table=_table(db_config))
        self._late: _Logger | None = None

    def __repr__(self) -> str:
        return f"<DesktopAuditLogger over {self._audit!r}>"

    @property
    def audit(self) -> _Logger:
        """The logger that this is a face of, for its `stats()` and `health()`."""
        return self._audit

    def start(self) -> None:
        """Deliver what earlier runs left on disk. Harmless when called again; the first event would do it as well."""
        self._audit.deliver_leftovers()

    def log_use(
        self,
        user_name: str,
        device_name: str,
        prompt: str,
        result_path: str | None,
        status: str,
        error_message: str | None,
        model: str | None,
        duration_ms: int | None,
        finish_reason: str | None,
    ) -> None:
        """Log that a model was used. On return it is on disk; that takes one disk sync, `max_wait_seconds` at most.

        Args:
            user_name: who; nobody becomes 未知用户, without a `user_id`.
            device_name: where; nothing becomes 未知设备.
            status: `success`, `failed`, `timeout`, `cancelled`, ...: any text.
            duration_ms: milliseconds.
        """
        self._record(
            lambda: use_event(
                user_name if is_true(user_name) else UNKNOWN_USER,
                device_name=device_name if is_true(device_name) else UNKNOWN_DEVICE,
                prompt=prompt if is_true(prompt) else "",
                result_path=result_path,
                status=status,
                error_message=error_message,
                model=model,
                duration_ms=duration_ms,
                finish_reason=finish_reason,
            )
        )

    def log_login(
        self,
        user_name: str,
        local_ip: str | None,
        public_ip: str | None,
        device_name: str | None,
    ) -> None:
        """Log that somebody logged in. Returns as `log_use`. The event's address is the public one, if it is known."""
        details = {"local_ip": local_ip, "public_ip": public_ip, "device_name": device_name}
        self._record(lambda: login_event(user_name, public_ip if is_true(public_ip) else local_ip, details))

    def shutdown(self, timeout: float = CLOSE_SECONDS) -> bool:
        """Deliver what is pending, for *timeout* seconds at most, and close; return whether nothing remained.

        What remains is on disk, and is delivered by the next run. `init_audit_logger` makes a new logger afterwards.
        An event that a thread still logs to this one goes to disk as well.
        """
        global _instance
        with _lock:
            if _instance is self:
                _instance = None
            late, self._late = self._late, None
        deadline = time.monotonic() + timeout
        is_all_in = self._audit.close_sync(timeout)
        return (late is None or late.close_sync(max(0.0, deadline - time.monotonic()))) and is_all_in

    def _record(self, build: Callable[[], AuditEvent]) -> None:
        try:
            receipt = self._log(build())
            seconds = self._audit.settings.max_wait_seconds
            if not receipt.on_disk_sync(seconds) and receipt.is_accepted:
                report("desktop_disk", f"an audit event was not on disk within {seconds} s; it waits in the journal")
        except BaseException as error:
            pass_on(error)
            report("desktop", f"an audit event could not be logged ({describe(error)})", level="ERROR")

    def _log(self, event: AuditEvent) -> Receipt:
        if not self._audit.is_closed:
            receipt = self._audit.log(event)
            if receipt.refused != "closed":
                return receipt
        return self._journal_only().log(event)

    def _journal_only(self) -> _Logger:
        """Return a logger that only journals, for who comes after `shutdown`: the next run delivers it."""
        with _lock:
            if self._late is None:
                self._late = _Logger.of(dataclasses.replace(self._audit.settings, writer="none"))
            return self._late


AuditLogger = DesktopAuditLogger
"""The name that it had."""


# --- where it goes ---------------------------------------------------------------------------------------


def _address(db_config: Any) -> str:
    """Return the address of the database that *db_config* names."""
    if not isinstance(db_config, Mapping):
        raise ConfigurationError(
            f"db_config is of type {type(db_config).__name__}, not a dict",
            hint="give {'host': ..., 'user': ..., 'password': ..., 'database': ...} or {'url': ...}",
        )
    url: str = db_config.get("url", "")
    if url:
        return url
    # An empty password is one; nothing else may be empty.
    missing = [key for key in ("host", "user", "database") if not db_config.get(key)]
    missing += ["password"] if db_config.get("password") is None else []
    if missing:
        raise ConfigurationError(
            f"db_config has no {', '.join(repr(key) for key in missing)}",
            hint="give host, user, password and database (port is 3306 if not given), or a url",
        )
    host, user, password, database = (str(db_config[key]) for key in ("host", "user", "password", "database"))
    named = f"[{host}]" if ":" in host else quote(host, safe="")
    # SQLAlchemy 2.0 reads the name of a database as it stands, 2.1 undoes escapes: only what has to be is escaped.
    path = database.replace("%", "%25").replace("?", "%3F").replace("#", "%23")
    return f"mysql+asyncmy://{quote(user, safe='')}:{quote(password, safe='')}@{named}:{_port(db_config)}/{path}"


def _table(db_config: Mapping[str, Any]) -> Any:
    """Return what is written to: what *db_config* says, else on MySQL the two old tables, elsewhere ours."""
    given = db_config.get("table")
    return given if given is not None or db_config.get("url") else OLD_TABLES


def _port(db_config: Mapping[str, Any]) -> int:
    given = db_config.get("port") or 3306
    try:
        port = int(given)
    except (TypeError, ValueError):
        port = 0
    if not 0 < port < 65536:
        raise ConfigurationError(
            f"db_config has a port that is none: {given!r}", hint="give a number such as 3306, or leave it out"
        )
    return port


def _journal_dir(queue_path: Any) -> str:
    try:
        path = os.fsdecode(queue_path)
    except TypeError:
        path = ""
    if not path:
        raise ConfigurationError(
            f"queue_path is no path: {queue_path!r}",
            hint="give the path of the old queue file; the journal goes beside",
        )
    return f"{path}.journal"


def _after_fork() -> None:
    global _lock
    _lock = threading.RLock()


os.register_at_fork(after_in_child=_after_fork)
