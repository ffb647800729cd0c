"""Coroutine helpers: one line in a background task, a scheduler or a log-in says what happened.

The first five keep the signatures and the detail keys of the helpers that code bases already call, so that changing an
import line is all it takes; every other family has one that takes what its builder takes. They never raise, whatever
the value or the fault; they do not change what they are given; and the event is taken before their first await, so that
cancelling the caller does not lose it. What does raise is a slip of the caller's own: a keyword that there is not.
"""

from __future__ import annotations

import functools
import inspect
import uuid
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeAlias

from audit_async import events
from audit_async.default import get_audit_logger
from audit_async.diagnostics import describe, report
from audit_async.errors import UnknownActionError, meant
from audit_async.events import AuditEvent
from audit_async.events.build import check_names
from audit_async.shapes import pass_on

_Parameters = ParamSpec("_Parameters")
_Helper: TypeAlias = Callable[_Parameters, Coroutine[Any, Any, None]]


def _says_what_it_takes(helper: _Helper[_Parameters]) -> _Helper[_Parameters]:
    """Return *helper*, which answers a misspelt keyword with the right one."""
    names = list(inspect.signature(helper).parameters)

    @functools.wraps(helper)
    async def write(*arguments: _Parameters.args, **keywords: _Parameters.kwargs) -> None:
        wrong = sorted(keywords.keys() - set(names))
        if wrong:
            raise TypeError(
                f"{helper.__name__}() got an unexpected keyword argument {wrong[0]!r}{meant(wrong[0], names)}. "
                f"It takes: {', '.join(names)}. For other fields there is get_audit_logger().write(events.custom(...))"
            )
        await helper(*arguments, **keywords)

    return write


@_says_what_it_takes
async def write_audit_log(
    action: str,
    details: dict[str, Any] | None = None,
    agent_id: uuid.UUID | str | None = None,
    user_id: uuid.UUID | str | None = None,
) -> None:
    """Write one event of any action.

    Returns when its row has committed, or, in an outage or after `max_wait_seconds`, when it is on disk. Never raises.

    Args:
        action: e.g. `supervision_tick`, `schedule_execute`.
        details: what else there is to say; any values.
        agent_id: the agent it is about or by.
        user_id: the user it is about or by.
    """
    await _write(lambda: events.custom(action, details=details, agent_id=agent_id, user_id=user_id))


@_says_what_it_takes
async def write_identity_audit_log(
    action: str,
    user_id: uuid.UUID | str | None = None,
    provider_type: str | None = None,
    provider_user_id: str | None = None,
    success: bool = True,
    error_message: str | None = None,
    tenant_id: uuid.UUID | str | None = None,
) -> None:
    """Write an event about an identity at a provider. Returns and raises as `write_audit_log`.

    Args:
        action: e.g. `AuditAction.SSO_LOGIN`.
        user_id: the user acting, or acted upon.
        provider_type: `feishu`, `dingtalk`, ...
        provider_user_id: the user's id there.
        success: whether it went well.
        error_message: what went wrong.
        tenant_id: the tenant.
    """
    await _write(
        lambda: events.identity(
            action,
            user_id=user_id,
            provider_type=provider_type,
            provider_user_id=provider_user_id,
            success=success,
            error_message=error_message,
            tenant_id=tenant_id,
        )
    )


@_says_what_it_takes
async def write_role_audit_log(
    action: str,
    user_id: uuid.UUID | str | None = None,
    target_user_id: uuid.UUID | str | None = None,
    role_name: str | None = None,
    tenant_id: uuid.UUID | str | None = None,
    granted_by: uuid.UUID | str | None = None,
) -> None:
    """Write an event about a role. Returns and raises as `write_audit_log`.

    Args:
        action: e.g. `AuditAction.ROLE_ASSIGN`.
        user_id: the user acting.
        target_user_id: who is given or loses the role.
        role_name: the role.
        tenant_id: the tenant.
        granted_by: who granted it.
    """
    await _write(
        lambda: events.role(
            action,
            user_id=user_id,
            target_user_id=target_user_id,
            role_name=role_name,
            tenant_id=tenant_id,
            granted_by=granted_by,
        )
    )


