"""The action names that code bases already use, kept to the letter."""

from __future__ import annotations

import enum


class AuditAction(str, enum.Enum):  # noqa: UP042 -- a StrEnum prints differently, and callers of old format these
    """Standard audit actions under their old spelling. Canonical names (`sso.login`) and free-form ones are legal."""

    # Authentication
    LOGIN = "login"
    LOGIN_SUCCESS = "login_success"
    LOGIN_FAILED = "login_failed"
    LOGIN_LOG = "login_log"
    LOGOUT = "logout"
    PASSWORD_LOGIN = "password_login"  # noqa: S105 -- the name of an action
    QRCODE_LOGIN = "qrcode_login"
    SSO_LOGIN = "sso_login"
    SSO_LOGIN_FAILED = "sso_login_failed"
    MFA_BIND = "mfa_bind"
    MFA_VERIFY = "mfa_verify"
    MFA_RESET = "mfa_reset"

    # Identity
    IDENTITY_BIND = "identity_bind"
    IDENTITY_UNBIND = "identity_unbind"
    IDENTITY_CREATE = "identity_create"
    IDENTITY_DELETE = "identity_delete"

    # User
    USER_CREATE = "user_create"
    USER_CREATED = "user_created"
    USER_UPDATE = "user_update"
    USER_UPDATED = "user_updated"
    USER_DELETE = "user_delete"
    USER_DELETED = "user_deleted"
    USER_ACTIVATE = "user_activate"
    USER_DEACTIVATE = "user_deactivate"
    ACCOUNT_DISABLE = "account_disable"
    ACCOUNT_CREATE_RESET = "account_create_reset"

    # Tenant
    TENANT_CREATE = "tenant_create"
    TENANT_UPDATE = "tenant_update"
    TENANT_DELETE = "tenant_delete"
    TENANT_JOIN = "tenant_join"
    TENANT_LEAVE = "tenant_leave"

    # Role and permission
    ROLE_ASSIGN = "role_assign"
    ROLE_REVOKE = "role_revoke"
    ROLE_CREATE = "role_create"
    ROLE_UPDATE = "role_update"
    ROLE_DELETE = "role_delete"
    ROLE_CHANGE = "role_change"
    ASSIGN_ROLE = "assign_role"
    REVOKE_ROLE = "revoke_role"
    CREATE_MAPPING_RULE = "create_mapping_rule"
    DELETE_MAPPING_RULE = "delete_mapping_rule"
    PERMISSION_GRANT = "permission_grant"
    PERMISSION_REVOKE = "permission_revoke"

    # Org sync
    ORG_SYNC = "org_sync"
    ORG_DEPARTMENT_CREATE = "org_department_create"
    ORG_DEPARTMENT_UPDATE = "org_department_update"
    ORG_MEMBER_CREATE = "org_member_create"
    ORG_MEMBER_UPDATE = "org_member_update"

    # Agent
    AGENT_CREATE = "agent_create"
    AGENT_UPDATE = "agent_update"
    AGENT_DELETE = "agent_delete"
    AGENT_START = "agent_start"
    AGENT_STOP = "agent_stop"

    # API keys and requests
    API_KEY_CREATE = "api_key_create"
    API_KEY_CREATED = "api_key_created"
    API_KEY_DELETE = "api_key_delete"
    API_KEY_DELETED = "api_key_deleted"
    API_KEY_USED = "api_key_used"
    REQUEST_SUCCESS = "request_success"
    REQUEST_FAILED = "request_failed"
    REQUEST_RATE_LIMITED = "request_rate_limited"
    REQUEST_QUOTA_EXCEEDED = "request_quota_exceeded"
    USE_LOG = "use_log"

    # Budgets, modules, settings
    BUDGET_CREATE = "budget_create"
    BUDGET_UPDATE = "budget_update"
    BUDGET_EXCEED = "budget_exceed"
    MODULE_ENABLE = "module_enable"
    MODULE_DISABLE = "module_disable"
    SYSTEM_CONFIG = "system_config"
    CONFIG_CHANGE = "config_change"
    CONFIG_CHANGED = "config_changed"
    PROVIDER_ADDED = "provider_added"
    PROVIDER_UPDATED = "provider_updated"
    PROVIDER_REMOVED = "provider_removed"

    # Data
    CREATE = "create"
    READ = "read"
    UPDATE = "update"
    DELETE = "delete"
    DATA_EXPORT = "data_export"

    # Conversations
    RESOLVE_CONVERSATION = "resolve_conversation"
    TRANSFER_CONVERSATION = "transfer_conversation"

    # Security
    SECURITY_EVENT = "security_event"
    SUSPICIOUS_ACTIVITY = "suspicious_activity"
    UNAUTHORIZED_ACCESS = "unauthorized_access"
