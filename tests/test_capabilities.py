"""What the five systems of old could say, and the test that proves that this one can say it too."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.shared import shared_file

ROOT = Path(__file__).parent.parent
OF_OLD = "tests/events/test_builders_of_old.py"
WRITE = "tests/test_write.py"
EVENT = "tests/events/test_event.py"
DIALECTS = "tests/events/test_dialects.py"
DESKTOP = "tests/compat/test_desktop.py"
DESKTOP_LIFE = "tests/compat/test_desktop_life.py"

PROOFS = {
    # The service: one call for each kind of event, a line in the system log.
    "S0 log_event": f"{EVENT}::test_an_event_is_plain_data_too",
    "S0 log_event, mirror line": "tests/test_mirror.py::test_the_line_has_the_level_of_its_kind",
    "S0 log_login_attempt": f"{OF_OLD}::test_a_login_attempt",
    "S0 log_api_request": f"{OF_OLD}::test_an_api_request",
    "S0 log_security_event": f"{OF_OLD}::test_a_security_event_of_a_request",
    "S0 log_security_event, alert": "tests/test_mirror.py::test_a_grave_security_event_is_an_alert",
    "S0 log_event_auto": f"{WRITE}::test_no_value_makes_a_helper_raise",
    "S0 audit_service": "tests/test_default.py::test_equal_settings_keep_the_logger",
    "S0 AuditEventType": f"{DIALECTS}::test_the_actions_named_in_code_of_old_are_known",
    # The model: builders with fixed values, views, changes.
    "S1 AuditAction": f"{DIALECTS}::test_the_enumerations_of_old_are_whole",
    "S1 create_login_event": f"{OF_OLD}::test_a_login_event",
    "S1 create_logout_event": f"{OF_OLD}::test_a_logout_event",
    "S1 create_api_key_event": f"{OF_OLD}::test_an_api_key_event",
    "S1 create_budget_event": f"{OF_OLD}::test_a_budget_event",
    "S1 create_module_event": f"{OF_OLD}::test_a_module_event",
    "S1 create_permission_event": f"{OF_OLD}::test_a_permission_event",
    "S1 create_security_event": f"{OF_OLD}::test_a_security_event",
    "S1 create_system_event": f"{OF_OLD}::test_a_system_event",
    "S1 create_data_change_event": f"{OF_OLD}::test_a_data_change_event",
    "S1 to_dict": f"{EVENT}::test_an_event_is_plain_data_too",
    "S1 get_summary": f"{EVENT}::test_a_summary_is_what_a_list_shows",
    "S1 is_security_event": f"{EVENT}::test_what_concerns_security",
    "S1 is_high_severity": f"{EVENT}::test_what_is_of_high_severity",
    "S1 add_tag": f"{EVENT}::test_a_tag_is_added_once",
    "S1 remove_tag": f"{EVENT}::test_a_tag_is_added_once",
    "S1 update_metadata": f"{EVENT}::test_a_change_gives_a_new_event_of_the_same_key",
    "S1 set_before_after": f"{EVENT}::test_a_change_gives_a_new_event_of_the_same_key",
    # The helpers for background jobs.
    "S2 AuditAction": f"{DIALECTS}::test_the_enumerations_of_old_are_whole",
    "S2 free-form actions": "tests/events/test_vocabulary.py::test_an_unknown_action_is_of_the_family_before_its_dot",
    "S2 write_audit_log": f"{WRITE}::test_a_module_of_old_runs_with_its_import_line_changed",
    "S2 write_identity_audit_log": f"{WRITE}::test_an_identity_event_has_the_detail_keys_of_old",
    "S2 write_role_audit_log": f"{WRITE}::test_a_role_event_has_the_detail_keys_of_old",
    "S2 write_tenant_audit_log": f"{WRITE}::test_the_callers_dict_is_left_alone",
    "S2 _write_log": f"{WRITE}::test_a_module_of_old_runs_with_its_import_line_changed",
    # The desktop queue.
    "S3 init_audit_logger": f"{DESKTOP_LIFE}::test_before_init_there_is_none_and_after_it_one",
    "S3 get_audit_logger": f"{DESKTOP_LIFE}::test_before_init_there_is_none_and_after_it_one",
    "S3 AuditLogger.start": f"{DESKTOP_LIFE}::test_starting_again_is_harmless",
    "S3 log_use": f"{DESKTOP}::test_a_use_keeps_every_place",
    "S3 log_login": f"{DESKTOP}::test_a_login_keeps_every_place",
    "S3 shutdown": f"{DESKTOP_LIFE}::test_after_a_shutdown_the_next_init_makes_a_new_one",
    "S3 _append": f"{DESKTOP}::test_a_call_returns_with_the_event_on_disk",
    "S3 _UploadWorker": f"{DESKTOP_LIFE}::test_what_a_killed_process_logged_is_delivered_by_the_next",
    "S3 _drain_once": f"{DESKTOP_LIFE}::test_what_a_killed_process_logged_is_delivered_by_the_next",
    # The service desk.
    "S4 when to write": f"{DIALECTS}::test_the_actions_named_in_code_of_old_are_known",
    "S4 result partial": f"{EVENT}::test_only_success_is_success",
    "S4 employee_id system": "tests/context/test_actors.py::test_a_new_actor_has_nothing_of_the_outer_one",
    # The traps of all five.
    "trap: a 0 is lost": f"{OF_OLD}::test_an_api_request",
    "trap: details overwrite the severity": f"{OF_OLD}::test_a_security_event_of_a_request",
    "trap: a changed tag is not saved": f"{EVENT}::test_a_tag_is_added_once",
    "trap: the caller's dict is changed": f"{WRITE}::test_the_callers_dict_is_left_alone",
    "trap: a cancelled job loses its event": f"{WRITE}::test_a_cancelled_caller_keeps_its_event",
    "trap: naive times": "tests/events/test_fields.py::test_a_naive_time_is_utc_and_said_to_be",
}
"""Of every capability that concerns events and builders, and of every trap, where it is proved."""

ELSEWHERE = {
    "get_user_audit_logs": "reading",
    "get_suspicious_activities": "reading",
    "analyze_user_behavior": "reading",
    "_insert_one": "tables of old",
}
"""What is not said, but read or stored."""


@pytest.mark.parametrize("capability", PROOFS)
def test_what_proves_a_capability_is_there(capability: str) -> None:
    """The test that is named for a capability exists."""
    path, _, name = PROOFS[capability].partition("::")
    assert re.search(rf"^(?:async )?def {name}\(", (ROOT / path).read_text(), re.MULTILINE), capability


@pytest.mark.parametrize("seed", ["S0", "S1", "S2", "S3"])
def test_every_capability_has_a_proof(seed: str) -> None:
    """Every row of the list of capabilities is proved, or belongs to another part."""
    chapter = shared_file("SEEDS.md").read_text().split(f"### {seed} ")[1].split("\n### ")[0]
    rows = set(re.findall(r"^\| `(?:async )?(?:\w+\.)?(\w+)", chapter, re.MULTILINE))
    proved = {name.split()[1].rpartition(".")[2].rstrip(",") for name in PROOFS if name.startswith(seed)}
    assert (set(), True) == (rows - proved - set(ELSEWHERE), len(rows) >= 5)
