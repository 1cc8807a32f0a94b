"""`cached_multi`: a function that is asked for many things at once, each of which is kept by itself.

One of its parameters takes a collection of *ids*. A call looks all of them up in one round trip, calls the function
once for those that are neither kept nor being loaded, and keeps what it finds, id by id.
"""

from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, Protocol, Self, TypeVar, Unpack, cast, overload

from aiocache_kit.decorators.calls import Values
from aiocache_kit.decorators.plan import KeyMaker, Plan, TagMaker, is_collection, order
from aiocache_kit.decorators.target import Source
from aiocache_kit.decorators.wrapped import Wrapped
from aiocache_kit.errors import InvalidArgumentError
from aiocache_kit.management.expiration import TTL
from aiocache_kit.provider.calling import call
from aiocache_kit.provider.loading import LoadPolicy
from aiocache_kit.sentinels import DEFAULT, DefaultType
from aiocache_kit.serializers.promised import promised

P = ParamSpec("P")
K = TypeVar("K")
V = TypeVar("V")
G = TypeVar("G")
S = TypeVar("S")
S_contra = TypeVar("S_contra", contravariant=True)


class CachedMulti(Wrapped[dict[K, V]], Generic[P, K, V, G]):
    """A function of many ids whose results are kept by a provider, id by id; made by `cached_multi`.

    Awaiting a call gives a dict of what there is, by id, in the order in which the ids were given. The other methods
    take the arguments of a call, too, but for what they say. All raise `InvalidKeyError` for an id that no key can be
    made of, and what the `Provider` raises.
    """

    __slots__ = ()

    if TYPE_CHECKING:

        async def __call__(self, ids: Iterable[K], /, *args: P.args, **kwargs: P.kwargs) -> dict[K, V]:
            """Give the results for `ids` that there are."""
            ...

    def __get__(self, instance: object, owner: type | None = None, /) -> Self:
        """Bind to an instance, as a method."""
        return self._bind(instance, owner)

    @property
    def original(self) -> Callable[Concatenate[list[K], P], G]:
        """The function that was decorated; that of a method is bound as the method is."""
        return self._original()

    def key_for(self, id: K, /, *args: P.args, **kwargs: P.kwargs) -> str:
        """Give the key under which the result for one id, in the place of the ids, is kept."""
        return self._plan.key.make(self._values((id, *args), kwargs))

    async def peek(self, ids: Iterable[K], /, *args: P.args, **kwargs: P.kwargs) -> dict[K, V]:
        """Give the results that are kept, without ever calling the function; a read, as `Provider.get_multi` is."""
        keys = _keys(self._plan, self._values((ids, *args), kwargs))
        found = await self._plan.target.get().get_multi(list(keys.values()), type=self._plan.type)
        return _by_id(keys, found)

    async def set(self, results: Mapping[K, V], /, *args: P.args, **kwargs: P.kwargs) -> None:
        """Keep the values of a mapping, in the place of the ids, as the results for its keys."""
        plan, values = self._plan, self._values((results, *args), kwargs)
        tags, cost = plan.tags(values), plan.order.policy.get("cost")
        held: object = values[plan.element]
        if not isinstance(held, Mapping):
            raise InvalidArgumentError(
                f"the results to keep must be a mapping of ids to values, not {type(held).__name__}"
            )
        by_key: dict[str, object] = {key: held[each] for each, key in _keys(plan, values).items()}
        provider = plan.target.get()
        with promised(plan.type, by_key.values()):
            if cost is None:
                await provider.set_multi(by_key, plan.order.ttl, tags=tags)
            else:
                for key, value in by_key.items():
                    await provider.set(key, value, plan.order.ttl, tags=tags, cost=cost)

    async def invalidate(self, ids: Iterable[K], /, *args: P.args, **kwargs: P.kwargs) -> int:
        """Forget the results for `ids`, and count those that were there; otherwise as `Cached.invalidate`."""
        keys = _keys(self._plan, self._values((ids, *args), kwargs))
        return await self._plan.target.get().delete_multi(list(keys.values()))

    async def refresh(self, ids: Iterable[K], /, *args: P.args, **kwargs: P.kwargs) -> dict[K, V]:
        """Call the function for all of `ids`, keep what it finds and give it; otherwise as `Cached.refresh`."""
        plan, values = self._plan, self._values((ids, *args), kwargs)
        return await _load(plan, plan.target.get().refresh_multi, values)


class CachedMultiMethod(Protocol[S_contra, P, K, V, G]):
    """What a method decorated by `cached_multi` is in its class: once bound to an instance, a `CachedMulti`."""

    @overload
    def __get__(self, instance: None, owner: type | None = None, /) -> Self: ...
    @overload
    def __get__(self, instance: S_contra, owner: type | None = None, /) -> CachedMulti[P, K, V, G]: ...


