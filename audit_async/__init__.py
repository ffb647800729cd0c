"""The audit logger that never breaks its caller, never makes him wait longer than agreed, and loses nothing in silence.

    from audit_async import AuditAction, configure, write_identity_audit_log

    configure("postgresql+asyncpg://app@db/app")
    await write_identity_audit_log(AuditAction.SSO_LOGIN, user_id=uid, provider_type="feishu")

Names are loaded when they are first used, so that importing this package costs next to nothing.
"""

from __future__ import annotations

TYPE_CHECKING = False  # which type checkers take for true; to import `typing` takes longer than all of this file
if TYPE_CHECKING:
    from typing import Any

    from audit_async import context as context
    from audit_async import events as events
    from audit_async.audited import audited_job as audited_job
    from audit_async.context import audit_context as audit_context
    from audit_async.context import job_actor as job_actor
    from audit_async.context import system_actor as system_actor
    from audit_async.default import ashutdown as ashutdown
    from audit_async.default import configure as configure
    from audit_async.default import get_audit_logger as get_audit_logger
    from audit_async.default import shutdown as shutdown
    from audit_async.errors import AuditError as AuditError
    from audit_async.errors import AuditUnavailableError as AuditUnavailableError
    from audit_async.errors import ConfigurationError as ConfigurationError
    from audit_async.errors import UnknownActionError as UnknownActionError
    from audit_async.events import AuditAction as AuditAction
    from audit_async.events import AuditEvent as AuditEvent
    from audit_async.events import Category as Category
    from audit_async.events import Outcome as Outcome
    from audit_async.events import Severity as Severity
    from audit_async.health import Health as Health
    from audit_async.jobs.job import current_job as current_job
    from audit_async.logger import AuditLogger as AuditLogger
    from audit_async.maintenance.holds import Hold as Hold
    from audit_async.maintenance.holds import find_holds as find_holds
    from audit_async.maintenance.holds import place_hold as place_hold
    from audit_async.maintenance.holds import release_hold as release_hold
    from audit_async.maintenance.maintain import maintain as maintain
    from audit_async.maintenance.retention import Retention as Retention
    from audit_async.reader import AuditReader as AuditReader
    from audit_async.reading.pages import Page as Page
    from audit_async.reading.query import Query as Query
    from audit_async.reading.scope import Scope as Scope
    from audit_async.receipt import Receipt as Receipt
    from audit_async.redact import Redaction as Redaction
    from audit_async.stats import Stats as Stats
    from audit_async.table.creation import create_table as create_table
    from audit_async.table.creation import inspect_table as inspect_table
    from audit_async.table.upgrade import upgrade_table as upgrade_table
    from audit_async.table_map.mapping import TableMap as TableMap
    from audit_async.timing import Timing as Timing
    from audit_async.write import write_agent_audit_log as write_agent_audit_log
    from audit_async.write import write_api_key_audit_log as write_api_key_audit_log
    from audit_async.write import write_api_request_audit_log as write_api_request_audit_log
    from audit_async.write import write_audit_log as write_audit_log
    from audit_async.write import write_auth_audit_log as write_auth_audit_log
    from audit_async.write import write_budget_audit_log as write_budget_audit_log
    from audit_async.write import write_config_audit_log as write_config_audit_log
    from audit_async.write import write_conversation_audit_log as write_conversation_audit_log
    from audit_async.write import write_custom_audit_log as write_custom_audit_log
    from audit_async.write import write_data_change_audit_log as write_data_change_audit_log
    from audit_async.write import write_data_export_audit_log as write_data_export_audit_log
    from audit_async.write import write_data_import_audit_log as write_data_import_audit_log
    from audit_async.write import write_identity_audit_log as write_identity_audit_log
    from audit_async.write import write_job_audit_log as write_job_audit_log
    from audit_async.write import write_mfa_audit_log as write_mfa_audit_log
    from audit_async.write import write_module_audit_log as write_module_audit_log
    from audit_async.write import write_org_sync_audit_log as write_org_sync_audit_log
    from audit_async.write import write_permission_audit_log as write_permission_audit_log
    from audit_async.write import write_role_audit_log as write_role_audit_log
    from audit_async.write import write_security_audit_log as write_security_audit_log
    from audit_async.write import write_session_audit_log as write_session_audit_log
    from audit_async.write import write_sso_audit_log as write_sso_audit_log
    from audit_async.write import write_system_audit_log as write_system_audit_log
    from audit_async.write import write_tenant_audit_log as write_tenant_audit_log
    from audit_async.write import write_usage_audit_log as write_usage_audit_log
    from audit_async.write import write_user_audit_log as write_user_audit_log

