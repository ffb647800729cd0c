"""The audit log of a request in FastAPI, as a dependency (`pip install 'audit-async[fastapi]'`).

@app.post("/roles")
async def assign(role: Role, audit: Annotated[AuditLogger, Depends(audit_for_request)]):
    audit.log(events.role("role.assign", role_name=role.name))
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from audit_async.context import LateContext
from audit_async.default import get_audit_logger
from audit_async.loading import optional
from audit_async.logger import AuditLogger
from audit_async.web.exchange import MARK, Exchange
from audit_async.web.reader import RequestReader

if TYPE_CHECKING:
    from fastapi.requests import HTTPConnection
else:
    with optional("the dependency audit_for_request needs FastAPI", "fastapi"):
        from fastapi.requests import HTTPConnection  # FastAPI looks the annotation up here

_reader = RequestReader()


async def audit_for_request(connection: HTTPConnection) -> AsyncIterator[AuditLogger]:
    """Give the logger whose events know of this request: that of the `AuditMiddleware` around it.

    A coroutine function that says the user or the tenant is asked once more here, where the dependencies before this
    one have run. Without the middleware it is the process default logger, and request id, client address, user agent
    and trace are known from here on; no proxy is trusted then.
    """
    exchange = connection.scope.get(MARK)
    if isinstance(exchange, Exchange):
        await exchange.ask(is_early=True)
        yield exchange.audit
        return
    with LateContext(Exchange(connection.scope, _reader, (), None).fields):
        yield get_audit_logger()
