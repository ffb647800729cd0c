"""The path of a request as the framework's route has it: `/items/{id}`, which tells nothing of whose item it was."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from audit_async.config import MAX_PATH_CHARS, MAX_PATH_PREFIXES
from audit_async.diagnostics import describe, report
from audit_async.shapes import pass_on
from audit_async.text import short_text


def path_of(scope: Mapping[str, Any], asked: object) -> str:
    """Return the template of the route that *scope* names, with what it is mounted under; else *asked*, the path.

    Never raises. Starlette and FastAPI put the route into the scope, Litestar its template.
    """
    path = asked if isinstance(asked, str) else ""
    try:
        template = scope.get("path_template")
        if not isinstance(template, str) or not template:
            template = _of_route(scope.get("route"), path, scope.get("path_params"))
    except BaseException as error:
        pass_on(error)
        report("web_route", f"the route of a request cannot be read: {describe(error)}")
        template = None
    return short_text(template or path, MAX_PATH_CHARS)


def _of_route(route: Any, path: str, values: Any) -> str | None:
    """Return the template of *route* behind the part of *path* that it does not match: where it is mounted."""
    template, pattern = getattr(route, "path_format", None), getattr(route, "path_regex", None)
    # Of a mount, which has no endpoint, only the beginning is known: what it holds is no router.
    if not isinstance(template, str) or pattern is None or getattr(route, "endpoint", None) is None:
        return None
    start = 0
    for _ in range(MAX_PATH_PREFIXES):
        if pattern.match(path[start:]):
            return _named(path[:start], template, values) + template if start else template
        start = path.find("/", start + 1)
        if start < 0:
            break
    return None


def _named(prefix: str, template: str, values: Any) -> str:
    """Return *prefix* with the names of those *values* in it that *template* does not have."""
    if not isinstance(values, Mapping):
        return prefix
    names = {str(value): name for name, value in values.items() if f"{{{name}}}" not in template}
    return "/".join(f"{{{names[part]}}}" if part in names else part for part in prefix.split("/"))
