"""Loaders: what may be one, and what it may say about its value (`calling`: how it is called).

Rule 1: a loader takes nothing, or one `LoadContext`; only parameters without a default count, so that
``lambda user_id=user_id: ...`` takes nothing. One that declares its parameter as something else is refused: it would
take the context for an id.
Rule 2: whatever is wrong about one is found before it is called, and said in one sentence.
"""

import inspect
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from types import FunctionType, MethodType
from typing import Any, Final, NoReturn, TypeAlias, TypeVar

from aiocache_kit.errors import InvalidArgumentError, LoadFailedError, WrongTypeError
from aiocache_kit.item import Item, Validators
from aiocache_kit.keys import check_tags
from aiocache_kit.management.expiration import TTL, life_of
from aiocache_kit.management.freshness import Freshness, FreshnessOptions, checked
from aiocache_kit.sentinels import MISSING, MissingType
from aiocache_kit.serializers.parts import whole
from aiocache_kit.serializers.typed import convert

T = TypeVar("T")


_PLAIN: Final = Freshness()
_NOTHING: Final[dict[str, str | None]] = {}
MOST_VALIDATOR: Final = 1024
"""Characters that an etag, or a date in the words of a source, may have."""


class LoadContext:
    """What a loader is told, and what it may decide, about the value it is about to give."""

    __slots__ = (
        "_cost",
        "_keeps",
        "_known",
        "_life",
        "_said",
        "_tags",
        "cacheable",
        "key",
        "stale_value",
    )

    def __init__(self, key: str, life: float, tags: tuple[str, ...], cost: int | None) -> None:
        """Begin with what the caller of `get_or_set` said, checked: for providers, and for tests of a loader.

        `life` is the ttl in seconds, infinity for ever; `cost` is bytes, None as the storage estimates.
        """
        self.key: Final = key
        self.stale_value: object | MissingType = MISSING
        """The value that is being loaded anew, old or not; `MISSING` where there is none."""
        self._known = _NOTHING
        """What is known of the state of the source that `stale_value` came from."""
        self._said = _NOTHING
        self._keeps = False
        """Whether the loader has said that the old value is still true."""
        self._life = life
        self._tags = tags
        self._cost = cost
        self.cacheable: bool = True
        """Set it to False to hand the value to those who wait and not to store it."""

    @property
    def ttl(self) -> TTL:
        """How long the value will live, in seconds, None for ever; set it in any form that a ttl may have.

        Raises `InvalidTTLError` for what is none.
        """
        return None if self._life == float("inf") else self._life

    @ttl.setter
    def ttl(self, ttl: TTL) -> None:
        self._life = life_of(ttl)

    @property
    def tags(self) -> tuple[str, ...]:
        """What the value will be tagged with; set it to any collection of `str`. Raises `InvalidTagError`."""
        return self._tags

    @tags.setter
    def tags(self, tags: Iterable[str]) -> None:
        self._tags = check_tags(tags)

    @property
    def cost(self) -> int | None:
        """What the value counts against a bound in bytes, 0 for nothing; None: the storage estimates.

        Raises `InvalidArgumentError` where it is set to anything else.
        """
        return self._cost

    @cost.setter
    def cost(self, cost: int | None) -> None:
        self._cost = check_cost(cost)

    @property
    def etag(self) -> str | None:
        """What the source calls the state that the value is in, kept with the value; None: nothing.

        That of `stale_value` until the loader sets that of the value it gives. A `str` of 1 to 1024 characters, or
        `InvalidArgumentError`.
        """
        return (self._said if "etag" in self._said else self._known).get("etag")

    @etag.setter
    def etag(self, etag: str | None) -> None:
        self._said = self._said | {"etag": _check_validator("etag", etag)}

    @property
    def last_modified(self) -> str | None:
        """When the source last changed the value, in the source's own words; otherwise as `etag`."""
        return (self._said if "last_modified" in self._said else self._known).get("last_modified")

    @last_modified.setter
    def last_modified(self, last_modified: str | None) -> None:
        self._said = self._said | {"last_modified": _check_validator("last_modified", last_modified)}

    def not_modified(self) -> Any:  # noqa: ANN401  - whatever is cached
        """Give the value that is being loaded anew: ``return context.not_modified()`` keeps it for another ttl.

        What was known of the state of its source (`etag`, `last_modified`) is kept with it, as far as the loader has
        not set it anew. Raises `InvalidArgumentError` where there is no such value.
        """
        if self.stale_value is MISSING:
            raise InvalidArgumentError("not_modified() needs a value that is there: look at stale_value first")
        self._keeps = True
        return self.stale_value

    def fail(self, reason: str = "the loader gave up") -> NoReturn:
        """Say that the source fails: raise `LoadFailedError` with the `reason`, for which an old value may stand in.

        The reason reaches those who wait, so it holds no secret.
        """
        raise LoadFailedError(reason)

    def __repr__(self) -> str:
        return f"<LoadContext ttl={self.ttl}, {len(self._tags)} tags, cacheable={self.cacheable}>"


