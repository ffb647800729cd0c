"""N21 to N35: numbers, times, ids, addresses."""

from __future__ import annotations

import decimal
import enum
import fractions
import hashlib
import uuid
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

from tests.nasty.case import Case, case, cut, detail, invalid, kept, made
from tests.nasty.stand_ins import Array, NaT, Scalar, Tensor

HUGE = 10**5000
UUID7 = "00000000-0000-4000-8000-00000000000a"
NIL = "00000000-0000-0000-0000-000000000000"


class Level(enum.IntEnum):
    HIGH = 3


class Color(enum.StrEnum):
    RED = "red"


class Count(int):
    """A number that lies about itself."""

    def __int__(self) -> int:
        return -1

    def __index__(self) -> int:
        return -1


def digest(number: int) -> dict[str, object]:
    data = number.to_bytes(number.bit_length() // 8 + 1, "big", signed=True)
    return {"$int": {"bits": number.bit_length(), "sha256": hashlib.sha256(data).hexdigest()}}


def at(moment: datetime | float | str, expected: datetime, name: str, number: int = 29) -> Case:
    return case(number, name, {"created_at": moment}, {"created_at": expected, "metadata": {}})


def offset(**parts: int) -> tzinfo:
    return timezone(timedelta(**parts))


def identified(name: str, value: object, expected: str) -> Case:
    return case(33, name, {"user_id": value}, {"user_id": expected, "metadata": {}})


PARIS = ZoneInfo("Europe/Paris")
NAIVE = datetime(2024, 1, 2, 3, 4, 5, 6)  # noqa: DTZ001 -- a naive one is the case
FORWARDED = "203.0.113.7, 10.0.0.1"

CASES: list[Case] = [
    detail(
        21,
        "beyond-63-bits",
        [2**63, -(2**63) - 1, 2**64, 10**400],
        [{"$int": str(n)} for n in (2**63, -(2**63) - 1, 2**64, 10**400)],
    ),
    kept(21, "within-63-bits", 2**63 - 1, -(2**63), 2**53 + 1),
    detail(22, "5000-digits", HUGE, digest(HUGE)),
    detail(22, "5000-digits-negative", -HUGE, digest(-HUGE)),
    detail(
        23,
        "no-numbers",
        [float("nan"), float("inf"), float("-inf"), 1e400],
        ["NaN", "Infinity", "-Infinity", "Infinity"],
    ),
    detail(23, "odd-floats", [-0.0, 5e-324, 1e308], [0.0, 5e-324, 1e308]),
    invalid(23, "duration_ms", float("nan"), "NaN"),
    detail(24, "decimals", [decimal.Decimal("NaN"), decimal.Decimal("1E+1000000")], ["NaN", "1E+1000000"]),
    detail(24, "fraction-and-complex", [fractions.Fraction(1, 3), 1 + 2j], ["1/3", "(1+2j)"]),
    detail(24, "decimal-of-a-million-digits", decimal.Decimal("1" * 10**6), {"$type": "decimal.Decimal"}),
    detail(24, "decimal-of-20000-digits", decimal.Decimal("1" * 20_000), cut("1" * 20_000)),
    detail(24, "fraction-of-5000-digits", fractions.Fraction(HUGE, 3), {"$type": "fractions.Fraction"}),
    kept(25, "truth-is-no-number", True, False, 1, 1.9, "1"),
    invalid(25, "status_code", True, True),
    invalid(25, "status_code", 1.9, 1.9),
    made(
        26, "numpy-scalars", lambda: [Scalar(1.5), Scalar(7), Scalar(True), Scalar(float("nan"))], [1.5, 7, True, "NaN"]
    ),
    case(
        26,
        "numpy-scalars-in-columns",
        {"status_code": Scalar(404), "duration_ms": Scalar(1.5), "user_id": Scalar(7)},
        {"status_code": 404, "duration_ms": 1.5, "user_id": "7"},
    ),
    made(
        26,
        "arrays",
        lambda: [Array((2, 3)), Tensor((4,)), Array(())],
        [{"$type": "numpy.Array", "shape": [2, 3]}, {"$type": "torch.Tensor", "shape": [4]}, 0],
    ),
    made(26, "not-a-time", lambda: [NaT(1, 1, 1)], ["NaT"]),
    detail(27, "subclasses-and-enums", [Count(5), Level.HIGH, Color.RED], [5, 3, "red"]),
    case(
        27,
        "subclasses-in-columns",
        {"status_code": Count(404), "severity": Color.RED, "user_id": Level.HIGH},
        {"status_code": 404, "user_id": "3", "metadata": {"$invalid": {"severity": "red"}}},
    ),
    case(
        28,
        "naive-time",
        {"created_at": NAIVE},
        {
            "created_at": NAIVE.replace(tzinfo=UTC),
            "metadata": {"$invalid": {"created_at": "2024-01-02T03:04:05.000006"}},
        },
    ),
    detail(28, "naive-time-in-details", NAIVE, "2024-01-02T03:04:05.000006"),
    at(datetime(2024, 1, 1, 5, 45, tzinfo=offset(hours=5, minutes=45)), datetime(2024, 1, 1, tzinfo=UTC), "kathmandu"),
    at(datetime(2024, 1, 1, tzinfo=offset(seconds=-30)), datetime(2024, 1, 1, 0, 0, 30, tzinfo=UTC), "half-a-minute"),
    at(datetime(2024, 10, 27, 2, 30, fold=1, tzinfo=PARIS), datetime(2024, 10, 27, 1, 30, tzinfo=UTC), "fold"),
    at(datetime(2024, 3, 31, 2, 30, tzinfo=PARIS), datetime(2024, 3, 31, 1, 30, tzinfo=UTC), "gap"),
    detail(
        29, "in-details", datetime(2024, 1, 1, 5, 45, tzinfo=offset(hours=5, minutes=45)), "2024-01-01T05:45:00+05:45"
    ),
    *(
        case(
            30, f"edge-of-time-{moment.year}", {"created_at": moment}, {"metadata": {"$invalid": {"created_at": text}}}
        )
        for moment, text in (
            (datetime.max.replace(tzinfo=offset(hours=-5)), "9999-12-31T23:59:59.999999-05:00"),
            (datetime.max.replace(tzinfo=UTC), "9999-12-31T23:59:59.999999+00:00"),
            (datetime.min.replace(tzinfo=offset(hours=5)), "0001-01-01T00:00:00+05:00"),
            (datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC), "1969-12-31T23:59:59+00:00"),
        )
    ),
    at(
        datetime(9999, 12, 31, 23, 59, 59, 999998, tzinfo=UTC),
        datetime(9999, 12, 31, 23, 59, 59, 999998, tzinfo=UTC),
        "last",
        30,
    ),
    detail(
        31,
        "parts-of-a-time",
        [date(2024, 1, 2), time(3, 4, 5), timedelta(hours=1, seconds=1.5)],
        ["2024-01-02", "03:04:05", "PT3601.5S"],
    ),
    case(
        31,
        "leap-second",
        {"created_at": "2016-12-31T23:59:60Z"},
        {"metadata": {"$invalid": {"created_at": "2016-12-31T23:59:60Z"}}},
    ),
    # How far the caller's clock is off is seen in `recorded_at`, by the database's own.
    at(0, datetime(1970, 1, 1, tzinfo=UTC), "1970", 32),
    at("2090-01-01T00:00:00Z", datetime(2090, 1, 1, tzinfo=UTC), "2090", 32),
    identified("uuid", uuid.UUID(UUID7), UUID7),
    identified("upper-case", UUID7.upper(), UUID7),
    identified("braces", f"{{{UUID7}}}", UUID7),
    identified("urn", f"urn:uuid:{UUID7}", UUID7),
    identified("16-bytes", uuid.UUID(UUID7).bytes, UUID7),
    identified("int", 7, "7"),
    identified("nil", uuid.UUID(NIL), NIL),
    detail(33, "in-details", [uuid.UUID(UUID7), UUID7.upper()], [UUID7, UUID7.upper()]),
    *(
        case(35, f"ip-{given}", {"ip_address": given}, {"ip_address": stored, "metadata": {}})
        for given, stored in (
            (" 10.0.0.1 ", "10.0.0.1"),
            ("::FFFF:10.0.0.1", "10.0.0.1"),
            ("2001:DB8:0::1", "2001:db8::1"),
            ("fe80::1%eth0", "fe80::1%eth0"),
            ("", None),
        )
    ),
    *(invalid(35, "ip_address", raw, raw) for raw in ("010.0.0.1", "unknown", FORWARDED, "10.0.0.1:80")),
    invalid(35, "ip_address", "1" * 20_000, cut("1" * 20_000)),
]
