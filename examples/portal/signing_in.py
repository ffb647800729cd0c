"""Signing in by the company's identity provider: OpenID Connect, with Authlib."""

from __future__ import annotations

import logging
import os
import uuid

import httpx2
from authlib.integrations.starlette_client import OAuth
from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import RedirectResponse

from audit_async import events
from examples.portal.members import Audit, SignedIn

router = APIRouter()
oauth = OAuth()
company = oauth.register(
    "company",
    client_id="portal",
    client_secret=os.environ.get("PORTAL_CLIENT_SECRET", "of-the-stand-in"),
    server_metadata_url=os.environ["PORTAL_COMPANY_URL"] + "/.well-known/openid-configuration",
    client_kwargs={"scope": "openid profile"},
)


@router.get("/sign-in")
async def sign_in(request: Request) -> RedirectResponse:
    try:
        redirect: RedirectResponse = await company.authorize_redirect(request, request.url_for("call_back"))
    except httpx2.HTTPError as error:  # the request's own event says that it went wrong
        told = f"the identity provider does not answer ({error}): start it, or correct PORTAL_COMPANY_URL"
        logging.getLogger("portal").warning(told)
        raise HTTPException(502, told) from error
    return redirect


@router.get("/sign-in/callback")
async def call_back(request: Request, audit: Audit) -> RedirectResponse:
    about = {"provider_type": "company", "protocol": "oidc"}
    try:
        person = (await company.authorize_access_token(request))["userinfo"]
    except Exception as error:  # whatever it is, somebody did not come in
        audit.log(events.sso("sso.login", success=False, error_message=error, **about))
        raise HTTPException(401, "the identity provider did not let you in") from error
    request.session.clear()
    request.session.update(id=uuid.uuid4().hex, tenant=person["org"], user=person["sub"])
    audit.log(events.sso("sso.login", user_id=person["sub"], provider_user_id=person["sub"], **about))
    return RedirectResponse("/", 303)


@router.post("/sign-out")
async def sign_out(request: Request, me: SignedIn, audit: Audit) -> RedirectResponse:
    audit.log(events.auth("auth.logout", user_id=me.id))
    request.session.clear()
    return RedirectResponse("/sign-in", 303)
