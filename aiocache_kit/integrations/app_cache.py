"""`AppCache`: a provider that lives as long as an application, and is named before it is there.

Modules are imported before an application runs, and decorators and dependencies are made while they are. An `AppCache`
is what they hold on to: it makes the provider when the application starts, gives it while that runs, and closes it
afterwards. So one program may start its application as often as it likes, as tests do, on whatever event loop.

Rule 1: nothing is opened, read or started before `AppCache.opened`.
Rule 2: one application at a time: two would close the provider over each other's heads.
Rule 3: nothing here knows a framework. What one of them has beyond this stands in the module that is named after it.
"""

import asyncio
import math
from collections.abc import AsyncGenerator, Callable, Collection, Generator, Iterable, Sequence
from contextlib import asynccontextmanager, contextmanager
from copy import copy
from inspect import isasyncgen, isawaitable, isgenerator
from types import FunctionType
from typing import TYPE_CHECKING, Any, ClassVar, Final, NoReturn, Self, TypeAlias, Unpack, cast
from weakref import WeakSet

from aiocache_kit.config import Config
from aiocache_kit.decorators.declared import annotations
from aiocache_kit.decorators.one import CachedDecorator, decorator
from aiocache_kit.decorators.plan import KeyMaker, TagMaker, order
from aiocache_kit.errors import CacheError, InvalidArgumentError, ProviderClosedError
from aiocache_kit.factory import new_provider
from aiocache_kit.integrations.rate_limits.later import LaterLimiter
from aiocache_kit.keys import check_key, namespace_prefix
from aiocache_kit.management.expiration import TTL
from aiocache_kit.management.rate_limit import OnUnavailable
from aiocache_kit.provider import Provider, RateLimiter
from aiocache_kit.provider.loading import LoadPolicy
from aiocache_kit.provider.rate_limiter import MOST_KEYS
from aiocache_kit.sentinels import DEFAULT, DefaultType
from aiocache_kit.serializers.kinds import classes

Source: TypeAlias = Config | str | Callable[[], Provider] | None
"""A `Config`, a URL, None for the defaults of `Config`, or a function that makes a provider that was never used."""


class _Life:
    """What an `AppCache` and its namespaces share: what to make, and what was made."""

    __slots__ = ("decorated", "drain", "limiters", "name", "provider", "source")

    def __init__(self, source: Config | Callable[[], Provider], name: str, drain: float) -> None:
        self.source = source
        self.name: Final = name
        self.drain: Final = drain
        self.provider: Provider | None = None
        self.decorated: Final[WeakSet[FunctionType]] = WeakSet()
        """The functions that were decorated, as they were before."""
        self.limiters: Final[list[LaterLimiter]] = []

    def make(self) -> Provider:
        if isinstance(self.source, Config):
            return new_provider(self.source)
        made: object = cast("Callable[[], object]", self.source)()
        if not isinstance(made, Provider) or made.closed:
            what = "a closed one" if isinstance(made, Provider) else f"an object of class {type(made).__qualname__}"
            raise InvalidArgumentError(f"what the cache {self.name!r} is made by must give a new Provider, not {what}")
        return made


