"""`cached`: a function whose results are kept, one for each set of arguments."""

from collections.abc import Callable, Coroutine, Iterable
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, Protocol, Self, TypeVar, Unpack, cast, overload

from aiocache_kit.decorators.calls import Values
from aiocache_kit.decorators.plan import KeyMaker, Order, Plan, TagMaker, order
from aiocache_kit.decorators.target import Source
from aiocache_kit.decorators.wrapped import Wrapped
from aiocache_kit.management.expiration import TTL
from aiocache_kit.management.freshness import Freshness, checked
from aiocache_kit.provider.loading import LoadPolicy
from aiocache_kit.sentinels import DEFAULT, MISSING, DefaultType, MissingType
from aiocache_kit.serializers.promised import promised
from aiocache_kit.serializers.typed import convert

P = ParamSpec("P")
Q = ParamSpec("Q")
R = TypeVar("R")
G = TypeVar("G")
S = TypeVar("S")


class Cached(Wrapped[R], Generic[P, R, G]):
    """A function whose results are kept by a provider; made by `cached`.

    Awaiting a call gives what is kept for its arguments; where nothing is, the function is called, once for all who
    wait, and its result is kept. The other methods take the arguments of a call, too. All raise `InvalidKeyError` for
    arguments that no key can be made of, and what the `Provider` raises.
    """

    __slots__ = ()

    if TYPE_CHECKING:

        async def __call__(self, /, *args: P.args, **kwargs: P.kwargs) -> R:
            """Give the result for these arguments."""
            ...

    @overload
    def __get__(self, instance: None, owner: type | None = None, /) -> Self: ...
    @overload
    def __get__(
        self: "Cached[Concatenate[S, Q], R, G]", instance: S, owner: type | None = None, /
    ) -> "Cached[Q, R, G]": ...
    def __get__(self, instance: object, owner: type | None = None, /) -> object:
        """Bind to an instance, as a method."""
        return self._bind(instance, owner)

    @property
    def original(self) -> Callable[P, G]:
        """The function that was decorated; that of a method is bound as the method is."""
        return self._original()

    def key_for(self, /, *args: P.args, **kwargs: P.kwargs) -> str:
        """Give the key under which the result for these arguments is kept."""
        return self._plan.key.make(self._values(args, kwargs))

    async def peek(self, /, *args: P.args, **kwargs: P.kwargs) -> R | MissingType:
        """Give the result that is kept, or `MISSING`, and never call the function; a read, as `Provider.get` is."""
        plan = self._plan
        key = plan.key.make(self._values(args, kwargs))
        kept: Any = await plan.target.get().get(key, MISSING, type=plan.type)
        return cast("R | MissingType", kept)

    async def set(self, value: R, /, *args: P.args, **kwargs: P.kwargs) -> None:
        """Keep `value` as the result for these arguments."""
        plan, values = self._plan, self._values(args, kwargs)
        key, tags, cost = plan.key.make(values), plan.tags(values), plan.order.policy.get("cost")
        with promised(plan.type, (value,)):
            await plan.target.get().set(key, value, plan.order.ttl, tags=tags, cost=cost)

    async def invalidate(self, /, *args: P.args, **kwargs: P.kwargs) -> bool:
        """Forget the result for these arguments, and say whether there was one.

        Whoever asks from now on gets a result that was computed after this call, even if an older computation is still
        under way.
        """
        key = self._plan.key.make(self._values(args, kwargs))
        return await self._plan.target.get().delete(key)

    async def refresh(self, /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function, keep its result and give it; until it is there, others get the one that is kept.

        A call that is under way already is waited for instead of another one: if the source has changed since then, it
        is `invalidate` that is needed.
        """
        plan, values = self._plan, self._values(args, kwargs)
        key = plan.key.make(values)
        provider = plan.target.get()
        return cast("R", await provider.refresh(key, plan.loader(values), plan.order.ttl, **_options(plan, values)))


class CachedDecorator(Protocol):
    """What `cached` gives: it takes a coroutine function, or a plain one, which it runs in a thread."""

    @overload
    def __call__(self, function: Callable[P, Coroutine[Any, Any, R]], /) -> Cached[P, R, Coroutine[Any, Any, R]]: ...
    @overload
    def __call__(self, function: Callable[P, R], /) -> Cached[P, R, R]: ...


def cached(
    provider: Source,
    ttl: TTL | DefaultType = DEFAULT,
    *,
    key: KeyMaker = None,
    tags: TagMaker = (),
    exclude: Iterable[str] = (),
    type: type[Any] | None = None,
    **policy: Unpack[LoadPolicy],
) -> CachedDecorator:
    """Keep the results of a function or method, each for `ttl`; see `Cached` for what the function gains.

    `provider` is a `Provider`, or a function that gives one and is called when the cached function first is; after the
    provider is closed it is called again.

    `key` is a template such as ``"user:{user_id}"`` or ``"order:{order.id}:{lang}"`` over the parameters, or a function
    that is called as the cached function is and gives the key. A template says all that makes a result differ: what it
    does not name has no part in the key, and values with the same text share a key. Without `key` it is made of the
    function's module and qualified name and of all arguments but those named in `exclude`; calls have the same key if
    and only if their arguments have the same types and values, however they are spelled. Arguments may be None, bool,
    numbers, str, bytes, dates and times, UUIDs, paths, enum members, classes, frozen dataclasses, objects with a method
    ``__cache_key__``, and tuples, lists, dicts, sets and named tuples of all these.

    An annotation ``Annotated[User, KeyBy(lambda user: user.id)]`` says what stands for an argument in the key.

    `tags` are templates, too, or a function that gives the tags. With `type`, results are given as that type, whatever
    the storage made of them; without it, what the storage keeps in parts is given as the type that the function
    declares, and what would not come back as that is not stored. The other options are those of `Provider.get_or_set`.

    A coroutine function runs on the event loop, any other in a thread; the cached function is a coroutine function in
    either case. ``self`` and ``cls`` are arguments like any other: their class has a ``__cache_key__``, or they are
    excluded.

    Raises `InvalidArgumentError`, `InvalidTTLError` or `InvalidTagError` at once for whatever is wrong by itself, such
    as a name that is no parameter.
    """
    return decorator(order(provider, ttl, key=key, tags=tags, exclude=exclude, type=type, policy=policy))


def decorator(ordered: Order) -> CachedDecorator:
    """Give what makes a cached function of a function, as it was ordered."""

    def decorate(function: object) -> Cached[..., Any, Any]:
        plan = Plan(ordered, function)
        return Cached[..., Any, Any].of(plan, _compiled(plan))

    return cast("CachedDecorator", decorate)


def _options(plan: Plan, values: Values) -> dict[str, Any]:
    return {**plan.order.policy, "tags": plan.tags(values), "type": plan.type}


def _compiled(plan: Plan) -> Callable[..., Any]:
    """Generate the function that answers calls: for a hit it needs nobody but the provider."""

    async def load(key: str, values: Values) -> object:
        provider = plan.target.get()
        return await provider.get_or_set(key, plan.loader(values), plan.order.ttl, **_options(plan, values))

    p, values = plan.signature.private, plan.signature.values_source
    easily, objects = plan.key.code()
    known: dict[str, object] = {"make": plan.key.make, "target": plan.target, "MISSING": MISSING, "load": load}
    kind = plan.order.type
    known |= {"convert": convert, "kind": kind}
    typed = "" if kind is None else f" if {p}value.__class__ is {p}kind else {p}convert({p}value, {p}kind)"
    policy, ahead = plan.order.policy, ""
    if "refresh_ahead" in policy:
        known["ahead"], ahead = checked({**policy}, Freshness()).refresh_ahead, f", {p}ahead"
    at_once = f"""\
{p}value = {p}target.provider.lookup({p}key{ahead})
if {p}value is not {p}MISSING:
    return {p}value{typed}
"""
    # Chance is asked each time; whatever else a policy says, a fresh value is given.
    body = f"""\
try:
    {p}key = {easily}
except (AttributeError, ValueError):
    {p}key = None
if {p}key is None:
    {p}key = {p}make({values})
{"" if "early_beta" in policy else at_once}\
return await {p}load({p}key, {values})
"""
    return plan.compile(body, {**objects, **{p + name: each for name, each in known.items()}}, is_async=True)
