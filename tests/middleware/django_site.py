"""A Django project as small as one can be, in which the recipes of docs/flask-and-django.md stand."""

from __future__ import annotations

import sys
import types
from typing import Any

import django  # type: ignore[import-untyped]
from django.conf import settings  # type: ignore[import-untyped]
from django.http import HttpRequest, HttpResponse  # type: ignore[import-untyped]
from django.urls import path  # type: ignore[import-untyped]

from audit_async import events, get_audit_logger

RECIPES = "audit_recipes"
"""The module that Django finds the recipes in."""


class User:
    """Somebody whom an authentication has found."""

    def __init__(self, pk: str | None) -> None:
        self.pk = pk


def authenticate(get_response: Any) -> Any:
    """Stand where Django's authentication does, and believe a header."""

    def middleware(request: Any) -> Any:
        user = User(request.headers.get("x-user"))

        async def auser() -> User:
            return user

        request.user, request.auser = user, auser
        return get_response(request)

    return middleware


def assign(request: HttpRequest, user: str) -> HttpResponse:
    get_audit_logger().log(events.role("role.assign", role_name="admin", target_user_id=user))
    return HttpResponse("done")


async def assign_async(request: HttpRequest, user: str) -> HttpResponse:
    return assign(request, user)


def fail(request: HttpRequest) -> HttpResponse:
    raise ValueError("no such thing")


urlpatterns = [
    path("users/<user>/roles", assign),
    path("async/users/<user>/roles", assign_async),
    path("fail", fail),
]


def begin(*recipes: str) -> dict[str, Any]:
    """Configure Django, once in a process, and return the names that *recipes* define."""
    module = types.ModuleType(RECIPES)
    sys.modules[RECIPES] = module
    if not settings.configured:
        settings.configure(
            SECRET_KEY="x",
            ALLOWED_HOSTS=["*"],
            ROOT_URLCONF=__name__,
            USE_TZ=True,
            LOGGING_CONFIG=None,
            MIDDLEWARE=[],
        )
        django.setup()
    for recipe in recipes:
        exec(compile(recipe, "recipe", "exec", dont_inherit=True), module.__dict__)
    return module.__dict__