class FullContext(LoadContext):
    """The same, with what a provider keeps of a load that is no loader's business."""

    __slots__ = ("freshness", "replaces", "type")

    def __init__(
        self, key: str, life: float, tags: tuple[str, ...], cost: int | None, freshness: Freshness = _PLAIN
    ) -> None:
        """Begin a load whose value is served as `freshness` has it; otherwise as `LoadContext`."""
        super().__init__(key, life, tags, cost)
        self.freshness: Final = freshness
        """How the value is to be served, as the caller and the configuration have it."""
        self.replaces: bool = False
        """Whether something may be there that the value will take the place of."""
        self.type: type[Any] | None = None
        """What the value is to be read as; None: as it was stored."""

    @property
    def life(self) -> float:
        """The ttl in seconds, infinity for ever."""
        return self._life

    def tell_of(self, item: Item[object] | None) -> None:
        """Let the loader know of the item that its value will replace; None: there is none.

        Nothing is told of one whose value needs a type to be whole where there is none, or another one.
        """
        self.stale_value, self._known = MISSING, _NOTHING
        if item is None:
            return
        try:
            self.stale_value = whole(item.value) if self.type is None else convert(item.value, self.type)
        except WrongTypeError:
            return
        if item.validators is not None:
            self._known = item.validators._asdict()

    def validators_of(self, value: object) -> Validators | None:
        """Give what is to be kept of the state of its source with `value`, which the loader gave; None: nothing."""
        known = self._said
        if self._keeps and value is self.stale_value:
            known = self._known | self._said
        elif not known:
            return None
        validators = Validators(known.get("etag"), known.get("last_modified"))
        return validators if any(each is not None for each in validators) else None


class LoadPolicy(FreshnessOptions, total=False):
    """What `Provider.get_or_set` and the decorators take alike, besides ttl, tags and type."""

    cost: int | None
    """What the value counts against a bound in bytes; None: the storage estimates."""


class LoadOptions(LoadPolicy, total=False):
    """What `Provider.get_or_set` takes besides key, loader, ttl and type."""

    tags: Iterable[str]
    """What the value is tagged with, for `invalidate_tags`."""


AsyncLoader: TypeAlias = Callable[[], Awaitable[T]] | Callable[[LoadContext], Awaitable[T]]
"""A loader of one value that is awaited."""
SyncLoader: TypeAlias = Callable[[], T] | Callable[[LoadContext], T]
"""A loader of one value that runs in a thread. Apart from the other one, or type checkers cannot tell them apart."""
AsyncMultiLoader: TypeAlias = Callable[[list[str]], Awaitable[Mapping[str, T]]]
"""A loader of the values of the keys that it is given; it may leave some out."""
SyncMultiLoader: TypeAlias = Callable[[list[str]], Mapping[str, T]]
"""The same, to run in a thread."""

