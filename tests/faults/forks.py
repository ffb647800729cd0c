"""Faults of processes that fork: each has a journal of its own, and takes nothing from its parent."""

from __future__ import annotations

import os
import re
import signal
import socket
from pathlib import Path

from tests.faults.fault import fault
from tests.faults.lab import Lab

FLAGS = ("-W", "ignore:This process:DeprecationWarning")
"""From 3.12 on Python advises against forking with threads, which is what these faults are about."""

SAID_IN_ORDER = re.compile(r"\| (INFO|WARNING) +\| audit_async\.(writer|lifetime):")
"""Such as that processes on a loaded machine wait for each other's transactions, or leave events to the next one."""


def forking(lab: Lab, way: str, count: int) -> None:
    """Let a process fork in some way, and assert that nobody hung, and nobody said anything but of the database."""
    errors = lab.folder / f"{way}.errors"
    with lab.child(count, program=("forking_child", way), life={"errors": errors, "flags": FLAGS}) as child:
        said, unexpected = child.rest(), _unexpected(errors)
        # Where a process hung, among that are the places where each of its threads stood.
        told = "\n".join([f"ended with {child.returncode}, and said {said}", *unexpected])
        assert (child.returncode, unexpected, said[-1:]) == (0, [], ["done"]), told


def _unexpected(errors: Path) -> list[str]:
    """Return what was said that is an error, or was not said by the library in order."""
    return [line for line in errors.read_text().splitlines() if not SAID_IN_ORDER.search(line)]


@fault("F12", "a prefork server, of which one worker is killed", on=("sqlite", "postgres"))
def prefork_server(lab: Lab) -> None:
    """Ask a server with four processes to log, kill one of these, and go on asking."""
    errors = lab.folder / "server.errors"
    with lab.child(200, program=("forking_child", "prefork"), life={"errors": errors, "flags": FLAGS}) as server:
        (said,) = server.lines(1)
        port = int(said.removeprefix("port "))
        numbers = iter(lab.numbers(150))

        def ask() -> int:
            with socket.create_connection(("127.0.0.1", port), 30) as connection:
                connection.sendall(b"%d" % next(numbers))
                return int(connection.recv(100))

        workers = [ask() for _ in range(100)]
        os.kill(victim := lab.chance.choice(workers), signal.SIGKILL)
        later = {ask() for _ in range(50)}
        assert victim not in later
        assert len(later | set(workers)) > 1
        os.kill(server.pid, signal.SIGTERM)
        assert server.rest()[-1] == "done"
        unexpected = _unexpected(errors)
        assert not unexpected, unexpected


@fault("F12", "a logger that is made before the fork and first used after it")
def made_before(lab: Lab) -> None:
    """Fork before the first event."""
    forking(lab, "unused", 200)


@fault("F13", "a storm of forks while threads log and wait for the disk", fast=1, quick=2, full=20)
def fork_storm(lab: Lab) -> None:
    """Fork thirty times from the first event on, whatever the threads of the library are doing."""
    lab.timing = {"adopt_interval_seconds": lab.chance.choice([0.05, 60.0])}
    forking(lab, "storm", 90)


@fault("F14", "multiprocessing: fork, spawn and forkserver")
def multiprocessing_children(lab: Lab) -> None:
    """Log from each kind of process that Python makes."""
    forking(lab, "processes", 500)


@fault("F15", "children that end with what they inherited still open", on=("sqlite", "postgres"))
def inherited_descriptors(lab: Lab) -> None:
    """Let children come and go while the parent's journal is open."""
    forking(lab, "inherited", 500)
