"""Packages that are loaded in a thread of ours, and a fork in that moment."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from audit_async import loading as module
from audit_async.errors import ConfigurationError
from audit_async.loading import close_in_forks, loading, optional
from tests.children import Child


class Open:
    """Something that a fork has to close, and how often one has, and let it go on."""

    def __init__(self, on_close: Callable[[], object] = lambda: None) -> None:
        self.closed = 0
        self.went_on = 0
        self._on_close = on_close
        close_in_forks(self)

    def close_before_fork(self) -> bool:
        self.closed += 1
        self._on_close()
        return True

    def go_on_after_fork(self) -> None:
        self.went_on += 1


def test_an_import_that_hangs_holds_up_no_other_one_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a child that was forked in the middle of an import, whoever closes or reports gets on all the same."""
    monkeypatch.setattr(module, "LOADING_SECONDS", 0.01)
    is_inside, may_go = threading.Event(), threading.Event()

    def hang() -> None:
        with loading():
            is_inside.set()
            may_go.wait(30)

    hanging = threading.Thread(target=hang)
    hanging.start()
    is_inside.wait(30)
    with loading():
        assert hanging.is_alive()
    may_go.set()
    hanging.join()


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_fork_closes_what_the_import_that_it_waits_for_brings_in() -> None:
    """A thread that loads something and opens it, while another one forks already, has it closed by that fork."""
    is_loading, is_forking = threading.Event(), threading.Event()
    opened: list[Open] = []

    def load() -> None:
        with loading():
            is_loading.set()
            is_forking.wait(30)
            opened.append(Open())

    thread = threading.Thread(target=load)
    thread.start()
    is_loading.wait(30)
    # The fork sees first to what is there, and then waits for the import.
    early = Open(is_forking.set)
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    thread.join()
    assert [(1, 1), (1, 1)] == [(each.closed, each.went_on) for each in (early, *opened)]


def test_a_fork_that_has_waited_for_loguru_leaves_its_locks_in_order(tmp_path: Path) -> None:
    """Where loguru is loaded during the fork, both processes log with it, and none complains of a lock."""
    errors = tmp_path / "errors"
    with Child("loading_child", flags=("-W", "ignore:This process:DeprecationWarning"), errors=errors) as child:
        assert child.rest() == ["child", "parent"]
        assert (child.returncode, errors.read_text()) == (0, "")


def test_a_package_that_is_not_installed_is_named_with_its_extra() -> None:
    """Who needs it, and the command that brings it."""
    with pytest.raises(ConfigurationError) as told, optional("the example needs Nothing", "nothing"):
        import nothing_of_this_name  # type: ignore[import-not-found]  # noqa: F401
    assert "the example needs Nothing, which is not installed" in str(told.value)
    assert "pip install 'audit-async[nothing]'" in str(told.value)