class CachedMultiDecorator(Protocol):
    """What `cached_multi` gives: it takes a coroutine function, or a plain one, which it runs in a thread."""

    @overload
    def __call__(
        self, function: Callable[Concatenate[list[K], P], Coroutine[Any, Any, Mapping[K, V]]], /
    ) -> CachedMulti[P, K, V, Coroutine[Any, Any, Mapping[K, V]]]: ...
    @overload
    def __call__(
        self, function: Callable[Concatenate[S, list[K], P], Coroutine[Any, Any, Mapping[K, V]]], /
    ) -> CachedMultiMethod[S, P, K, V, Coroutine[Any, Any, Mapping[K, V]]]: ...
    @overload
    def __call__(
        self, function: Callable[Concatenate[list[K], P], Mapping[K, V]], /
    ) -> CachedMulti[P, K, V, Mapping[K, V]]: ...
    @overload
    def __call__(
        self, function: Callable[Concatenate[S, list[K], P], Mapping[K, V]], /
    ) -> CachedMultiMethod[S, P, K, V, Mapping[K, V]]: ...


def cached_multi(
    provider: Source,
    ttl: TTL | DefaultType = DEFAULT,
    *,
    key: KeyMaker = None,
    over: str | None = None,
    tags: TagMaker = (),
    exclude: Iterable[str] = (),
    type: type[Any] | None = None,
    **policy: Unpack[LoadPolicy],
) -> CachedMultiDecorator:
    """Keep the results of a function that takes a collection of ids and gives a mapping of ids to values, id by id.

    The ids are the argument `over`, or else the first one (after ``self`` or ``cls``). The function is given those that
    are missing, each once, as a list, and may leave out what it does not find; nothing is remembered of that. Ids that
    another call is loading are waited for.

    In a template, one name that is no parameter stands for an id: ``key="user:{user_id}:{lang}"`` for
    ``load_users(user_ids, lang)``. A function for the key is called with one id in the place of the ids. The default
    key is made as by `cached`, of one id in the place of the ids. `tags` are the same for all ids of a call.

    Otherwise as `cached`. A call raises `InvalidArgumentError` where the ids are no collection of hashable objects, or
    the function does not give a mapping.
    """
    ordered = order(provider, ttl, key=key, tags=tags, exclude=exclude, type=type, policy=policy)

    def decorate(function: object) -> CachedMulti[..., Any, Any, Any]:
        plan = Plan(ordered, function, over, many=True)

        async def answer(values: Values) -> dict[Any, Any]:
            return await _load(plan, plan.target.get().get_or_set_multi, values)

        private = plan.signature.private
        body = f"return await {private}answer({plan.signature.values_source})"
        called = plan.compile(body, {f"{private}answer": answer}, is_async=True)
        return CachedMulti[..., Any, Any, Any].of(plan, called)

    return cast("CachedMultiDecorator", decorate)


async def _load(plan: Plan, get: Callable[..., Any], values: Values) -> dict[Any, Any]:
    """Ask a provider's `get` for the ids; the function loads what it must."""
    keys = _keys(plan, values)
    ids = {key: each for each, key in keys.items()}

    def with_ids(some: list[Any]) -> Values:
        return (*values[: plan.element], some, *values[plan.element + 1 :])

    async def load(missing: list[str]) -> dict[str, object]:
        asked = [ids[key] for key in missing]
        found = await call(plan.loader(with_ids(asked)))
        if not isinstance(found, Mapping):
            kind = found.__class__.__name__
            raise InvalidArgumentError(
                f"{plan.label} must give a mapping of ids to values, not an object of class {kind}"
            )
        return {key: found[each] for key, each in zip(missing, asked, strict=True) if each in found}

    tags = plan.tags(with_ids(list(keys)))
    found = await get(list(ids), load, plan.order.ttl, tags=tags, type=plan.type, **plan.order.policy)
    return _by_id(keys, found)


def _keys(plan: Plan, values: Values) -> dict[Any, str]:
    """Give the key of each id."""
    ids: Any = values[plan.element]
    where = f"the argument {plan.signature.names[plan.element]!r} of {plan.label}"
    if not is_collection(ids):
        kind = type(ids).__qualname__
        raise InvalidArgumentError(f"{where} must be a collection of ids, not one object of class {kind}")
    make = plan.key.around(values, plan.element)
    keys: dict[Any, str] = {}
    for each in ids:
        try:
            known = each in keys
        except TypeError as error:
            kind = type(each).__qualname__
            raise InvalidArgumentError(f"{where} must hold hashable ids, not objects of class {kind}") from error
        if not known:
            keys[each] = make(each)
    return keys


def _by_id(keys: Mapping[Any, str], found: Mapping[str, Any]) -> dict[Any, Any]:
    """Give what was found by id."""
    return {each: found[key] for each, key in keys.items() if key in found}