class AppCache:
    """A provider that lives as long as an application; see above.

    Its methods may be called at any time but `provider`, and whatever needs one: they raise `ProviderClosedError` while
    no application runs that opens it.
    """

    responses: ClassVar[tuple[type, ...]] = ()
    """Classes whose instances a framework sends once, so that no second request could be given them."""
    how_to_open: ClassVar[str] = "`async with cache.opened():` round it"
    """What makes an application open its cache, as an error has it."""

    def __init__(self, source: Source = None, *, name: str = "cache", drain: float = 5.0) -> None:
        """Make the provider of `source` each time that the application starts.

        `name` tells this cache from others of the application, in its state and in reports of its health. `drain` is
        how many seconds loads in the background are given to end by themselves when the application ends; 0: none.
        Raises `ConfigError` and `InvalidArgumentError` for what is wrong, at once.
        """
        self._life = _Life(_checked(source), _checked_name(name), _checked_seconds(drain))
        self._path: tuple[str, ...] = ()
        self._view: tuple[Provider, Provider] | None = None
        """The provider that was there last, and the namespace of it, which is held so that it goes on counting."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}, {'not ' if self._life.provider is None else ''}open>"

    if not TYPE_CHECKING:  # which would believe in every attribute then

        def __getattr__(self, name: str) -> NoReturn:
            """Tell who takes it for a provider where that is."""
            hint = f": ask its provider, as in cache.provider().{name}" if hasattr(Provider, name) else ""
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}{hint}")

    @property
    def name(self) -> str:
        """The name that it was given; that of a namespace is the cache's own."""
        return self._life.name

    @property
    def source(self) -> Config | Callable[[], Provider]:
        """What the provider is made of when the application starts."""
        return self._life.source

    @property
    def namespaces(self) -> tuple[str, ...]:
        """The names of the namespaces that lead to this one, the outer ones first; none for the whole cache."""
        return self._path

    def provider(self) -> Provider:
        """Give the provider of the application that runs; `ProviderClosedError` where none does."""
        provider = self._life.provider
        if provider is None:
            raise ProviderClosedError(
                f"the cache {self.name!r} is not open: its application has to run, with {self.how_to_open}"
            )
        if not self._path:
            return provider
        if self._view is None or self._view[0] is not provider:
            view = provider
            for name in self._path:
                view = view.namespace(name)
            self._view = (provider, view)
        return self._view[1]

    async def __call__(self) -> Provider:
        """Do the same as `provider`, as a dependency that is awaited."""
        return self.provider()

    def namespace(self, name: str) -> Self:
        """Give an `AppCache` for a namespace of the provider; it is opened and closed with this one.

        Raises `InvalidArgumentError` unless `name` is a non-empty `str`.
        """
        namespace_prefix("", name)  # raises
        view = copy(self)
        view._path, view._view = (*self._path, name), None  # noqa: SLF001  - of the same class
        return view

    def rate_limiter(
        self,
        name: str,
        rate: int,
        *,
        per: TTL = 1.0,
        burst: int | None = None,
        max_keys: int = MOST_KEYS,
        on_unavailable: OnUnavailable = "local",
    ) -> LaterLimiter:
        """Give what `Provider.rate_limiter` will, for a middleware that is made before the application starts.

        It is called for the `RateLimiter` itself, while the application runs. Raises `InvalidTTLError` and
        `InvalidArgumentError` at once for what is wrong; a storage that cannot count is told when the application
        starts (`UnsupportedError`).
        """
        RateLimiter(rate, per=per, burst=burst, max_keys=max_keys, on_unavailable=on_unavailable)  # raises
        check_key(name)

        def make(provider: Provider) -> RateLimiter:
            return provider.rate_limiter(
                name, rate, per=per, burst=burst, max_keys=max_keys, on_unavailable=on_unavailable
            )

        limiter = LaterLimiter(self.provider, make)
        self._life.limiters.append(limiter)
        return limiter

    async def is_ready(self, timeout: float = 1.0) -> bool:
        """Whether the application runs and the storage gives a sign of life within `timeout` seconds."""
        try:
            async with asyncio.timeout(timeout):
                await self.provider().ping()
        except (CacheError, TimeoutError):
            return False
        return True

    @asynccontextmanager
    async def opened(self) -> AsyncGenerator[Provider]:
        """Make the provider and open it; at the end of the block close it, with `drain` seconds for the background.

        Raises `InvalidArgumentError` where it is open already, and what making and opening a provider raises.
        """
        life = self._life
        if life.provider is not None:
            raise InvalidArgumentError(
                f"the cache {self.name!r} is open already: an AppCache serves one application at a time"
            )
        life.provider = made = life.make()
        try:
            async with made:
                try:
                    for limiter in life.limiters:
                        limiter()
                    yield self.provider()
                finally:
                    await made.close(life.drain)
        finally:
            life.provider = None

    @contextmanager
    def replaced(self, source: Source) -> Generator[None]:
        """Have the applications that start within the block use another source: for tests.

        Decorated functions follow, which a framework's overriding of dependencies would not reach.
        """
        life = self._life
        before, life.source = life.source, _checked(source)
        try:
            yield
        finally:
            life.source = before

    def cached(
        self,
        ttl: TTL | DefaultType = DEFAULT,
        *,
        key: KeyMaker = None,
        tags: TagMaker = (),
        exclude: Iterable[str] = (),
        type: type[Any] | None = None,
        **policy: Unpack[LoadPolicy],
    ) -> CachedDecorator:
        """Keep the results of a function or method in this cache, as `aiocache_kit.cached` does.

        What a framework sends once, and iterators, are refused: by `InvalidArgumentError` when the function is
        decorated where its annotation says so, and from the call otherwise. Where the configuration does not say which
        errors mean that the source fails (`stale_on`), those that are answers to the client do not.
        """
        if callable(ttl):
            raise InvalidArgumentError("cached takes what it is to do before the function: write @cache.cached()")
        if "stale_on" not in policy and self._may_say_what_fails():
            policy["stale_on"] = self.is_failure
        ordered = order(
            self.provider, ttl, key=key, tags=tags, exclude=exclude, type=type, policy=policy, accept=self._accept
        )
        decorate = decorator(ordered)

        def decorated(function: Any) -> Any:  # noqa: ANN401  - typed by CachedDecorator
            made = decorate(function)
            self.check_result(made.original, annotations(made.original).get("return"))
            self._note(made.original)
            return made

        return cast("CachedDecorator", decorated)

    def is_failure(self, error: Exception) -> bool:
        """Whether an error of a cached function means that its source fails; True unless a framework knows better."""
        del error
        return True

    @classmethod
    def check_result(cls, function: Callable[..., Any], annotation: object) -> None:
        """Raise `InvalidArgumentError` where a function declares to give what cannot be given twice."""
        try:
            sent = [kind for kind in classes(annotation) if issubclass(kind, cls.responses)]
        except NameError:  # a name within it that is not known yet
            return
        if sent:
            raise InvalidArgumentError(f"{function.__module__}:{function.__qualname__} {_gives(sent[0])}")

    def _accept(self, result: object) -> None:
        if isinstance(result, self.responses):
            raise InvalidArgumentError(f"a cached function {_gives(type(result))}")
        if isgenerator(result) or isasyncgen(result) or isawaitable(result):
            raise InvalidArgumentError(
                f"a cached function gives an object of class {type(result).__name__}, which can be used only once:"
                " give a list, or whatever it makes"
            )

    def _note(self, function: object) -> None:
        """Remember a function that is decorated."""
        if isinstance(function, FunctionType):
            self._life.decorated.add(function)

    def _is_passed_by(self, endpoint: object, kept: Collection[object]) -> bool:
        """Whether an endpoint is a function that was decorated, of which only the cached form should be one.

        `kept` are the functions whose cached form is an endpoint, too: then somebody wants both.
        """
        return isinstance(endpoint, FunctionType) and endpoint in self._life.decorated and endpoint not in kept

    def _may_say_what_fails(self) -> bool:
        source = self._life.source
        return not isinstance(source, Config) or source.load_config.stale_on is Exception


