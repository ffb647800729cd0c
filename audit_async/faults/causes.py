"""What an error wraps, and what of it may be told on."""

from __future__ import annotations

from collections.abc import Iterator

from audit_async.diagnostics import describe


def chain(error: BaseException) -> Iterator[BaseException]:
    """Yield *error* and what it wraps, outermost first.

    A cancelled task is no cause that anybody wants to know: a time-out is made of one.
    """
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        orig = getattr(current, "orig", None)
        inner = orig if isinstance(orig, BaseException) else current.__cause__
        current = inner if isinstance(inner, Exception) else None


def native_of(error: BaseException) -> BaseException:
    """Return the innermost of what *error* wraps: the driver's own."""
    *_, innermost = chain(error)
    return innermost


def primary(native: BaseException) -> str:
    """Return what the server says first. Its detail is left out: that quotes rows."""
    said = getattr(native, "message", None) or getattr(getattr(native, "diag", None), "message_primary", None)
    if isinstance(said, str):
        return f"{type(native).__name__}: {describe(Exception(said)).removeprefix('Exception: ')}"
    return describe(native)
