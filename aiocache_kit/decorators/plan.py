"""What a decorator was told, and what follows from it for one function: its keys, its tags, its loads.

Rule 1: whatever can be checked is checked when the function is decorated; only the provider is asked for later.
Rule 2: a plan holds no values and no instances: methods hand theirs in with every call.
"""

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial, update_wrapper
from typing import Any, Final, TypeAlias, cast

from aiocache_kit.decorators.calls import Hole, Signature, Values
from aiocache_kit.decorators.closures import check_captured
from aiocache_kit.decorators.declared import declared_result
from aiocache_kit.decorators.recipe import NO_ELEMENT, KeyRecipe, Recipe, key_recipe, template_recipe
from aiocache_kit.decorators.target import Target, asker
from aiocache_kit.errors import InvalidArgumentError
from aiocache_kit.keys import check_tags
from aiocache_kit.management.expiration import TTL, life_of
from aiocache_kit.provider import Provider
from aiocache_kit.provider.calling import call
from aiocache_kit.provider.loading import LoadPolicy, check_options
from aiocache_kit.sentinels import DEFAULT, DefaultType

KeyMaker: TypeAlias = str | Callable[..., str] | None
"""A template, a function that is called as the cached function is, or None for the default key."""
TagMaker: TypeAlias = Iterable[str] | Callable[..., Iterable[str]]
"""Templates, or a function that is called as the cached function is."""


@dataclass(frozen=True, slots=True)
class Order:
    """What a decorator was called with."""

    ask: Callable[[], object]
    """Gives the provider."""
    ttl: TTL | DefaultType
    key: KeyMaker
    tags: tuple[str, ...] | Callable[..., Iterable[str]]
    exclude: tuple[str, ...]
    type: type[Any] | None
    policy: LoadPolicy
    accept: Callable[[object], None] | None = None
    """Raises for a result that cannot be kept; None: whatever the storage takes can be."""


def order(
    provider: object,
    ttl: TTL | DefaultType,
    *,
    key: KeyMaker,
    tags: TagMaker,
    exclude: Iterable[str],
    type: type[Any] | None,
    policy: LoadPolicy,
    accept: Callable[[object], None] | None = None,
) -> Order:
    """Check what a decorator was called with; raise the error of the first argument that no function could mend."""
    if ttl is not DEFAULT:
        life_of(ttl)
    if not is_collection(exclude):
        raise InvalidArgumentError(f"exclude must be a collection of names, not {_kind(exclude)}")
    check_options(cast("dict[str, object]", policy))
    known_tags = tags if callable(tags) else check_tags(tags)
    return Order(asker(provider), ttl, key, known_tags, tuple(exclude), type, policy, accept)


def is_collection(value: object) -> bool:
    """Whether `value` holds things to go through, as no single text does."""
    return isinstance(value, Iterable) and not isinstance(value, str | bytes)


