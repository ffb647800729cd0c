"""The names of the classes and activities that the vocabulary refers to.

Source: Open Cybersecurity Schema Framework 1.8.0, `events/` and `dictionary.json`.
"""

from __future__ import annotations

CLASSES = {
    1006: "Scheduled Job Activity",
    1008: "Event Log Activity",
    2004: "Detection Finding",
    3001: "Account Change",
    3002: "Authentication",
    3003: "Authorize Session",
    3004: "Entity Management",
    3005: "User Access Management",
    3006: "Group Management",
    6001: "Web Resources Activity",
    6002: "Application Lifecycle",
    6003: "API Activity",
}

ACTIVITIES = {
    1006: {6: "Start", 99: "Other"},
    1008: {2: "Delete", 3: "Export", 5: "Rotate", 6: "Start", 7: "Stop", 99: "Other"},
    2004: {1: "Create"},
    3001: {
        1: "Create",
        2: "Enable",
        3: "Password Change",
        4: "Password Reset",
        5: "Disable",
        6: "Delete",
        9: "Lock",
        10: "MFA Factor Enable",
        11: "MFA Factor Disable",
        12: "Unlock",
    },
    3002: {1: "Logon", 2: "Logoff", 6: "Preauth", 7: "Account Switch", 99: "Other"},
    3003: {1: "Assign Privileges"},
    3004: {
        1: "Create",
        2: "Read",
        3: "Update",
        4: "Delete",
        5: "Move",
        6: "Enroll",
        7: "Unenroll",
        99: "Other",
    },
    3005: {1: "Assign Privileges", 2: "Revoke Privileges"},
    3006: {3: "Add User", 4: "Remove User", 5: "Delete", 6: "Create"},
    6001: {6: "Import", 7: "Export"},
    6002: {3: "Start", 4: "Stop", 6: "Enable", 7: "Disable"},
    6003: {99: "Other"},
}


def type_uid(ocsf: tuple[int, int]) -> int:
    """Return the number of a class and activity together."""
    class_uid, activity_id = ocsf
    return class_uid * 100 + activity_id
