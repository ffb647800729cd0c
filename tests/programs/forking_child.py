"""Log numbered events while forking in one way or another.

python -m tests.programs.forking_child WAY TASK      # one of `WAYS`, and a `Task`

Whatever a fork breaks shows as a process that hangs: each has `HANG_SECONDS`, then it says where it stands and ends.
"""

from __future__ import annotations

import faulthandler
import fcntl
import multiprocessing
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from contextlib import suppress

from tests.programs.teller import Teller, say, told_task
from tests.programs.telling_child import Task

HANG_SECONDS = 60  # far above what any of these takes on a loaded machine
WORKERS = 4
LOOK_SECONDS = 1.0  # between two looks of a worker whether its parent is there


def fork(work: Callable[[], object]) -> int:
    """Run *work* in a forked process, which ends without any clean-up, and return its process id."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        # The alarm is this process's alone. What is registered for it is inherited: it says where the process stands.
        signal.alarm(HANG_SECONDS)
        work()
        code = 0
    except SystemExit:
        code = 0
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(code)


def end_well(*pids: int) -> None:
    """Wait for the forked processes.

    Raises:
        AssertionError: one of them did not end well.
    """
    for pid in pids:
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        assert code == 0, f"a forked process ended with {code}"


def assert_locked(teller: Teller) -> None:
    """Assert that this process holds both locks of its own journal: whoever opens the files anew gets none."""
    journal = teller.audit._process.journal
    assert journal is not None
    held = [path for path in journal.directory.iterdir() if path.suffix in (".lock", ".confirm")]
    own = [path for path in held if journal.writer_id in path.name]
    assert len(own) == (1 if teller.audit.settings.writer == "none" else 2), held
    for path in own:
        descriptor = os.open(path, os.O_RDWR)
        with suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            raise AssertionError(f"nobody holds {path.name}")
        os.close(descriptor)


def log_some(teller: Teller, numbers: range) -> None:
    """Log *numbers*: a forked process has a copy of its parent's iterator, and takes its own ones instead."""
    for number in numbers:
        teller.log_number(number)


def shares(task: Task, count: int) -> list[range]:
    """Return the task's numbers in *count* equal parts."""
    size = task.count // count
    return [range(task.first + n * size, task.first + (n + 1) * size) for n in range(count)]


def prefork(teller: Teller) -> None:
    """Serve as a prefork server does: the application is loaded and used, then four processes take requests.

    A request is a number, whose event is logged. Each answer comes from the process that has logged it. The parent
    replaces a worker that dies, until it is told to end.
    """
    parent = os.getpid()
    # Taken by `sigwait` alone, and by no thread of the library: these inherit the mask.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGCHLD})
    before, _ = shares(teller.task, 2)
    log_some(teller, before)
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(LOOK_SECONDS)

    def serve() -> None:
        signal.alarm(0)
        while os.getppid() == parent:
            with suppress(TimeoutError):
                connection, _ = listener.accept()
                with connection:
                    teller.log_number(int(connection.recv(100)))
                    connection.sendall(b"%d" % os.getpid())

    workers = {fork(serve) for _ in range(WORKERS)}
    say(f"port {listener.getsockname()[1]}")
    while signal.sigwait({signal.SIGTERM, signal.SIGCHLD}) == signal.SIGCHLD:
        dead, _ = os.waitpid(-1, os.WNOHANG)
        if dead:
            workers.remove(dead)
            workers.add(fork(serve))
        assert_locked(teller)
    for pid in workers:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    assert_locked(teller)


def storm(teller: Teller) -> None:
    """Fork again and again while threads log and wait for the disk, from the first event on.

    Half of the children close their logger, half end without. Every eighth has a child of its own.
    """
    task = teller.task
    own, *rest = shares(task, 3)
    children = iter(range(rest[0].start, task.first + task.count))
    numbers = iter(own)

    def keep_logging() -> None:
        for number in numbers:
            teller.log_number(number).on_disk_sync(30)

    def work(turn: int, given: list[int]) -> None:
        teller.log_number(given[0])
        if turn % 8 == 0:
            end_well(fork(lambda: teller.log_number(given[1])))
        else:
            teller.log_number(given[1])
        if turn % 2:
            assert teller.audit.close_sync(30), teller.audit.health()

    threads = [threading.Thread(target=keep_logging) for _ in range(3)]
    for thread in threads:
        thread.start()
    for turn, first in enumerate(children):
        given = [first, next(children)]
        end_well(fork(lambda turn=turn, given=given: work(turn, given)))  # type: ignore[misc]
    for thread in threads:
        thread.join()
    assert_locked(teller)


def unused(teller: Teller) -> None:
    """Fork with a logger that was made and never used, and use it in all of the processes."""
    own, *others = shares(teller.task, 4)
    end_well(*[fork(lambda numbers=numbers: log_some(teller, numbers)) for numbers in others])  # type: ignore[misc]
    log_some(teller, own)


def inherited(teller: Teller) -> None:
    """Fork children that end with everything still open which they inherited, without a single event of their own."""
    before, after = shares(teller.task, 2)
    log_some(teller, before)

    def die_by_signal() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    for work in (lambda: os._exit(0), lambda: sys.exit(0), die_by_signal):
        with suppress(AssertionError):
            end_well(fork(work))
    assert_locked(teller)
    log_some(teller, after)


def be_watched() -> None:
    """Say where this process stands, and end, when it has hung for `HANG_SECONDS`."""
    # A process that was spawned does not inherit it.
    faulthandler.register(signal.SIGALRM, chain=True)
    signal.alarm(HANG_SECONDS)


def log_in_process(task: Task, numbers: range) -> None:
    """Be a process of `multiprocessing`, with a logger of its own."""
    be_watched()
    part = Teller(task)
    log_some(part, numbers)
    assert part.audit.close_sync(30), part.audit.health()


def log_with_inherited(numbers: range) -> None:
    """Be a process of `multiprocessing` that uses the logger of the process which forked it."""
    be_watched()
    assert inherited_teller is not None
    log_some(inherited_teller, numbers)


inherited_teller: Teller | None = None


def processes(teller: Teller) -> None:
    """Log from processes of `multiprocessing`, made in each of its ways, after the parent has logged."""
    global inherited_teller
    inherited_teller = teller
    own, *others = shares(teller.task, 5)
    log_some(teller, own)
    context = multiprocessing.get_context
    children = [
        context("fork").Process(target=log_in_process, args=(teller.task, others[0])),
        context("spawn").Process(target=log_in_process, args=(teller.task, others[1])),
        context("forkserver").Process(target=log_in_process, args=(teller.task, others[2])),
        context("fork").Process(target=log_with_inherited, args=(others[3],)),
    ]
    for child in children:
        child.start()
    for child in children:
        child.join(HANG_SECONDS)
    codes = [child.exitcode for child in children]
    assert codes == [0, 0, 0, 0], codes
    assert_locked(teller)


WAYS: dict[str, Callable[[Teller], None]] = {
    "prefork": prefork,
    "storm": storm,
    "unused": unused,
    "inherited": inherited,
    "processes": processes,
}

if __name__ == "__main__":
    faulthandler.register(signal.SIGALRM, chain=True)
    with Teller(told_task()) as teller:
        WAYS[sys.argv[1]](teller)