WRONG_ORDER: Final = (
    "is called as it was before it was cached, so nothing is kept: write the decorator of the route above that of the"
    " cache"
)


def _gives(kind: type) -> str:
    return (
        f"gives a {kind.__name__}, which is sent once and cannot be kept: give the data that it is made of, or keep"
        " whole responses with the response cache"
    )


def _checked(source: object) -> Config | Callable[[], Provider]:
    if source is None:
        return Config()
    if isinstance(source, str):
        return Config.from_url(source)
    if isinstance(source, Config):
        return source
    if callable(source):
        return cast("Callable[[], Provider]", source)
    raise InvalidArgumentError(
        "source must be a Config, a URL, None, or a function that makes a Provider, because each start of the"
        f" application needs a new one, not an object of class {type(source).__qualname__}"
    )


def _checked_name(name: object) -> str:
    if not isinstance(name, str) or not name.isidentifier():
        raise InvalidArgumentError("name must be a name as Python has them, such as 'cache'")
    return name


def _checked_seconds(drain: object) -> float:
    if isinstance(drain, bool) or not isinstance(drain, int | float) or not 0 <= drain < math.inf:
        raise InvalidArgumentError("drain must be a number of seconds from 0 up")
    return drain


async def health(caches: Sequence[AppCache], timeout: float) -> tuple[bool, dict[str, str]]:
    """Ask all `caches` at once: whether each is ready, and ``ok`` or ``unavailable`` by name."""
    answers = await asyncio.gather(*[cache.is_ready(timeout) for cache in caches])
    named = zip(caches, answers, strict=True)
    return all(answers), {cache.name: "ok" if is_ready else "unavailable" for cache, is_ready in named}
