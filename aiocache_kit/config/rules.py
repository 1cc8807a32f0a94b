"""What a field of a configuration may hold, and the dataclasses that hold fields to it.

A rule checks a value, gives it its one form (seconds as a float, addresses with their ports), and reads it from text
for the sources that know nothing else. What it allows is said in words, which is what a user gets to read.

Rule: a message shows what was given only where that cannot be a secret.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, ClassVar, Final, Self, cast

from aiocache_kit.errors import ConfigError

_LONGEST_SHOWN: Final = 60
_LARGEST_SHOWN: Final = 64
"""Bits of the largest int that a message shows."""
_NEAR: Final = 0.4
"""How much two names must have in common, of 1, for one to be worth showing to who wrote the other."""
_MOST_NAMED: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What one field may hold."""

    allowed: str
    """In words, after "must be"."""
    check: Callable[[object], object]
    """Give a value in its one form; raise `ValueError` or `TypeError` where it is wrong. No None if optional.

    A `ConfigError` of its own takes the place of what the rule would say.
    """
    read: Callable[[str], object] | None = str
    """Give the value that a text stands for, or the text itself where it stands for none, for `check` to refuse.

    None: no text stands for such a value.
    """
    optional: bool = False
    """Whether the field may be None."""
    free: bool = False
    """Whether any text is a value, so that the text ``none`` is not None."""
    secret: bool = False
    """Whether no message may show the value."""
    part: "type[Part] | None" = None
    """The class of the value, where it has fields of its own."""

    def settle(self, field: str, value: object) -> object:
        """Give `value` in its one form; raise `ConfigError` for `field` where it is wrong."""
        if value is None and self.optional:
            return None
        try:
            return self.check(value)
        except ConfigError:
            raise  # it knows more than the rule
        except (ValueError, TypeError):
            problem = "wrong: it" if self.secret else f"{shown(value)}, but"
            raise ConfigError(field, f"is {problem} must be {self.allowed}") from None

    def read_text(self, field: str, text: str) -> object:
        """Give what `text` stands for, None for ``none`` where the field may be None and is not `free`."""
        if self.read is None:
            raise ConfigError(field, "cannot be given as text: give it in Python")
        if self.optional and not self.free and text.strip().lower() == "none":
            return None
        return self.read(text)


class Part:
    """A frozen dataclass whose fields follow its `schema`; building checks each, then what they say together."""

    __slots__ = ()

    schema: ClassVar[Mapping[str, Rule]]
    where: ClassVar[str] = ""
    """What the names of the fields begin with in messages."""

    if TYPE_CHECKING:

        def __init__(self, **fields: object) -> None: ...

    def __post_init__(self) -> None:
        for name, rule in self.schema.items():
            object.__setattr__(self, name, rule.settle(self.where + name, getattr(self, name)))
        self._agree()

    def _agree(self) -> None:
        """Raise `ConfigError` where fields that are right by themselves contradict one another."""

    @classmethod
    def build(cls, tree: Mapping[str, object]) -> Self:
        """Make one from its fields by name, where those with fields of their own may be given as mappings as well.

        What is left out has its default, and None means what the field says of it. Raises `ConfigError`, which names
        the field: for one that there is not, and for a value that the class itself would refuse.
        """
        fields: dict[str, object] = {}
        for name, value in tree.items():
            rule = cls.schema.get(name)
            if rule is None:
                raise ConfigError(cls.where + name, unknown(name, cls.schema))
            if rule.part is not None and isinstance(value, Mapping):
                fields[name] = rule.part.build(cast("Mapping[str, object]", value))
            else:
                fields[name] = value
        return cls(**fields)


def unknown(name: str, known: Mapping[str, object]) -> str:
    """Say that nothing is called `name`, and what is called nearly so."""
    import difflib  # noqa: PLC0415  - needed by nobody who has made no mistake

    longer = sorted(each for each in known if _is_end_of(name, each))
    longer = [each for each in longer if not any(each.endswith(f"_{other}") for other in longer)]
    nearest = longer[:_MOST_NAMED] or difflib.get_close_matches(name[:_LONGEST_SHOWN], sorted(known), n=1, cutoff=_NEAR)
    if not nearest:
        return "is unknown, and nothing that is known is called like it"
    return f"is unknown: the nearest that {'is' if len(nearest) == 1 else 'are'} known {_listed(nearest)}"


def _is_end_of(name: str, other: str) -> bool:
    """Whether `other` is `name` with more words before its last ones: ``ttl`` of ``default_ttl``."""
    words, others = name.split("_"), other.split("_")
    while words and others and words[0] == others[0]:
        del words[0], others[0]
    return bool(words) and len(words) < len(others) and words == others[-len(words) :]


def _listed(names: list[str]) -> str:
    *others, last = names
    return f"are {', '.join(others)} and {last}" if others else f"is {last}"


def shown(value: object) -> str:
    """Describe a wrong value in a message, after "is"; what may hold credentials or is long is not shown."""
    if isinstance(value, int) and value.bit_length() > _LARGEST_SHOWN:
        return f"a number of {value.bit_length()} bits"
    if isinstance(value, str) and ("@" in value or "//" in value or len(value) > _LONGEST_SHOWN):
        return f"a text of {len(value)} characters"
    if value is None or isinstance(value, bool | int | float | str | timedelta):
        return repr(value)
    return f"of type {type(value).__name__}"
