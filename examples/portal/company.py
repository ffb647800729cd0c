"""A stand-in for what companies have anyway: an identity provider (OpenID Connect) and a directory of members.

It signs in whoever is picked from a list, and keeps everything in memory. No program should take it for more.
"""

from __future__ import annotations

import secrets
import time
from html import escape
from typing import Any
from urllib.parse import parse_qs, urlencode

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from joserfc import jwt
from joserfc.jwk import ECKey

PEOPLE = {
    "acme": {
        "ann": "Ann Archer",
        "ben": "Ben Baker",
        "cem": "Cem Can",
        "dora": "Dora Diaz",
        "eve": "Eve East",
        "new": "",
    },
    "globex": {"gus": "Gus Gray", "hal": "Hal Hill", "ida": "Ida Irons"},
}
"""Names by id, by company. The first one is the administrator; somebody has no name yet."""

DEPARTMENTS = ("Sales", "Support", "Engineering")
PAGE_MEMBERS = 4


class Company:
    """Serves both for every company.

    Args:
        issuer: the address at which it is served.

    Attributes:
        app: what is to be served.
        key: that signs; `published` is its public half.
        codes: the claims of who has just been sent back.
    """

    def __init__(self, issuer: str) -> None:
        self.issuer = issuer
        self.key = ECKey.generate_key("P-256", {"kid": secrets.token_hex(4), "use": "sig", "alg": "ES256"})
        self.published = self.key.as_dict(private=False)
        self.codes: dict[str, dict[str, Any]] = {}
        self.app = FastAPI()
        self.app.add_api_route("/.well-known/openid-configuration", self.metadata)
        self.app.add_api_route("/keys", self.keys)
        self.app.add_api_route("/authorize", self.authorize, response_model=None)
        self.app.add_api_route("/token", self.token, methods=["POST"])
        self.app.add_api_route("/directory/{tenant}", self.directory)

    async def metadata(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "id_token_signing_alg_values_supported": ["ES256"],
        }

    async def keys(self) -> dict[str, Any]:
        return {"keys": [self.published]}

    async def authorize(
        self, request: Request, redirect_uri: str, state: str, nonce: str, client_id: str, person: str | None = None
    ) -> HTMLResponse | RedirectResponse:
        """Ask who it is; then send the browser back with a code, or with an error where it is nobody."""
        if person is None:
            here = f"?{escape(str(request.query_params))}&person="
            people = {f"{tenant}/{each}": name for tenant, all in PEOPLE.items() for each, name in all.items() if name}
            picks = [f'<li><a href="{here}{each}">{name}</a> {each}' for each, name in people.items()]
            return HTMLResponse(f"<h1>Who are you?</h1>{''.join(picks)}<li><a href='{here}'>I will not say</a>")
        answer = {"state": state, "error": "access_denied"}
        if person:
            org, sub = person.split("/")
            answer = {"state": state, "code": secrets.token_urlsafe()}
            self.codes[answer["code"]] = {"sub": sub, "org": org, "nonce": nonce, "aud": client_id}
        return RedirectResponse(f"{redirect_uri}?{urlencode(answer)}", 303)

    async def token(self, request: Request) -> dict[str, Any]:
        """Give the ID token of whoever the code is of, once."""
        said = parse_qs((await request.body()).decode())
        claims = self.codes.pop(said["code"][0], None)
        if claims is None:
            raise HTTPException(400, {"error": "invalid_grant"})
        now = int(time.time())
        claims = {**claims, "iss": self.issuer, "iat": now, "exp": now + 300}
        id_token = jwt.encode({"alg": "ES256", "kid": self.key.kid}, claims, self.key)
        return {"access_token": secrets.token_urlsafe(), "token_type": "Bearer", "id_token": id_token}

    async def directory(self, tenant: str, page: int = 0) -> dict[str, Any]:
        """Give a page of the members of a company."""
        members = [
            {"id": each, "name": name, "department": DEPARTMENTS[number % 3], "role": "member" if number else "admin"}
            for number, (each, name) in enumerate(PEOPLE[tenant].items())
        ]
        start, end = page * PAGE_MEMBERS, (page + 1) * PAGE_MEMBERS
        return {"members": members[start:end], "next_page": page + 1 if end < len(members) else None}
