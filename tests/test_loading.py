"""Packages that are loaded in a thread of ours, and a fork in that moment."""

from __future__ import annotations

import threading

import pytest

from audit_async import loading as module
from audit_async.loading import loading


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