@_says_what_it_takes
async def write_tenant_audit_log(
    action: str,
    user_id: uuid.UUID | str | None = None,
    tenant_id: uuid.UUID | str | None = None,
    details: dict[str, Any] | None = None,
) -> None:
    """Write an event about a tenant. Returns and raises as `write_audit_log`.

    Args:
        action: e.g. `AuditAction.TENANT_CREATE`.
        user_id: the user acting.
        tenant_id: the tenant.
        details: what else there is to say.
    """
    await _write(lambda: events.tenant(action, user_id=user_id, tenant_id=tenant_id, details=details))


@_says_what_it_takes
async def write_agent_audit_log(
    action: str,
    agent_id: uuid.UUID | str | None = None,
    user_id: uuid.UUID | str | None = None,
    tenant_id: uuid.UUID | str | None = None,
    details: dict[str, Any] | None = None,
    success: bool = True,
    error_message: str | None = None,
) -> None:
    """Write an event about an agent. Returns and raises as `write_audit_log`.

    Args:
        action: e.g. `AuditAction.AGENT_START`.
        agent_id: the agent.
        user_id: the user acting.
        tenant_id: the tenant.
        details: what else there is to say.
        success: whether it went well.
        error_message: what went wrong.
    """
    await _write(
        lambda: events.agent(
            action,
            agent_id=agent_id,
            user_id=user_id,
            tenant_id=tenant_id,
            details=details,
            success=success,
            error_message=error_message,
        )
    )


async def _write(build: Callable[[], AuditEvent]) -> None:
    try:
        await get_audit_logger().write(build())
    except UnknownActionError:
        raise  # only a logger that is strict on purpose says so
    except BaseException as error:
        pass_on(error)
        report("helper", f"an audit event could not be written ({describe(error)})", level="ERROR")


_TEXT = """Write the event that `events.{name}` builds, with the logger of the process.

Returns when its row has committed, or, in an outage or after `max_wait_seconds`, when it is on disk.

Raises:
    TypeError: an unknown keyword, when it is awaited; never for a value, and never for a fault of the world.

The event:

{event}"""


def _helper(builder: Callable[_Parameters, AuditEvent]) -> _Helper[_Parameters]:
    """Return the helper of *builder*: a coroutine function with its parameters."""
    signature = inspect.signature(builder)

    @functools.wraps(builder)
    async def write(*arguments: _Parameters.args, **keywords: _Parameters.kwargs) -> None:
        check_names(builder.__name__, signature.bind(*arguments, **keywords).arguments.get("fields", {}))
        await _write(lambda: builder(*arguments, **keywords))

    # Not what `wraps` would leave: whoever looks behind it is to find a coroutine function, too.
    del write.__wrapped__
    write.__annotations__ = {**builder.__annotations__, "return": "None"}
    write.__name__ = write.__qualname__ = f"write_{builder.__name__}_audit_log"
    write.__module__ = __name__
    write.__doc__ = _TEXT.format(name=builder.__name__, event=inspect.getdoc(builder))
    vars(write)["__signature__"] = signature.replace(return_annotation="None")
    return write


write_auth_audit_log = _helper(events.auth)
write_sso_audit_log = _helper(events.sso)
write_mfa_audit_log = _helper(events.mfa)
write_session_audit_log = _helper(events.session)
write_user_audit_log = _helper(events.user)
write_org_sync_audit_log = _helper(events.org_sync)
write_permission_audit_log = _helper(events.permission)
write_api_key_audit_log = _helper(events.api_key)
write_api_request_audit_log = _helper(events.api_request)
write_usage_audit_log = _helper(events.usage)
write_budget_audit_log = _helper(events.budget)
write_module_audit_log = _helper(events.module)
write_config_audit_log = _helper(events.config)
write_security_audit_log = _helper(events.security)
write_system_audit_log = _helper(events.system)
write_data_change_audit_log = _helper(events.data_change)
write_data_export_audit_log = _helper(events.data_export)
write_data_import_audit_log = _helper(events.data_import)
write_conversation_audit_log = _helper(events.conversation)
write_job_audit_log = _helper(events.job)
write_custom_audit_log = _helper(events.custom)
