"""What a text that names actions means, in whatever spelling; and which texts of a table mean an action."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass

from audit_async.config import MAX_ACTION_CHARS
from audit_async.errors import ConfigurationError, meant
from audit_async.events.dialects import DIALECTS, LEGACY, term_of
from audit_async.events.vocabulary import FAILED, TERMS, Outcome

ANY = "*"

FAMILIES = frozenset(term.family for term in TERMS.values())
_WELL = frozenset(Outcome) - FAILED


@dataclass(frozen=True, slots=True)
class Actions:
    """Some actions that are asked for.

    Attributes:
        text: one canonical name, or a pattern in which `*` stands for any text.
        given: as it was asked for.
        outcomes: with which alone they are meant, where the spelling says so; else None.
    """

    text: str
    given: str
    outcomes: frozenset[Outcome] | None = None

    @property
    def is_pattern(self) -> bool:
        """Whether it stands for more than one name."""
        return ANY in self.text

    @property
    def is_known(self) -> bool:
        """Whether the vocabulary has one of them; an action in a program's own words is legal all the same."""
        return any(map(self.names, TERMS)) if self.is_pattern else self.text in TERMS

    @property
    def meant(self) -> str:
        """The known name that is nearest, for whoever asked for one that is not."""
        return meant(self.given, (*TERMS, *FAMILIES, *LEGACY))

    def names(self, name: str) -> bool:
        """Return whether the canonical or free-form *name* is one of them, with whatever outcome."""
        head, *rest = self.text.split(ANY)
        if not rest or not name.startswith(head):
            return name == self.text
        at = len(head)
        for part in rest[:-1]:
            found = name.find(part, at)
            if found < 0:
                return False
            at = found + len(part)
        return len(name) - len(rest[-1]) >= at and name.endswith(rest[-1])

    def mean(self, name: str, outcome: Outcome) -> bool:
        """Return whether an event of the canonical or free-form *name* with *outcome* is meant."""
        return self.names(name) and (self.outcomes is None or outcome in self.outcomes)


def read_actions(given: Iterable[object]) -> tuple[Actions, ...]:
    """Return what the texts *given* ask for; four cases.

    `auth.*` is a pattern, `auth` a family of the vocabulary, `login_failed` a spelling of old (a failed `auth.login`),
    anything else a name, known or free-form.

    Raises:
        ConfigurationError: one is no text, empty, or longer than any action.
    """
    return tuple(dict.fromkeys(_read(text) for text in given))


def _read(given: object) -> Actions:
    if isinstance(given, Actions):
        return given
    if isinstance(given, enum.Enum):
        # A program's own enumeration of actions, of whatever kind.
        given = given.value
    if not isinstance(given, str) or not given.strip() or len(given) > MAX_ACTION_CHARS:
        raise ConfigurationError(
            f"{given!r:.100} names no action",
            hint="give a name (auth.login), a family (auth or auth.*), or a spelling of old (login_failed); "
            "`audit-async catalog` shows those that are known",
        )
    text = str.__str__(given).strip()
    if ANY in text:
        return Actions(text, text)
    if text in FAMILIES and text not in LEGACY:
        return Actions(f"{text}.{ANY}", text)
    return Actions(term_of(text).name, text, _outcomes_of(text))


def _outcomes_of(spelling: str) -> frozenset[Outcome] | None:
    """Return the outcomes that *spelling* is used for, None for all: each dialect that has it may use it otherwise."""
    uses = [dialect for dialect in DIALECTS.values() if spelling in dialect.meanings]
    if uses and all(spelling in dialect.failures for dialect in uses):
        return FAILED
    if uses and all(spelling in dialect.successes for dialect in uses):
        return _WELL
    return None


def texts_of(names: Iterable[str]) -> list[str]:
    """Return every text that a table with spellings of old may have for the canonical *names*.

    Some programs store the names of their constants, which are in upper case.
    """
    wanted = frozenset(names)
    texts = wanted | {spelling for spelling, term in LEGACY.items() if term.name in wanted}
    return sorted(texts | {text.upper() for text in texts})
