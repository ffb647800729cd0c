"""`audit-async catalog`: everything that can be said."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from audit_async.cli.console import FINDING, OK, app, err, escape, out
from audit_async.errors import ConfigurationError

if TYPE_CHECKING:
    from audit_async.events.catalogue import Item


@app.command
def catalog(
    word: Annotated[
        str | None, Parameter(help="Only actions with it in their name, builder, category or an old spelling.")
    ] = None,
    /,
    *,
    json: Annotated[bool, Parameter(help="As JSON, for programs.", negative="", show_default=False)] = False,
    md: Annotated[bool, Parameter(help="As Markdown.", negative="", show_default=False)] = False,
) -> int:
    """Show every known action: category, severity, outcome, OCSF class, details, old spellings."""
    from audit_async.events.catalogue import as_json, find
    from audit_async.events.reference import as_markdown

    if json and md:
        raise ConfigurationError("--json and --md exclude each other", hint="give one of them")
    items = find(word or "")
    if json:
        print(as_json(items))
    elif not items:
        err.print(
            f"No action has {escape(repr(word))} in it.\n  HINT: any action is legal; `audit-async catalog` shows the "
            "known ones"
        )
    elif md:
        print(as_markdown(items, is_whole=not word), end="")
    else:
        for builder in dict.fromkeys(item.builder for item in items):
            _print_builder(builder, [item for item in items if item.builder == builder])
    return OK if items else FINDING


def _print_builder(builder: str, items: list[Item]) -> None:
    """Print lines that are never cut: a narrow terminal folds them, and another program finds them whole."""
    keys = dict.fromkeys(key for item in items for key in item.detail_keys)
    details = f"  [dim]details: {', '.join(keys)}[/]" if keys else ""
    out.print(f"[bold]events.{builder}[/]{details}", soft_wrap=True)
    for item in items:
        weight = f"{item.category}, {' / '.join(item.severities)}"
        ocsf = f"{item.ocsf_class_uid}/{item.ocsf_activity_id}"
        out.print(f"  {item.action:27} {weight:24} {ocsf:8} {' / '.join(item.outcomes)}", soft_wrap=True)
        if item.all_spellings:
            out.print(f"      [dim]of old: {', '.join(item.all_spellings)}[/]", soft_wrap=True)
    out.print()
