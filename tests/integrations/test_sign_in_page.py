"""docs/sign-in.md is true: its application is served, beside an identity provider, and each log-in is in the log."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import ECKey

from audit_async import configure
from examples.portal.company import Company
from tests.examples.browser import Answer, Browser
from tests.middleware.site import Site, serving

PAGE = (Path(__file__).parents[2] / "docs" / "sign-in.md").read_text()
[RECIPE] = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@dataclass(slots=True)
class World:
    """The application of the page, the provider, and a browser."""

    company: Company
    site: Site
    browser: Browser
    provider: ExitStack = field(default_factory=ExitStack)

    def send_back(self, person: str = "acme/ann") -> str:
        """Go to the provider as *person*, and return the address of the call-back."""
        begun = self.browser.ask("/sign-in").location
        return self.browser.ask(f"{begun}&person={person}").location

    def told(self, answer: Answer) -> dict[str, Any]:
        """Return the `sso.login` of the request that *answer* came for."""
        [found] = [row for row in self.site.rows(answer.request_id, 2) if row["action"] == "sso.login"]
        return found


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with ExitStack() as everything, ExitStack() as provider:
        company = Company("")
        (tmp_path / "company").mkdir()
        beside = provider.enter_context(serving(lambda audit: company.app, tmp_path / "company"))
        company.issuer = f"http://127.0.0.1:{beside.port}"
        names: dict[str, Any] = {"__name__": __name__}
        exec(compile(RECIPE, "recipe", "exec", dont_inherit=True), names)
        app = names["make_app"](company.issuer, "site", "its secret", "of the cookies")
        site = everything.enter_context(serving(lambda audit: app, tmp_path, opening=configure))
        browser = everything.enter_context(Browser(site.port))
        yield World(company, site, browser, provider)


def test_who_comes_in_is_in_the_log(world: World) -> None:
    """The log-in has user, tenant, session, address and request; the log-out behind it is of the same session."""
    came = world.browser.ask(world.send_back())
    assert (303, "/") == (came.status, came.location)
    row = world.told(came)
    expected = ("success", "ann", "user", "ann", "acme", "127.0.0.1")
    assert expected == tuple(
        row[name] for name in ("outcome", "user_id", "actor_type", "actor_id", "tenant_id", "ip_address")
    )
    assert {"provider_type": "company", "provider_user_id": "ann", "protocol": "oidc", "success": True} == row[
        "details"
    ]
    left = world.browser.ask("/sign-out", "POST")
    [logout] = [row for row in world.site.rows(left.request_id, 2) if row["action"] == "auth.logout"]
    assert ("ann", "acme", row["session_id"]) == (logout["user_id"], logout["tenant_id"], logout["session_id"])


def test_no_secret_of_a_log_in_is_in_the_log(world: World) -> None:
    """Neither code nor state nor the cookie stands in any row."""
    back = world.send_back()
    world.browser.ask(back)
    secrets = [*re.findall(r"(?:code|state)=([^&]+)", back), *world.browser.cookies.values()]
    assert 3 == len(secrets)
    assert [] == [secret for secret in secrets if secret in str(world.site.all_rows(3))]


def refuse(world: World) -> str:
    return world.send_back("")


def begin_elsewhere(world: World) -> str:
    back = world.send_back()
    world.browser.cookies.clear()
    return back


def come_again(world: World) -> str:
    back = world.send_back()
    assert 303 == world.browser.ask(back).status
    return back


def forge(world: World) -> str:
    world.company.key = ECKey.generate_key("P-256", {"kid": str(world.company.published["kid"])})
    return world.send_back()


def swap(world: World) -> str:
    back = world.send_back()
    for claims in world.company.codes.values():
        claims["nonce"] = "of another log-in"
    return back


def take_away(world: World) -> str:
    back = world.send_back()
    world.provider.close()
    return back


@pytest.mark.parametrize(
    ("attempt", "said"),
    [
        (refuse, "OAuthError: access_denied"),
        (begin_elsewhere, "MismatchingStateError"),
        (come_again, "MismatchingStateError"),
        (forge, "BadSignatureError"),
        (swap, "InvalidClaimError"),
        (take_away, "ConnectError"),
    ],
)
def test_who_does_not_come_in_is_in_the_log(world: World, attempt: Any, said: str) -> None:
    """Each way to fail is one event, with the reason that the page names, and proves nobody."""
    answer = world.browser.ask(attempt(world))
    row = world.told(answer)
    assert (401, "failure") == (answer.status, row["outcome"])
    assert row["error_message"].startswith(said)
    assert f"`{said}`" in PAGE
    assert row["details"]["provider_user_id"] is None
