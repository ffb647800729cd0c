"""docs/web.md and docs/flask-and-django.md are true: each recipe is served as it stands."""

from __future__ import annotations

import logging
import re
import sys
import threading
import types
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.core.wsgi import get_wsgi_application  # type: ignore[import-untyped]
from django.test import override_settings  # type: ignore[import-untyped]
from werkzeug.serving import make_server

from audit_async import configure
from tests.middleware import django_site
from tests.middleware.site import SECONDS, Answer, Site, serving

DOCS = Path(__file__).parents[2] / "docs"
PAGES = (DOCS / "web.md").read_text() + (DOCS / "flask-and-django.md").read_text()
STARLETTE, FASTAPI, LITESTAR, FLASK, DJANGO, DJANGO_WSGI = re.findall(r"```python\n(.*?)```", PAGES, re.DOTALL)
AUTHENTICATE = f"{django_site.__name__}.authenticate"


@contextmanager
def serving_asgi(app: Any, folder: Path) -> Iterator[Site]:
    """Serve *app*, which logs by the process default logger."""
    with serving(lambda audit: app, folder, opening=configure) as site:
        yield site


@contextmanager
def serving_wsgi(app: Any, folder: Path) -> Iterator[Site]:
    """Serve *app* by a threaded server of WSGI, likewise."""
    logging.getLogger("werkzeug").setLevel(logging.CRITICAL)
    file = folder / "audit.db"
    with configure(f"sqlite+aiosqlite:///{file}", journal_dir=folder / "journal") as audit:
        server = make_server("127.0.0.1", 0, app, threaded=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield Site(server.server_port, audit, file)
        finally:
            server.shutdown()
            thread.join(SECONDS)
            server.server_close()


def run(recipe: str) -> dict[str, Any]:
    """Run *recipe* as the module that it is, and return its names."""
    module = types.ModuleType("audit_recipe")
    sys.modules[module.__name__] = module
    exec(compile(recipe, "recipe", "exec", dont_inherit=True), module.__dict__)
    return module.__dict__


def told(site: Site, answer: Answer, count: int) -> list[tuple[str, str | None, str]]:
    """Return what was logged in one request, each with its user or actor, and the address."""
    return [(row["action"], row["actor_id"], row["ip_address"]) for row in site.rows(answer.request_id, count)]


def test_starlette(tmp_path: Path) -> None:
    """The first block logs the role and the request, with nobody for a user."""
    with serving_asgi(run(STARLETTE)["app"], tmp_path) as site:
        answer = site.ask("/users/u-7/roles", "POST", x_forwarded_for="1.1.1.1")
        assert [("role.assign", None, "127.0.0.1"), ("api.request", None, "127.0.0.1")] == told(site, answer, 2)
        assert {"method": "POST", "path": "/users/{user}/roles"} == site.rows(answer.request_id)[1]["details"]


def test_fastapi(tmp_path: Path) -> None:
    """The endpoint's event, that of the request and that of the background task belong to one request."""
    with serving_asgi(run(FASTAPI)["app"], tmp_path) as site:
        answer = site.ask("/users/u-7", "DELETE")
        assert {"deleted": "u-7"} == answer.json
        expected = {"user.delete", "api.request", "user.deactivate"}
        assert expected == {action for action, _, _ in told(site, answer, 3)}


def test_litestar(tmp_path: Path) -> None:
    """The template is Litestar's, and what no route takes is logged."""
    with serving_asgi(run(LITESTAR)["app"], tmp_path) as site:
        answer, missing = site.ask("/items/7"), site.ask("/nothing/here")
        assert {"item": 7} == answer.json
        rows = [*site.rows(answer.request_id, 2), *site.rows(missing.request_id)]
    assert ["data.read", "api.request", "api.request"] == [row["action"] for row in rows]
    assert [("/items/{item}", 200), ("/nothing/here", 404)] == [
        (row["details"]["path"], row["status_code"]) for row in rows[1:]
    ]


def test_flask(tmp_path: Path) -> None:
    """Each request logs as its own user; behind it nothing is left in the server's thread."""
    with serving_wsgi(run(FLASK)["app"], tmp_path) as site:
        answers = [site.ask(f"/users/{name}/roles", "POST", x_user=name) for name in ("ann", "bob")]
        nobody = site.ask("/nothing/here")
        for name, answer in zip(("ann", "bob"), answers, strict=True):
            assert [("role.assign", name, "127.0.0.1"), ("api.request", name, "127.0.0.1")] == told(site, answer, 2)
        assert "/users/<user>/roles" == site.rows(answers[0].request_id)[1]["details"]["path"]
        assert [("api.request", None, "127.0.0.1")] == told(site, nobody, 1)
        assert (404, "failure") == tuple(site.row(nobody.request_id)[name] for name in ("status_code", "outcome"))


@pytest.mark.parametrize("path", ["", "/async"])
def test_django_on_asgi(tmp_path: Path, path: str) -> None:
    """Plain and async views log as the user whom Django's authentication has found."""
    django_site.begin()
    with override_settings(MIDDLEWARE=[AUTHENTICATE, f"{django_site.RECIPES}.tell_audit"]):
        names = django_site.begin(DJANGO)
        with serving_asgi(names["app"], tmp_path) as site:
            answer, failed = site.ask(f"{path}/users/u-7/roles", x_user="ann"), site.ask("/fail", x_user="ann")
            assert [("role.assign", "ann", "127.0.0.1"), ("api.request", "ann", "127.0.0.1")] == told(site, answer, 2)
            assert f"{path}/users/<user>/roles" == site.rows(answer.request_id)[1]["details"]["path"]
            assert (500, "error") == tuple(site.row(failed.request_id)[name] for name in ("status_code", "outcome"))


def test_django_on_wsgi(tmp_path: Path) -> None:
    """One middleware makes the request known, and logs it."""
    django_site.begin(DJANGO_WSGI)
    with (
        override_settings(MIDDLEWARE=[AUTHENTICATE, f"{django_site.RECIPES}.audit_requests"]),
        serving_wsgi(get_wsgi_application(), tmp_path) as site,
    ):
        answer, failed = site.ask("/users/u-7/roles", x_user="ann"), site.ask("/fail")
        assert [("role.assign", "ann", "127.0.0.1"), ("api.request", "ann", "127.0.0.1")] == told(site, answer, 2)
        assert [("api.request", None, "127.0.0.1")] == told(site, failed, 1)
        assert (500, "failure") == tuple(site.row(failed.request_id)[name] for name in ("status_code", "outcome"))
