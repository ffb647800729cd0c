"""N64, N65 and N72 to N74: who it is about, and text that is meant for whoever reads it back."""

from __future__ import annotations

from tests.nasty.case import Case, case, invalid, kept

CASES: list[Case] = [
    case(64, "no-tenant", {"tenant_id": None}, {"tenant_id": None}),
    case(64, "tenant-of-another-type", {"tenant_id": 7}, {"tenant_id": "7"}),
    invalid(64, "tenant_id", ["t1", "t2"], ["t1", "t2"]),
    # Who acts in a scheduler is said by its context: tests/test_context.py.
    case(65, "no-actor", {"actor_id": None, "actor_type": None}, {"actor_id": None, "actor_type": None}),
    case(
        65,
        "a-job",
        {"actor_type": "job", "actor_id": "nightly.sync"},
        {"actor_type": "job", "actor_id": "nightly.sync"},
    ),
    kept(72, "for-a-search", "100%", "a_b", "a\\b", "'; DROP TABLE audit_logs; --", "$$"),
    case(
        72,
        "for-a-search-in-columns",
        {"user_id": "'; DROP TABLE audit_logs; --", "tenant_id": "%"},
        {"user_id": "'; DROP TABLE audit_logs; --", "tenant_id": "%"},
    ),
    kept(73, "for-a-page", -1, 10**9, "created_at desc", "eyJhIjoxfQ==", ["2024-02-01", "2024-01-01"]),
    kept(74, "for-a-path", "..%2f..%2fetc%2fpasswd", "%00", "租户", 'a.csv"\r\nX-Name: x=1', "a\r\n\r\n<html>"),
    case(74, "for-a-path-in-columns", {"tenant_id": "../租户\r\n"}, {"tenant_id": "../租户\r\n"}),
]
