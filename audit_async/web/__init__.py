"""What a request says of itself, for the middleware and for other ways into an application.

proxies     the client's address, through proxies that are trusted
reader      the fields of a context, from headers
asking      the application's own word on who it is, which may be slow or wrong
exchange    one request and its response: what is known of it, and its event
template    the path as the framework's route has it
"""

from __future__ import annotations

from audit_async.web.reader import RequestReader

__all__ = ["RequestReader"]