OPTION_NAMES: Final = frozenset(LoadOptions.__annotations__)
OF_GET_OR_SET: Final = OPTION_NAMES | {"type"}
_PLAIN_NAMES: Final = frozenset({"bool", "bytes", "float", "int", "str"})
"""What an annotation that is text, as ``from __future__ import annotations`` has them, may say to be no context."""


def check_options(
    options: dict[str, object], default: Freshness = _PLAIN
) -> tuple[tuple[str, ...], int | None, Freshness]:
    """Return tags, cost and freshness from `options`, or from the `default`.

    Raises `InvalidArgumentError` or `InvalidTagError`.
    """
    for name in options:
        if name not in OPTION_NAMES:
            msg = f"there is no option {name!r}: the options of a load are {', '.join(sorted(OPTION_NAMES))} and type"
            raise InvalidArgumentError(msg)
    tags = options.get("tags", ())
    return () if tags == () else check_tags(tags), check_cost(options.get("cost")), checked(options, default)


def check_names(method: str, options: Collection[str], known: frozenset[str] = OPTION_NAMES) -> None:
    """Raise `TypeError`, as Python does where it checks by itself, unless a method has all of these options."""
    if not known.issuperset(options):
        wrong = next(name for name in options if name not in known)
        msg = f"{method}() got an unexpected keyword argument {wrong!r}: its options are {', '.join(sorted(known))}"
        raise TypeError(msg)


def check_cost(cost: object) -> int | None:
    """Return `cost` where it is None or an `int` from 0 up; raise `InvalidArgumentError` otherwise."""
    if cost is None:
        return None
    if isinstance(cost, bool) or not isinstance(cost, int) or cost < 0:
        given = "a negative one" if type(cost) is int else type(cost).__name__
        raise InvalidArgumentError(f"cost must be None or an int from 0 up (bytes), not {given}")
    return cost


def _check_validator(name: str, text: object) -> str | None:
    if text is not None and not (isinstance(text, str) and 0 < len(text) <= MOST_VALIDATOR):
        given = f"one of {len(text)}" if isinstance(text, str) else type(text).__name__
        raise InvalidArgumentError(f"{name} must be None or a str of 1 to {MOST_VALIDATOR} characters, not {given}")
    return text


def wants_context(function: Callable[..., object]) -> bool:
    """Whether a loader must be given its `LoadContext`; raise `InvalidArgumentError` where it wants more than that."""
    if isinstance(function, FunctionType):
        required = _required(function, 0)
    elif isinstance(function, MethodType) and isinstance(function.__func__, FunctionType):
        required = _required(function.__func__, 1)
    else:
        required = _required_of_any(function)
    if required > 1:
        msg = f"a loader takes no argument or one LoadContext, and this one needs {required}: use a lambda or partial"
        raise InvalidArgumentError(msg)
    return required == 1


def _required(function: FunctionType, bound: int) -> int:
    code = function.__code__
    if code.co_flags & (inspect.CO_GENERATOR | inspect.CO_ASYNC_GENERATOR):
        raise InvalidArgumentError("a loader gives a value once, and this one is a generator: give a list")
    required = code.co_argcount - len(function.__defaults__ or ()) - bound
    if required == 1:
        _check_context(function, code.co_varnames[bound])
    return required


def _check_context(function: FunctionType, name: str) -> None:
    """Raise `InvalidArgumentError` where the one parameter is declared to be an id, say, and would get a context."""
    try:
        declared: object = function.__annotations__.get(name)
    except NameError:  # Python 3.14 looks names up only now, and some are there for type checkers alone
        return
    if declared in _PLAIN_NAMES if isinstance(declared, str) else _is_no_context(declared):
        msg = f"a loader takes no argument or one LoadContext, and this one declares {name!r} as something else"
        raise InvalidArgumentError(f"{msg}: use a lambda or partial")


def _is_no_context(declared: object) -> bool:
    if not isinstance(declared, type) or declared is Any or getattr(declared, "_is_protocol", False):
        return False
    return not issubclass(LoadContext, declared)


def _required_of_any(function: Callable[..., object]) -> int:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return 0
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(each.kind in positional and each.default is each.empty for each in parameters)
