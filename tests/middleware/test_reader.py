"""What headers say: which values are sane, and what becomes of those that are not."""

from __future__ import annotations

import pytest

from audit_async.config import MAX_AGENT_CHARS, MAX_REQUEST_ID_CHARS
from audit_async.errors import ConfigurationError
from audit_async.web.reader import RequestReader

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


def read(*headers: tuple[bytes, bytes], request_id_header: str = "x-request-id") -> dict[str, str]:
    return RequestReader(request_id_header=request_id_header).read(headers, "203.0.113.9")


@pytest.mark.parametrize("given", ["r-7", "01j9:ab/c+d=e@f~g.h_i", "7" * MAX_REQUEST_ID_CHARS])
def test_a_sane_request_id_is_taken(given: str) -> None:
    """The id of the header is the request's."""
    assert given == read((b"x-request-id", given.encode()))["request_id"]


@pytest.mark.parametrize(
    "given",
    [b"", b" r", b"r\x00", b"r\n", b"\xff", "é".encode(), b"<script>", b"' OR 1=1", b"-r", b"7" * 129, b"7" * 65_000],
)
def test_any_other_request_id_is_made(given: bytes) -> None:
    """What is empty, too long or has other characters is replaced by a new id, another one each time."""
    made = [read((b"x-request-id", given))["request_id"] for _ in range(2)]
    assert [32, 32] == [len(each) for each in made]
    assert made[0] != made[1]


def test_two_request_ids_are_none() -> None:
    """Where two headers name an id, neither is taken."""
    assert 32 == len(read((b"x-request-id", b"r-1"), (b"x-request-id", b"r-2"))["request_id"])


def test_the_header_of_the_request_id_may_have_another_name() -> None:
    """Another header is looked at instead."""
    found = read((b"x-request-id", b"r-1"), (b"x-correlation-id", b"r-2"), request_id_header="X-Correlation-ID")
    assert "r-2" == found["request_id"]


@pytest.mark.parametrize("name", ["", "x request", "x:y", None, 7, b"x", "é"])
def test_what_is_no_name_of_a_header_is_an_error_at_the_start(name: object) -> None:
    """A slip in a header's name is told when the application starts."""
    with pytest.raises(ConfigurationError, match="name of a header"):
        RequestReader(request_id_header=name)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (b"Mozilla/5.0", "Mozilla/5.0"),
        ("Prüfer/1".encode(), "Prüfer/1"),
        ("Prüfer/1".encode("latin-1"), "Prüfer/1"),
        (b"a\x00b", "a␀b"),
        (b"", None),
    ],
)
def test_a_user_agent_is_text(given: bytes, expected: str | None) -> None:
    """It is UTF-8, else latin-1, and a NUL becomes a picture of one."""
    assert expected == read((b"user-agent", given)).get("user_agent")


def test_a_long_user_agent_is_cut() -> None:
    """One of 60 KB is cut, and says so."""
    said = read((b"user-agent", b"Mozilla " * 8000))["user_agent"]
    assert MAX_AGENT_CHARS == len(said)
    assert "[truncated: 64000 bytes" in said


@pytest.mark.parametrize("parent", [f"00-{TRACE}-{SPAN}-01", f"cc-{TRACE}-{SPAN}-01-what-will-be-later"])
def test_a_traceparent_is_the_trace(parent: str) -> None:
    """Trace and span are those of the caller, also in a later version of the header."""
    found = read((b"traceparent", parent.encode()))
    assert (TRACE, SPAN) == (found["trace_id"], found["span_id"])


@pytest.mark.parametrize(
    "parent",
    [
        *("", "00", f"00-{TRACE}-{SPAN}", f"ff-{TRACE}-{SPAN}-01", f"00-{TRACE}-{SPAN}-01-more"),
        *(f"00-{'0' * 32}-{SPAN}-01", f"00-{TRACE}-{'0' * 16}-01", f"00-{TRACE.upper()}-{SPAN}-01", "x" * 60_000),
    ],
)
def test_what_is_no_traceparent_names_none(parent: str) -> None:
    """A damaged header, and two of them, name no trace."""
    assert {"request_id", "ip_address"} == read((b"traceparent", parent.encode())).keys()
    good = (b"traceparent", f"00-{TRACE}-{SPAN}-01".encode())
    assert {"request_id", "ip_address"} == read(good, good).keys()


def test_an_environment_of_wsgi_says_the_same() -> None:
    """What WSGI puts into its environment is read as the headers that it was."""
    reader = RequestReader(trusted_proxies="10.0.0.1")
    environ = {
        "REMOTE_ADDR": "10.0.0.1",
        "HTTP_X_FORWARDED_FOR": "1.1.1.1, 203.0.113.9",
        "HTTP_USER_AGENT": "Pr\xc3\xbcfer/1",
        "HTTP_X_REQUEST_ID": "r-1",
        "HTTP_TRACEPARENT": f"00-{TRACE}-{SPAN}-01",
        "wsgi.url_scheme": "http",
    }
    assert {
        "request_id": "r-1",
        "ip_address": "203.0.113.9",
        "user_agent": "Prüfer/1",
        "trace_id": TRACE,
        "span_id": SPAN,
    } == reader.read_environ(environ)
