"""Who can read or change what is on its way to the server."""

from __future__ import annotations

import pytest

from audit_async.checkup.transport import Transport, is_loopback, of_transport


@pytest.mark.parametrize(
    ("transport", "level", "words"),
    [
        (Transport(is_local=True), "ok", "to this machine"),
        (Transport(is_local=False), "warning", "NOT ENCRYPTED"),
        (Transport(is_local=False, protocol="TLSv1.3"), "warning", "NOT VERIFIED"),
        (Transport(is_local=False, protocol="TLSv1.3", is_verified=True), "note", "not by its name"),
        (Transport(is_local=False, protocol="TLS", is_verified=None, knows_host=None), "note", "is not told"),
        (Transport(is_local=False, protocol="TLSv1.3", is_verified=True, knows_host=True), "ok", "verified"),
    ],
)
def test_who_is_on_the_way_is_told(transport: Transport, level: str, words: str) -> None:
    """To another machine only TLS with a verified certificate is well; unverified it is a loud warning."""
    (found,) = of_transport(transport, "db.example", "postgresql")
    assert (level, True) == (found.level, words in found.message)
    assert (found.hint is None) is (level == "ok")


@pytest.mark.parametrize(
    ("host", "is_local"),
    [("localhost", True), ("127.0.0.2", True), ("::1", True), ("/run/postgresql", True), ("10.0.0.1", False)],
)
def test_this_machine_is_known_by_its_names(host: str, is_local: bool) -> None:
    """Only what cannot leave this machine is local."""
    assert is_local is is_loopback(host)
