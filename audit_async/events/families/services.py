"""What runs and what it uses: agents, API keys and requests, use of models, budgets, modules."""

from __future__ import annotations

from typing import Any, Unpack

from audit_async.events.build import Id, Number, Text, build, given, named, say, settle, verb_of
from audit_async.events.event import AuditEvent
from audit_async.events.fields import EventFields
from audit_async.values import plain


def agent(action: Any, **fields: Unpack[EventFields]) -> AuditEvent:
    """Build an event about an agent: created, updated, deleted, started, stopped. The resource is the agent.

    Args:
        action: e.g. `AuditAction.AGENT_START`.
        fields: any field of the event, `agent_id` above all.
    """
    about = {"resource_type": "agent", "resource_id": fields.get("agent_id")}
    return build(action, {}, fields, builder="agent", about=about)


def api_key(action: Any, *, api_key_name: Text = None, **fields: Unpack[EventFields]) -> AuditEvent:
    """Build an event about an API key: created or deleted.

    Details: `api_key_name`, `action`. The resource is the key; never the key itself, only its id and name.

    Args:
        action: e.g. `AuditAction.API_KEY_CREATE`.
        api_key_name: its name.
        fields: any field of the event, `api_key_id` above all.
    """
    said = settle(action, "api_key")
    spelled = said.spelled
    about = {
        "resource_type": "api_key",
        "resource_id": fields.get("api_key_id"),
        "description": named(f"API key {verb_of(spelled)}", api_key_name),
    }
    own = {"api_key_name": plain(api_key_name), "action": plain(spelled)}
    return build(said, own, fields, builder="api_key", about=about, tags=("api_key", spelled))


def api_request(
    action: Any,
    *,
    method: Text = None,
    path: Text = None,
    model: Text = None,
    provider: Text = None,
    input_tokens: Number = None,
    output_tokens: Number = None,
    cost_usd: Number = None,
    **fields: Unpack[EventFields],
) -> AuditEvent:
    """Build an event about a request to an API of ours or, through us, to a provider of models.

    Details: what is given of the keywords; a cost of 0 is a cost.

    Args:
        action: `api.request`, `AuditAction.REQUEST_FAILED`, `AuditAction.REQUEST_RATE_LIMITED`, ...
        method: of HTTP.
        path: what was asked for, without its query.
        model: the model that was asked.
        provider: who runs it.
        input_tokens: tokens that went in.
        output_tokens: tokens that came out.
        cost_usd: US dollars.
        fields: any field of the event, `status_code`, `duration_ms`, `api_key_id` and `request_id` above all.
    """
    own = given(
        method=method,
        path=path,
        model=model,
        provider=provider,
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        cost_usd=cost_usd,
    )
    about = {"description": _asked(provider, model) or _called(method, path)}
    return build(action, own, fields, builder="api_request", about=about)


def usage(
    action: Any,
    *,
    model: Text = None,
    provider: Text = None,
    input_tokens: Number = None,
    output_tokens: Number = None,
    cost_usd: Number = None,
    prompt: Text = None,
    result_path: Text = None,
    finish_reason: Text = None,
    device_name: Text = None,
    status: Text = None,
    **fields: Unpack[EventFields],
) -> AuditEvent:
    """Build an event about the use of a model: what it was asked, what came of it, and what it cost.

    Details: what is given of the keywords; a cost of 0 is a cost. The resource is the model.

    Args:
        action: `api.request`, `AuditAction.USE_LOG`, ...
        model: the model.
        provider: who runs it.
        input_tokens: tokens that went in.
        output_tokens: tokens that came out.
        cost_usd: US dollars.
        prompt: what it was asked.
        result_path: where the result lies.
        finish_reason: `stop`, `length`, `content_filter`, ...
        device_name: the machine it was asked from.
        status: in the words of the program that asked, where they say more than the outcome.
        fields: any field of the event, `duration_ms` and `error_message` above all.
    """
    own = given(
        model=model,
        provider=provider,
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        cost_usd=cost_usd,
        prompt=prompt,
        result_path=result_path,
        finish_reason=finish_reason,
        device_name=device_name,
        status=status,
    )
    about = {
        "resource_type": None if model is None else "model",
        "resource_id": model,
        "description": _asked(provider, model),
    }
    return build(action, own, fields, builder="usage", about=about)


def budget(action: Any, *, budget_id: Id = None, budget_name: Text = None, **fields: Unpack[EventFields]) -> AuditEvent:
    """Build an event about a budget: created, updated, exceeded. The resource is the budget.

    Args:
        action: e.g. `AuditAction.BUDGET_EXCEED`.
        budget_id: its id.
        budget_name: its name, for the description.
        fields: any field of the event, `details` above all.
    """
    said = settle(action, "budget")
    spelled = said.spelled
    about = {
        "resource_type": "budget",
        "resource_id": budget_id,
        "description": named(f"Budget {verb_of(spelled)}", budget_name),
    }
    return build(said, {}, fields, builder="budget", about=about, tags=("budget", spelled))


def module(action: Any, *, module_name: Text = None, **fields: Unpack[EventFields]) -> AuditEvent:
    """Build an event about a module of the application: enabled or disabled. The resource is the module.

    Args:
        action: e.g. `AuditAction.MODULE_ENABLE`.
        module_name: its name.
        fields: any field of the event, `success`, `error_message` and `details` above all.
    """
    said = settle(action, "module")
    spelled = said.spelled
    about = {
        "resource_type": "module",
        "resource_id": module_name,
        "description": named(f"Module {verb_of(spelled)}", module_name),
    }
    return build(said, {}, fields, builder="module", about=about, tags=("module", spelled))


def _asked(provider: Any, model: Any) -> str | None:
    asked = "/".join(say(part) for part in (provider, model) if part is not None)
    return f"API request to {asked}" if asked else None


def _called(method: Any, path: Any) -> str | None:
    return None if path is None else say(path) if method is None else f"{say(method)} {say(path)}"
