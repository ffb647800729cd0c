"""The desktop client's logger from its start to the process after it: one instance, kills, forks, shutdowns."""

from __future__ import annotations

import asyncio
import signal
import threading
from pathlib import Path

import pytest

from audit_async import ConfigurationError, create_table
from audit_async.compat import desktop as module
from audit_async.compat.desktop import DesktopAuditLogger, get_audit_logger, init_audit_logger, shutdown
from tests.children import Child
from tests.polling import eventually_sync
from tests.servers.mariadb import MariadbServer
from tests.tables import all_rows, count_rows
from tests.test_face import HEAVY, modules_after
from tests.test_fork import ended_well, in_child

MYSQL = {"host": "db", "user": "app", "password": "", "database": "app"}


def test_before_init_there_is_none_and_after_it_one(sqlite_url: str, queue_path: Path) -> None:
    """Many threads that ask at once get one logger, and so does whoever asks again with other settings."""
    assert get_audit_logger() is None
    together, got = threading.Barrier(8), []

    def ask() -> None:
        together.wait(10)
        got.append(init_audit_logger({"url": sqlite_url}, queue_path, None))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {id(get_audit_logger())} == {id(one) for one in got}
    assert got[0] is init_audit_logger({}, "", None)


def test_the_old_name_of_the_class_is_kept() -> None:
    """Code that names the class finds it."""
    assert module.AuditLogger is DesktopAuditLogger


def test_starting_again_is_harmless(desktop: DesktopAuditLogger, sqlite_url: str) -> None:
    """`start`, which programs of old may call themselves, may be called again at any time."""
    desktop.start()
    desktop.log_login("王小明", None, None, None)
    desktop.start()
    assert desktop.shutdown(20)
    assert 1 == asyncio.run(count_rows(sqlite_url))


def test_after_a_shutdown_the_next_init_makes_a_new_one(
    desktop: DesktopAuditLogger, sqlite_url: str, queue_path: Path
) -> None:
    """Shutting down says whether all is delivered, may be repeated, and makes room for another logger."""
    assert (True, True, True) == (shutdown(20), shutdown(), desktop.shutdown())
    assert get_audit_logger() is None
    other = init_audit_logger({"url": sqlite_url}, queue_path)
    assert other is not desktop
    assert (True, other) == (desktop.shutdown(), get_audit_logger())


def test_what_is_logged_after_a_shutdown_waits_on_disk(sqlite_url: str, queue_path: Path) -> None:
    """A thread that is late, and logs to a logger that was shut down, still leaves its event for the next run."""

    def run() -> bool:
        late = init_audit_logger({"url": sqlite_url}, queue_path)
        late.log_login("early", None, None, None)
        is_all_in = late.shutdown(20)
        late.log_login("late", None, None, None)
        return is_all_in and not late.shutdown(0)

    assert ended_well(in_child(run))
    deliver(sqlite_url, queue_path)
    assert {"early", "late"} == {row["user_id"] for row in asyncio.run(all_rows(sqlite_url))}


def test_the_old_queue_is_not_touched(sqlite_url: str, queue_path: Path) -> None:
    """The queue file keeps its bytes; the journal is a directory beside it, with nothing left when all is stored."""
    queue_path.parent.mkdir()
    queue_path.write_bytes(b'{"kind": "use_log"\xff')
    desktop = init_audit_logger({"url": sqlite_url}, str(queue_path), queue_path.parent / "logs")
    desktop.log_login("王小明", None, None, None)
    assert desktop.shutdown(20)
    assert b'{"kind": "use_log"\xff' == queue_path.read_bytes()
    names = sorted(path.name for path in queue_path.parent.iterdir())
    assert ["audit_queue.ndjson", "audit_queue.ndjson.journal"] == names


@pytest.mark.parametrize("count", [1, 3, 40])
def test_what_a_killed_process_logged_is_delivered_by_the_next(count: int, tmp_path: Path, queue_path: Path) -> None:
    """With the database out of reach, SIGKILL right after `log_use` has returned loses nothing: the next run
    delivers it once, with everything it had to say."""
    server = tmp_path / "not mounted yet"
    url = f"sqlite+aiosqlite:///{server}/audit.db"
    with Child("desktop_child", url, queue_path, count) as child:
        assert f"logged {count - 1}" == child.lines(count)[-1]
        child.kill()
    server.mkdir()
    deliver(url, queue_path)
    rows = [row for row in asyncio.run(all_rows(url)) if row["action"] == "api.request"]
    assert [f"prompt {number}" for number in range(count)] == [row["details"]["prompt"] for row in rows]
    assert {("王小明", 1200, "success")} == {(row["user_id"], row["duration_ms"], row["outcome"]) for row in rows}


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_process_logs_on_its_own(desktop: DesktopAuditLogger, sqlite_url: str) -> None:
    """The logger works in a child that was forked while another thread was inside `init_audit_logger`."""
    desktop.log_login("parent", None, None, None)
    inside, is_over = threading.Event(), threading.Event()

    def hold() -> None:
        with module._lock:
            inside.set()
            is_over.wait(30)

    holder = threading.Thread(target=hold)
    holder.start()
    inside.wait(10)

    def run() -> bool:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(30)  # a lock that nobody here can free must not outlive the test
        logger = init_audit_logger({}, "")
        logger.log_login("child", None, None, None)
        return logger is get_audit_logger() and logger.shutdown(20) and get_audit_logger() is None

    pid = in_child(run)
    is_over.set()
    holder.join()
    assert ended_well(pid)
    assert desktop.shutdown(20)
    assert {"parent", "child"} == {row["user_id"] for row in asyncio.run(all_rows(sqlite_url))}


