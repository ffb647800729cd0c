"""What a request's headers say of where it comes from, as fields of a context."""

from __future__ import annotations

import functools
import random
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from audit_async.config import CONTEXT_SPELLINGS, MAX_AGENT_CHARS, MAX_REQUEST_ID_CHARS
from audit_async.errors import ConfigurationError
from audit_async.text import short_text, text_of_bytes
from audit_async.web.proxies import Proxies, address_of, hops_in_forwarded, hops_in_list

_FORWARDED, _FORWARDED_FOR = b"forwarded", b"x-forwarded-for"
_SANE_ID = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._:/+=@~-]{{0,{MAX_REQUEST_ID_CHARS - 1}}}")
_TRACE_PARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-.*)?")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_WSGI_NAMES = ("HTTP_USER_AGENT", "HTTP_TRACEPARENT", "HTTP_FORWARDED", "HTTP_X_FORWARDED_FOR")


class RequestReader:
    """Reads who asks, and for which request, out of headers. Any header is legal; what is no sane value is left out.

    Args:
        trusted_proxies: addresses and networks whose word on the client's address is taken; `unix` for a Unix socket.
        forwarded_header: the one header that the proxies say it in. By default that is `X-Forwarded-For`, or
            `Forwarded` (RFC 7239) where the former is missing; behind proxies that only write the latter say
            `forwarded`, or a client can put its own `X-Forwarded-For` there.
        request_id_header: whose id is taken where it is made of up to 128 letters, digits and `._:/+=@~-`.

    Raises:
        ConfigurationError: one of them cannot be meant.
    """

    def __init__(
        self,
        *,
        trusted_proxies: object = (),
        forwarded_header: str | None = None,
        request_id_header: str = "x-request-id",
    ) -> None:
        self._proxies = Proxies(trusted_proxies)
        self._trusts_any = bool(self._proxies)
        self._forwarded = _header_name(forwarded_header) if forwarded_header is not None else None
        self._request_id = _header_name(request_id_header)
        self._wanted = frozenset({b"user-agent", b"traceparent", self._request_id})
        if self._trusts_any:
            self._wanted |= {self._forwarded} if self._forwarded else {_FORWARDED, _FORWARDED_FOR}

    def read(self, headers: Iterable[tuple[bytes, bytes]], peer: str | None) -> dict[str, str]:
        """Return the fields of a context that *headers* say, names in lower case, of a request that *peer* sent.

        Args:
            peer: the address of who has connected, None where that was a Unix socket.
        """
        wanted = self._wanted
        found: dict[bytes, list[bytes]] = {}
        for name, value in headers:
            if name in wanted:
                found.setdefault(name, []).append(value)
        fields = {"request_id": self._request_id_of(found.get(self._request_id))}
        address = self._proxies.client(peer, self._hops(found)) if self._trusts_any else address_of(peer or "")
        if address is not None:
            fields["ip_address"] = address
        agents = found.get(b"user-agent")
        if agents is not None and agents[0]:
            agent = agents[0]
            fields["user_agent"] = _usual_agent(agent) if len(agent) <= MAX_AGENT_CHARS // 2 else _agent(agent)
        parents = found.get(b"traceparent")
        if parents is not None:
            fields.update(_trace(parents))
        return fields

    def read_environ(self, environ: Mapping[str, Any]) -> dict[str, str]:
        """Do as `read`, of the environment that WSGI gives an application (PEP 3333)."""
        own = (name.decode() for name in (self._request_id, self._forwarded) if name)
        names = dict.fromkeys((*_WSGI_NAMES, *(f"HTTP_{name.upper().replace('-', '_')}" for name in own)))
        headers = [
            (name[5:].lower().replace("_", "-").encode(), str(environ[name]).encode("latin-1", "replace"))
            for name in names
            if name in environ
        ]
        return self.read(headers, environ.get("REMOTE_ADDR"))

    def _hops(self, found: Mapping[bytes, list[bytes]]) -> Iterator[str]:
        name = self._forwarded or (_FORWARDED_FOR if _FORWARDED_FOR in found else _FORWARDED)
        values = [value.decode("latin-1") for value in found.get(name, ())]
        return hops_in_forwarded(values) if name == _FORWARDED else hops_in_list(values)

    def _request_id_of(self, given: list[bytes] | None) -> str:
        # Two of them are nobody's id.
        if given is not None and len(given) == 1:
            text = given[0].decode("latin-1")
            if _SANE_ID.fullmatch(text):
                return text
        return f"{random.getrandbits(128):032x}"  # it opens nothing, and a child that is forked has others


def _agent(value: bytes) -> str:
    text = text_of_bytes(value)
    return short_text(value.decode("latin-1") if text is None else text, MAX_AGENT_CHARS)


# Some thousand browsers send most requests.
_usual_agent = functools.lru_cache(maxsize=CONTEXT_SPELLINGS)(_agent)


def _trace(parents: list[bytes]) -> dict[str, str]:
    """Return trace and span of one `traceparent` header.

    Source: W3C Trace Context, 3.2: neither is all zero, version `ff` is none, a later one may say more behind it.
    """
    parsed = _TRACE_PARENT.fullmatch(parents[0].decode("latin-1")) if len(parents) == 1 else None
    if parsed is None:
        return {}
    version, trace, span, rest = parsed.groups()
    if version == "ff" or (version == "00" and rest) or not trace.strip("0") or not span.strip("0"):
        return {}
    return {"trace_id": trace, "span_id": span}


def _header_name(given: object) -> bytes:
    if not isinstance(given, str) or not _HEADER_NAME.fullmatch(given):
        raise ConfigurationError(
            f"{str(given)[:MAX_REQUEST_ID_CHARS]!r} is no name of a header", hint="name one as x-request-id"
        )
    return given.lower().encode()
