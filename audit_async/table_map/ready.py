"""Maps for the tables of the systems that came before, each by the name of its system.

aether     event_type, event_metadata; ids of text
clawith    six columns; tenant and organization in details
enclava    twenty columns with a numbered key, which the database gives
wecom      employee_id, resource, result
nano_banana_user_use_log, nano_banana_user_log
           two tables on MySQL, without JSON; the kind of the event says which. The time that the server gives to a
           row of the first is that of the upload: where there is a column for it, it gets the event's own
"""

from __future__ import annotations

from typing import Any

READY: dict[str, dict[str, Any]] = {
    "aether": {
        "table": "audit_logs",
        "spelling": "aether",
        "fold_into": "event_metadata",
        "columns": {
            "id": "id",
            "event_type": "action",
            "description": {"first": ["description", "action"]},
            "user_id": "user_id",
            "api_key_id": "api_key_id",
            "ip_address": "ip_address",
            "user_agent": "user_agent",
            "request_id": "request_id",
            "status_code": "status_code",
            "error_message": "error_message",
            "event_metadata": {"merge": ["details", "metadata"]},
            "created_at": "created_at",
        },
    },
    "clawith": {
        "table": "audit_logs",
        "spelling": "clawith",
        "fold_into": "details",
        "columns": {
            "id": "id",
            "action": "action",
            "details": "details",
            "agent_id": "agent_id",
            "user_id": "user_id",
            "created_at": "created_at",
        },
    },
    "enclava": {
        "table": "audit_logs",
        "spelling": "enclava",
        "fold_into": "metadata",
        "left_out": ("id", "details.changed"),
        "columns": {
            "user_id": "user_id",
            "action": "action",
            "resource_type": {"first": ["resource_type", "family"]},
            "resource_id": "resource_id",
            "description": {"first": ["description", "action"]},
            "details": "details",
            "ip_address": "ip_address",
            "user_agent": "user_agent",
            "session_id": "session_id",
            "request_id": "request_id",
            "severity": "severity",
            "category": "category",
            "success": "success",
            "error_message": "error_message",
            "tags": "tags",
            "metadata": "metadata",
            "old_values": "old_values",
            "new_values": "new_values",
            "created_at": "created_at",
        },
    },
    "nano_banana_user_log": {
        "table": "nano_banana_user_log",
        "actions": ("auth.login",),
        "columns": {
            "user_name": {"first": ["actor_name", "user_id"]},
            "local_ip": "details.local_ip",
            "public_ip": "details.public_ip",
            "device_name": "details.device_name",
            "login_time": "created_at",
        },
    },
    "nano_banana_user_use_log": {
        "table": "nano_banana_user_use_log",
        "actions": ("api.request",),
        "columns": {
            "user_name": {"first": ["actor_name", "user_id"], "otherwise": "未知用户"},
            "device_name": {"first": ["details.device_name"], "otherwise": "未知设备"},
            "prompt": {"first": ["details.prompt"], "otherwise": ""},
            "result_path": "details.result_path",
            "status": {"first": ["details.status", "outcome"]},
            "error_message": "error_message",
            "model": "details.model",
            "duration_ms": "duration_ms",
            "finish_reason": "details.finish_reason",
            "created_at": "created_at",
        },
        "optional": ("created_at",),
    },
    "wecom": {
        "table": "audit_logs",
        "spelling": "wecom",
        "fold_into": "details",
        "columns": {
            "id": "id",
            "employee_id": {"first": ["user_id", "actor_id"], "otherwise": "system"},
            "action": "action",
            "resource": {"first": ["resource_type", "family"]},
            "resource_id": "resource_id",
            "details": "details",
            "result": "result",
            "ip_address": "ip_address",
            "user_agent": "user_agent",
            "created_at": "created_at",
        },
    },
}
"""Arguments of `TableMap`, by name."""