async def test_what_it_logs_arrives_on_the_server_it_names(mariadb: MariadbServer, queue_path: Path) -> None:
    """Host, port, user, password and database, as they always were, lead to a row, here in our table."""
    database = await mariadb.create_database()
    url = mariadb.url(database)
    await create_table(url)
    config = {"host": mariadb.host, "port": mariadb.port, "user": mariadb.user, "password": mariadb.password}
    desktop = init_audit_logger({**config, "database": database, "table": "audit_logs"}, queue_path, None)
    desktop.log_login("王小明", "10.0.0.5", None, "\N{GRINNING FACE} desk")
    assert await asyncio.to_thread(desktop.shutdown, 20)
    (row,) = await all_rows(url)
    assert ("王小明", "10.0.0.5") == (row["actor_name"], row["ip_address"])
    assert row["details"]["device_name"] == "\N{GRINNING FACE} desk"
    await mariadb.drop_database(database)


@pytest.mark.parametrize("key", sorted(MYSQL))
def test_what_is_missing_is_named(key: str, queue_path: Path) -> None:
    """A configuration without one of its keys is refused by that key's name, and no logger is there."""
    with pytest.raises(ConfigurationError, match=f"no '{key}'"):
        init_audit_logger({name: value for name, value in MYSQL.items() if name != key}, queue_path)
    assert get_audit_logger() is None


@pytest.mark.parametrize(
    ("config", "path", "said"),
    [
        (None, "q", "NoneType"),
        ({**MYSQL, "port": "x"}, "q", "port"),
        ({**MYSQL, "port": 70_000}, "q", "port"),
        ({"url": "mysql+pymysql://db/app"}, "q", "blocks"),
        ({"url": 17}, "q", "int"),
        (MYSQL, "", "queue_path"),
        (MYSQL, None, "queue_path"),
    ],
)
def test_what_cannot_be_meant_is_named(config: object, path: object, said: str) -> None:
    """A configuration that no logger can be made of is refused with a message that says which part."""
    with pytest.raises(ConfigurationError, match=said):
        init_audit_logger(config, path)  # type: ignore[arg-type]  # the slip


@pytest.mark.parametrize("password", ["p@ss:w/rd#?%20 +&", "密码", "", "[::1]", "a%40b"])
def test_a_password_of_any_characters_is_meant_literally(password: str, queue_path: Path) -> None:
    """Host, port, user, password and database reach the driver as they were given, and the password no message."""
    from sqlalchemy import make_url

    config = {**MYSQL, "host": "db.example", "user": "a:b@c", "password": password, "database": "app-1"}
    desktop = DesktopAuditLogger(config, queue_path)
    url = make_url(desktop.audit.settings.address.url)
    assert ("mysql+asyncmy", "db.example", 3306, "a:b@c", password, "app-1") == (
        url.drivername,
        url.host,
        url.port,
        url.username,
        url.password or "",
        url.database,
    )
    assert ("mysql://db.example:3306/app-1", Path(f"{queue_path}.journal")) == (
        str(desktop.audit.settings.address),
        desktop.audit.settings.journal_dir,
    )


def test_the_module_loads_nothing_heavy(queue_path: Path) -> None:
    """Importing it, and making a logger for MySQL, loads no SQLAlchemy and no driver."""
    program = (
        f"from audit_async.compat.desktop import DesktopAuditLogger\nDesktopAuditLogger({MYSQL!r}, {str(queue_path)!r})"
    )
    assert set() == modules_after(program) & {*HEAVY, "asyncmy", "pymysql"}


def deliver(url: str, queue_path: Path) -> None:
    """Be the next run, which logs nothing itself: start, and wait until no file of an earlier one is left."""
    init_audit_logger({"url": url}, queue_path)
    journal = Path(f"{queue_path}.journal")
    eventually_sync(lambda: len(list(journal.glob("*.lock"))) == 1, 20)
    assert shutdown(20)