__version__ = "0.1.0"

_HOMES = {
    "AuditAction": "events",
    "AuditError": "errors",
    "AuditEvent": "events",
    "AuditLogger": "logger",
    "AuditReader": "reader",
    "AuditUnavailableError": "errors",
    "Category": "events",
    "ConfigurationError": "errors",
    "Health": "health",
    "Hold": "maintenance.holds",
    "Outcome": "events",
    "Page": "reading.pages",
    "Query": "reading.query",
    "Receipt": "receipt",
    "Redaction": "redact",
    "Retention": "maintenance.retention",
    "Scope": "reading.scope",
    "Severity": "events",
    "Stats": "stats",
    "TableMap": "table_map.mapping",
    "Timing": "timing",
    "UnknownActionError": "errors",
    "ashutdown": "default",
    "audit_context": "context",
    "audited_job": "audited",
    "configure": "default",
    "context": "",
    "create_table": "table.creation",
    "current_job": "jobs.job",
    "events": "",
    "find_holds": "maintenance.holds",
    "get_audit_logger": "default",
    "inspect_table": "table.creation",
    "job_actor": "context",
    "maintain": "maintenance.maintain",
    "place_hold": "maintenance.holds",
    "release_hold": "maintenance.holds",
    "shutdown": "default",
    "system_actor": "context",
    "upgrade_table": "table.upgrade",
    "write_agent_audit_log": "write",
    "write_api_key_audit_log": "write",
    "write_api_request_audit_log": "write",
    "write_audit_log": "write",
    "write_auth_audit_log": "write",
    "write_budget_audit_log": "write",
    "write_config_audit_log": "write",
    "write_conversation_audit_log": "write",
    "write_custom_audit_log": "write",
    "write_data_change_audit_log": "write",
    "write_data_export_audit_log": "write",
    "write_data_import_audit_log": "write",
    "write_identity_audit_log": "write",
    "write_job_audit_log": "write",
    "write_mfa_audit_log": "write",
    "write_module_audit_log": "write",
    "write_org_sync_audit_log": "write",
    "write_permission_audit_log": "write",
    "write_role_audit_log": "write",
    "write_security_audit_log": "write",
    "write_session_audit_log": "write",
    "write_sso_audit_log": "write",
    "write_system_audit_log": "write",
    "write_tenant_audit_log": "write",
    "write_usage_audit_log": "write",
    "write_user_audit_log": "write",
}

__all__ = [
    "AuditAction",
    "AuditError",
    "AuditEvent",
    "AuditLogger",
    "AuditReader",
    "AuditUnavailableError",
    "Category",
    "ConfigurationError",
    "Health",
    "Hold",
    "Outcome",
    "Page",
    "Query",
    "Receipt",
    "Redaction",
    "Retention",
    "Scope",
    "Severity",
    "Stats",
    "TableMap",
    "Timing",
    "UnknownActionError",
    "ashutdown",
    "audit_context",
    "audited_job",
    "configure",
    "context",
    "create_table",
    "current_job",
    "events",
    "find_holds",
    "get_audit_logger",
    "inspect_table",
    "job_actor",
    "maintain",
    "place_hold",
    "release_hold",
    "shutdown",
    "system_actor",
    "upgrade_table",
    "write_agent_audit_log",
    "write_api_key_audit_log",
    "write_api_request_audit_log",
    "write_audit_log",
    "write_auth_audit_log",
    "write_budget_audit_log",
    "write_config_audit_log",
    "write_conversation_audit_log",
    "write_custom_audit_log",
    "write_data_change_audit_log",
    "write_data_export_audit_log",
    "write_data_import_audit_log",
    "write_identity_audit_log",
    "write_job_audit_log",
    "write_mfa_audit_log",
    "write_module_audit_log",
    "write_org_sync_audit_log",
    "write_permission_audit_log",
    "write_role_audit_log",
    "write_security_audit_log",
    "write_session_audit_log",
    "write_sso_audit_log",
    "write_system_audit_log",
    "write_tenant_audit_log",
    "write_usage_audit_log",
    "write_user_audit_log",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'audit_async' has no attribute {name!r}")
    import importlib

    if not home:
        return importlib.import_module(f"audit_async.{name}")
    value = getattr(importlib.import_module(f"audit_async.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
