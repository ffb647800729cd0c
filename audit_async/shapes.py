"""What a value is, told from its type: no instance and no metaclass is asked, since either may lie, raise or do I/O."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Mapping
from typing import Any

from audit_async.config import MAX_ITEMS
from audit_async.text import clean_text


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
        if issubclass(kind, (dict, Mapping)) or has_fields(kind):
            return True
        return issubclass(kind, tuple) and hasattr(kind, "_fields")
    except BaseException as error:
        pass_on(error)
        return False


def has_fields(kind: type) -> bool:
    """Return whether instances of *kind* have named fields: a dataclass, a Struct, an attrs class, a model."""
    return (
        hasattr(kind, "__dataclass_fields__")
        or hasattr(kind, "__struct_fields__")
        or hasattr(kind, "__attrs_attrs__")
        or isinstance(getattr(kind, "__pydantic_fields__", None), dict)
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
    else:
        extra = getattr(value, "__pydantic_extra__", None)
        names = (*kind.__pydantic_fields__, *(extra if type(extra) is dict else ()))
    return [(name, getattr(value, name, None)) for name in itertools.islice(names, MAX_ITEMS)]


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


def pass_on(error: BaseException) -> None:
    """Raise *error* if it is meant for the program and not for us: an exit, an interrupt, a cancellation.

    Extensions in Rust panic with a BaseException, which is the fault of one value and stays here.
    """
    if isinstance(error, (KeyboardInterrupt, SystemExit, GeneratorExit)) or type(error).__name__.startswith("Cancel"):
        raise error
