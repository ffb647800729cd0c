"""What a browser shows: two tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from urllib.parse import quote

from fastapi.responses import HTMLResponse

from audit_async import Page
from examples.portal.members import Member

PAGE = """<!doctype html><title>Portal</title>
<style>body {{ font: 15px sans-serif; margin: 2em }} td, th {{ padding: .2em 1em; text-align: left }}</style>
<style>form, h1 {{ display: inline }}</style>
<h1>{title}</h1> {name}, {role} at {tenant}: <a href="/">members</a> <a href="/audit">audit trail</a> {buttons}
<table>{table}</table>{below}"""


def members(me: Member, found: Sequence[Member]) -> HTMLResponse:
    """Show the members of a company; an administrator may change their roles."""
    rows = [[escape(text) for text in (each.name, each.department, each.role)] for each in found]
    if me.role == "admin":
        for member, row in zip(found, rows, strict=True):
            role = "member" if member.role == "admin" else "admin"
            row.append(_button(f"/members/{quote(member.id)}/role?role={role}", f"make {role}"))
    return _page(me, "Members", ["name", "department", "role"], rows)


def trail(me: Member, page: Page) -> HTMLResponse:
    """Show a page of the audit trail."""
    told = (
        (
            f"{event.created_at:%F %T}",
            event.action,
            event.outcome,
            event.actor_id,
            event.resource_id,
            event.error_message or event.description,
        )
        for event in page
    )
    rows = ([escape(str(value or "")) for value in row] for row in told)
    older = f'<a href="/audit?cursor={quote(page.next_cursor)}">older</a>' if page.next_cursor else ""
    return _page(me, "Audit trail", ["when", "what", "how it went", "who", "to what", ""], rows, older)


def _button(path: str, name: str) -> str:
    return f'<form method="post" action="{path}"><button>{name}</button></form>'


def _page(me: Member, title: str, head: Sequence[str], rows: Iterable[Sequence[str]], below: str = "") -> HTMLResponse:
    cells = [*(f"<th>{name}" for name in head), *("<tr>" + "".join(f"<td>{cell}" for cell in row) for row in rows)]
    buttons = _button("/sync", "sync now") + _button("/sign-out", "sign out")
    who = {name: escape(getattr(me, name)) for name in ("name", "role", "tenant")}
    return HTMLResponse(PAGE.format(title=title, buttons=buttons, table="".join(cells), below=below, **who))
