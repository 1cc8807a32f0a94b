"""A function's parameters, and the code that is generated from them.

A call is turned into its *values*: one for each parameter, in the order of the signature, with defaults filled in,
``*args`` as a tuple and ``**kwargs`` as a dict. So however a call is spelled, its values are the same.

What would take a `Signature.bind`, at ten times the price of a hit, is left to Python itself: functions are generated
once that have the same parameters, as `dataclasses` does it for ``__init__``.

Rule 1: source is made of names that Python has accepted as names, and of nothing else; every text and value that the
code uses is handed to it as an object.
"""

import inspect
import keyword
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from inspect import Parameter
from typing import Any, Final, TypeAlias

from aiocache_kit.decorators.declared import key_makers
from aiocache_kit.errors import InvalidArgumentError

Values: TypeAlias = tuple[Any, ...]
"""What a call gives to each parameter; see above."""

_PASSED_BY_PLACE: Final = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)


@dataclass(frozen=True, slots=True)
class Hole:
    """A place in a key that a parameter, or an attribute of it, fills."""

    index: int
    """Of the parameter."""
    source: str
    """The parameter's name with the path of attributes, as code."""
    path: tuple[str, ...] = ()
    by: Callable[[Any], object] | None = None
    """What gives the value that fills it, made of the argument; None: the argument or its attribute does."""


class Signature:
    """The parameters of a function by place, name and kind."""

    __slots__ = ("defaults", "key_makers", "keyword_defaults", "kinds", "label", "names", "private", "source")

    def __init__(self, function: Callable[..., object], label: str) -> None:
        """Read the signature; raise `InvalidArgumentError` where `function` has none. `label` names it in sentences."""
        try:
            parameters = inspect.signature(function).parameters
        except (TypeError, ValueError) as error:
            raise InvalidArgumentError(
                f"{label} has no signature that could be read, so no key can be made of it"
            ) from error
        self.label: Final = label
        self.names: Final = tuple(parameters)
        self.kinds: Final = tuple(each.kind for each in parameters.values())
        self.key_makers: Final = key_makers(function)
        given = {name: each.default for name, each in parameters.items() if each.default is not Parameter.empty}
        by_place = [name for name, kind in zip(self.names, self.kinds, strict=True) if kind in _PASSED_BY_PLACE]
        self.defaults: Final = tuple(given.pop(name) for name in by_place if name in given)
        self.keyword_defaults: Final = given
        self.private: str = "_"
        """What no parameter's name begins with: names of the generated code's own do."""
        while any(name.startswith(self.private) for name in self.names):
            self.private += "_"
        self.source: Final = self._source()

    def _source(self) -> str:
        """Write the list of parameters, without defaults."""
        parts: list[str] = []
        stars: dict[object, str] = {Parameter.VAR_POSITIONAL: "*", Parameter.VAR_KEYWORD: "**"}
        before: object = None
        for name, kind in zip(self.names, self.kinds, strict=True):
            if before is Parameter.POSITIONAL_ONLY and kind is not before:
                parts.append("/")
            if kind is Parameter.KEYWORD_ONLY and before not in (Parameter.VAR_POSITIONAL, kind):
                parts.append("*")
            parts.append(stars.get(kind, "") + name)
            before = kind
        return ", ".join([*parts, "/"] if before is Parameter.POSITIONAL_ONLY else parts)

    @property
    def values_source(self) -> str:
        """The values of a call, as code."""
        return f"({''.join(f'{name}, ' for name in self.names)})"

    def index(self, name: str, argument: str) -> int:
        """Give the place of the parameter `name`; raise `InvalidArgumentError`, naming `argument`, if there is none."""
        if name not in self.names:
            known = f"its parameters are {', '.join(self.names)}" if self.names else "it has none"
            raise InvalidArgumentError(f"{argument} names {name!r}, which is no parameter of {self.label}: {known}")
        return self.names.index(name)

    def where(self, hole: Hole) -> str:
        """Begin a sentence about what fills `hole`."""
        return f"the argument {hole.source!r} of {self.label}"

    def is_single(self, index: int) -> bool:
        """Whether the parameter takes one argument, unlike ``*args`` and ``**kwargs``."""
        return self.kinds[index] not in (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)

    def is_tuple(self, index: int) -> bool:
        """Whether the parameter is ``*args``."""
        return self.kinds[index] is Parameter.VAR_POSITIONAL

    def spread(self, values: Values) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Give the positional and the keyword arguments that a call with `values` passes."""
        positional: list[Any] = []
        keywords: dict[str, Any] = {}
        for name, kind, value in zip(self.names, self.kinds, values, strict=True):
            if kind is Parameter.KEYWORD_ONLY:
                keywords[name] = value
            elif kind is Parameter.VAR_KEYWORD:
                keywords.update(value)
            elif kind is Parameter.VAR_POSITIONAL:
                positional.extend(value)
            else:
                positional.append(value)
        return tuple(positional), keywords

    def compile(self, body: str, objects: Mapping[str, object], *, is_async: bool) -> Callable[..., Any]:
        """Make a function that has this signature, with its defaults; `body` sees `objects` by their names."""
        lines = "\n".join(f"    {line}" for line in body.splitlines())
        source = f"{'async ' if is_async else ''}def {self.private}call({self.source}):\n{lines}\n"
        module = dict(objects)
        exec(compile(source, f"<cached {self.label}>", "exec"), module)  # noqa: S102  - rule 1
        function: Any = module[f"{self.private}call"]
        function.__defaults__ = self.defaults
        function.__kwdefaults__ = self.keyword_defaults
        return function  # type: ignore[no-any-return]  # made a moment ago


def is_name(text: str) -> bool:
    """Whether `text` can stand in source as a name."""
    return text.isidentifier() and not keyword.iskeyword(text)