class Plan:
    """An order, applied to one function."""

    __slots__ = (
        *("_tags", "bind", "element", "function", "key", "label", "order", "signature", "target", "type", "values"),
    )

    def __init__(self, order: Order, decorated: object, over: str | None = None, *, many: bool = False) -> None:
        """Look at a function, or at the classmethod or staticmethod of one; raise `InvalidArgumentError`.

        With `many`, the parameter `over`, or else the first one, holds elements that have a key each.
        """
        self.order: Final = order
        self.bind: type = type(decorated)
        """Whether to bind as a classmethod, a staticmethod or, if it is neither, a method."""
        wrapped = isinstance(decorated, classmethod | staticmethod)
        self.function: Final = _function(cast("Any", decorated).__func__ if wrapped else decorated)
        self.label: Final = _label(self.function, must_be_named=order.key is None)
        self.signature: Final = Signature(self.function, self.label)
        exclude = frozenset(self.signature.index(name, "exclude") for name in order.exclude)
        self.element: Final = _element(self.signature, over, exclude) if many else NO_ELEMENT
        """Of the parameter that holds many."""
        self.key: KeyRecipe = key_recipe(self.signature, order.key, exclude, self.label, self.element)
        self._tags = _tags_of(self.signature, order.tags, self.element)
        declared = declared_result(self.function, many=many)
        self.type: Final[Any] = declared if order.type is None else order.type
        """What a result is read as, or each of many: the type that was ordered, or else what the function declares."""
        self.target: Final = Target(order.ask, self._check)
        self.values: Callable[..., Values] = self.compile(f"return {self.signature.values_source}", {}, is_async=False)
        """Takes the arguments of a call and gives its values; raises the `TypeError` of a wrong call."""

    def _check(self, provider: Provider) -> None:
        if self.order.key is None:
            check_captured(provider, self.function, self.label)
        if isinstance(self.key, Recipe):
            pieces = [piece if isinstance(piece, str) else None for piece in self.key.pieces]
            provider.name_keys(pieces, self.order.key if isinstance(self.order.key, str) else self.label)

    def compile(self, body: str, objects: dict[str, object], *, is_async: bool) -> Callable[..., Any]:
        """Make a function that looks like the decorated one; see `Signature.compile`."""
        return update_wrapper(self.signature.compile(body, objects, is_async=is_async), self.function)

    def tags(self, values: Values) -> Iterable[str]:
        """Give the tags of what a call with these values loads."""
        return self._tags(values) if callable(self._tags) else self._tags

    def loader(self, values: Values) -> Callable[[], Any]:
        """Make what calls the function: a coroutine function, or what a thread will call, if the function is plain."""
        accept, loader = self.order.accept, self._loader(values)
        if accept is None:
            return loader

        async def load() -> object:
            result = await call(loader)
            accept(result)
            return result

        return load

    def _loader(self, values: Values) -> Callable[[], Any]:
        function = self.function
        positional, keywords = self.signature.spread(values)
        if inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__):

            async def load() -> object:
                return await function(*positional, **keywords)

            return load
        # No lambda: its code would be that of all plain functions, and what is known of one would be taken for all.
        return partial(function, *positional, **keywords)


def _function(function: object) -> Callable[..., Any]:
    if not callable(function) or isinstance(function, type):
        raise InvalidArgumentError(f"only a function can be cached, not {_kind(function)}: write @cached(provider)")
    if inspect.isasyncgenfunction(function) or inspect.isgeneratorfunction(function):
        raise InvalidArgumentError(
            f"{_label(function)} is a generator, which gives its values only once: cache a function that gives a list"
        )
    return function


def _label(function: Callable[..., Any], *, must_be_named: bool = False) -> str:
    """Give what sentences and default keys call the function."""
    module, name = getattr(function, "__module__", None), getattr(function, "__qualname__", None)
    if isinstance(module, str) and isinstance(name, str) and not name.endswith("<lambda>"):
        return f"{module}:{name}"
    if must_be_named:
        raise InvalidArgumentError(f"{name or _kind(function)} has no name that a key could begin with: give key=")
    return name or _kind(function)


def _kind(value: object) -> str:
    if isinstance(value, type):
        return f"the class {value.__qualname__}"
    return f"an object of class {type(value).__qualname__}"


def _element(signature: Signature, over: str | None, exclude: frozenset[int]) -> int:
    """Give the place of the parameter that holds many."""
    if over is None:
        indexes = [index for index, name in enumerate(signature.names) if name not in {"self", "cls"}]
    else:
        indexes = [signature.index(over, "over")]
    if not indexes or not signature.is_single(indexes[0]) or indexes[0] in exclude:
        raise InvalidArgumentError(f"{signature.label} needs a parameter that takes a collection: name it with over=")
    return indexes[0]


def _tags_of(
    signature: Signature, tags: tuple[str, ...] | Callable[..., Iterable[str]], element: int
) -> tuple[str, ...] | Callable[[Values], Iterable[str]]:
    """Give the tags, or what makes them of the values of a call."""
    if callable(tags):
        make = tags

        def own(values: Values) -> Iterable[str]:
            positional, keywords = signature.spread(values)
            return make(*positional, **keywords)

        return own
    recipes = [template_recipe(signature, tag, "tags", element) for tag in tags]
    holes = [piece for recipe in recipes for piece in recipe.pieces if isinstance(piece, Hole)]
    for hole in holes:
        if hole.index == element:
            raise InvalidArgumentError(f"tags names {hole.source!r}, but all ids of a call have the same tags")
    if not holes:
        return tuple([recipe.make(()) for recipe in recipes])
    return lambda values: tuple([recipe.make(values) for recipe in recipes])
