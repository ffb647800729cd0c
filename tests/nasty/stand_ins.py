"""Types in the shape of packages that are not installed here, as those name them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, NoReturn


def named(module: str, name: str | None = None) -> Any:
    """Let a class be of *module*, as far as anyone can see."""

    def rename(kind: type) -> type:
        kind.__module__ = module
        kind.__qualname__ = name or kind.__name__
        return kind

    return rename


@named("numpy")
class Scalar:
    """As numpy's: a number that is no subclass of Python's."""

    ndim = 0

    def __init__(self, value: Any) -> None:
        self._value = value

    def item(self) -> Any:
        return self._value


@named("numpy")
class Array:
    """As numpy's: a shape, and numbers that nobody should read."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape = shape
        self.ndim = len(shape)

    def item(self) -> int:
        return 0

    def __iter__(self) -> NoReturn:
        raise AssertionError


@named("torch")
class Tensor(Array):
    """As torch's, whose `item()` may wait for a graphics card."""

    def item(self) -> NoReturn:
        raise AssertionError


@named("pandas._libs.tslibs.nattype", "NaTType")
class NaT(datetime):
    """As pandas': a time by its bases, and none."""

    def __str__(self) -> str:
        return "NaT"


class Repeating(Mapping[str, Any]):
    """As multidict's and starlette's: a key may come several times in `items`."""

    def __init__(self, *pairs: tuple[Any, Any]) -> None:
        self._pairs = pairs

    def __getitem__(self, key: str) -> Any:
        return next(item for name, item in self._pairs if name == key)

    def __iter__(self) -> Iterator[str]:
        return iter(dict(self._pairs))

    def __len__(self) -> int:
        return len(self._pairs)

    def items(self) -> Any:
        return list(self._pairs)


class QueryParams(Repeating):
    """As starlette's, whose `items` give the last of several and `multi_items` all."""

    def items(self) -> Any:
        return dict(self._pairs).items()

    def multi_items(self) -> Any:
        return list(self._pairs)


@named("werkzeug.datastructures.headers", "Headers")
class Headers:
    """As werkzeug's: no mapping by its type."""

    def __init__(self, *pairs: tuple[str, str]) -> None:
        self._pairs = pairs

    def items(self) -> Any:
        return iter(self._pairs)

    def __len__(self) -> int:
        return len(self._pairs)


@named("starlette.requests")
class Request(Mapping[str, Any]):
    """As starlette's: a mapping over everything that the server knows of a connection."""

    def __getitem__(self, key: str) -> str:
        return "all of the application"

    def __iter__(self) -> Iterator[str]:
        return iter(("app",))

    def __len__(self) -> int:
        return 1


class Model1:
    """As a model of pydantic 1, one field and one that `extra = allow` let in."""

    __fields__ = {"x": object()}  # noqa: RUF012 -- as there
    __post_root_validators__: list[Any] = []  # noqa: RUF012

    def __init__(self, **fields: Any) -> None:
        self.__dict__.update(fields)

    def dict(self) -> NoReturn:
        raise AssertionError


class Model2:
    """As a model of pydantic 2."""

    __pydantic_fields__ = {"x": object()}  # noqa: RUF012
    __pydantic_extra__ = {"y": 2}  # noqa: RUF012

    def __init__(self, x: Any) -> None:
        self.x = x
        self.y = 2

    @property
    def __fields__(self) -> NoReturn:
        raise AssertionError


class SecretStr:
    """As pydantic's."""

    def get_secret_value(self) -> str:
        return "s3cret"


def lazy(text: str) -> object:
    """Return text in the manner of Django's `gettext_lazy`."""

    @named("django.utils.functional", "lazy.<locals>.__proxy__")
    class __proxy__:  # noqa: N801 -- as there
        def __str__(self) -> str:
            return text

    return __proxy__()
