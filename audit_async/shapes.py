"""What a value is, told from its type: no instance and no metaclass is asked, since either may lie, raise or do I/O."""

from __future__ import annotations

import dataclasses
import itertools
from collections import deque
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Any

from audit_async.config import MAX_CAUSES, MAX_FRAMES, MAX_ITEMS
from audit_async.text import clean_text

_HEADERS = frozenset({"werkzeug.datastructures", "werkzeug.datastructures.headers"})
"""Modules of headers that are mappings in all but their type."""


def type_name(value: object) -> str:
    """Return the qualified name of *value*'s type, which neither an instance nor a metaclass can forge."""
    kind = type(value)
    module = own_module(kind)
    return clean_text(f"{module}.{own_name(kind)}"[:256])


def is_object(value: Any) -> bool:
    """Return whether *value* has named parts: a mapping, a dataclass, a model, a named tuple."""
    kind = type(value)
    if kind is dict:
        return True
    try:
        if is_mapping(kind) or has_fields(kind):
            return True
        return issubclass(kind, tuple) and hasattr(kind, "_fields")
    except BaseException as error:
        pass_on(error)
        return False


def is_mapping(kind: type) -> bool:
    """Return whether instances of *kind* map keys to values: by their type, or as the headers of werkzeug do."""
    return issubclass(kind, Mapping) or (
        own_name(kind).endswith("Headers") and any(own_module(base) in _HEADERS for base in own_bases(kind))
    )


def has_fields(kind: type) -> bool:
    """Return whether instances of *kind* have named fields: a dataclass, a Struct, an attrs class, a model."""
    return (
        hasattr(kind, "__dataclass_fields__")
        or hasattr(kind, "__struct_fields__")
        or hasattr(kind, "__attrs_attrs__")
        or isinstance(getattr(kind, "__pydantic_fields__", None), dict)
        or _is_model_of_pydantic_1(kind)
    )


def fields_of(value: Any, kind: Any) -> list[tuple[str, Any]]:
    """Return the fields of *value*, of whose type `has_fields` is true, `MAX_ITEMS` of them at most."""
    names: Iterable[str]
    if hasattr(kind, "__dataclass_fields__"):
        names = [f.name for f in dataclasses.fields(kind)]
    elif hasattr(kind, "__struct_fields__"):
        names = kind.__struct_fields__
    elif hasattr(kind, "__attrs_attrs__"):
        names = (a.name for a in kind.__attrs_attrs__)
    elif _is_model_of_pydantic_1(kind):
        # With what `extra = allow` has let in.
        names = dict.fromkeys((*kind.__fields__, *object.__getattribute__(value, "__dict__")))
    else:
        extra = getattr(value, "__pydantic_extra__", None)
        names = (*kind.__pydantic_fields__, *(extra if type(extra) is dict else ()))
    return [(name, getattr(value, name, None)) for name in itertools.islice(names, MAX_ITEMS)]


def _is_model_of_pydantic_1(kind: type) -> bool:
    # Version 2 warns of whoever asks for `__fields__`, hence the other name first.
    return hasattr(kind, "__post_root_validators__") and isinstance(getattr(kind, "__fields__", None), dict)


def mapped_state(value: Any) -> Any:
    """Return what SQLAlchemy keeps with an instance of a mapped class, None for any other value."""
    try:
        return object.__getattribute__(value, "__dict__").get("_sa_instance_state")
    except AttributeError:
        return None


def own_module(kind: type) -> str:
    """Return the name of the module that *kind* was made in."""
    module = type.__dict__["__module__"].__get__(kind)
    return module if type(module) is str else "?"


def own_name(kind: type) -> str:
    """Return the qualified name of *kind* there."""
    name: str = type.__dict__["__qualname__"].__get__(kind)
    return name


def own_bases(kind: type) -> tuple[type, ...]:
    """Return *kind* and what it is derived from."""
    bases: tuple[type, ...] = type.__dict__["__mro__"].__get__(kind)
    return bases


def error_text(error: BaseException) -> str:
    """Return the text of an exception, whatever its `__str__` does."""
    try:
        return str.__str__(str(error))  # `str` may give a subclass of itself
    except BaseException as fault:
        pass_on(fault)
        return "its text cannot be read"


def causes_of(error: BaseException) -> list[BaseException]:
    """Return the exceptions that led to *error*, the nearest first, one more than `MAX_CAUSES` at most.

    Source: what Python prints: the explicit cause, else what was being handled, unless that is suppressed.
    """
    own = BaseException.__dict__
    found: list[BaseException] = []
    while len(found) <= MAX_CAUSES:
        cause = own["__cause__"].__get__(error)
        if cause is None and not own["__suppress_context__"].__get__(error):
            cause = own["__context__"].__get__(error)
        if cause is None or any(cause is known for known in found):
            break
        found.append(cause)
        error = cause
    return found


def members_of(error: BaseException) -> tuple[BaseException, ...]:
    """Return the exceptions of a group, none for any other."""
    if not issubclass(type(error), BaseExceptionGroup):
        return ()
    members: tuple[BaseException, ...] = BaseExceptionGroup.__dict__["exceptions"].__get__(error)
    return members


def frames_of(trace: TracebackType) -> list[str]:
    """Return the innermost frames of *trace*, file, line and function of each: no line of code, and no variables."""
    innermost: deque[TracebackType] = deque(maxlen=MAX_FRAMES)
    following: TracebackType | None = trace
    while following is not None:
        innermost.append(following)
        following = following.tb_next
    codes = [(each.tb_frame.f_code, each.tb_lineno) for each in innermost]
    return [clean_text(f"{code.co_filename[:256]}:{line} in {code.co_name[:256]}") for code, line in codes]


def pass_on(error: BaseException) -> None:
    """Raise *error* if it is meant for the program and not for us: an exit, an interrupt, a cancellation.

    Extensions in Rust panic with a BaseException, which is the fault of one value and stays here.
    """
    if isinstance(error, (KeyboardInterrupt, SystemExit, GeneratorExit)) or (
        not isinstance(error, Exception) and type(error).__name__.startswith("Cancel")
    ):
        raise error
