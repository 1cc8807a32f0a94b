"""Methods that tell what they did: in front of a provider's own, or of its closures, while somebody listens to that.

Rule 1: they give and raise just what the method behind them does.
Rule 2: hits of `lookup` and `get_or_set` in tables are told by the look-up itself (`hot_path.telling`), whatever else
`get_or_set` does by what answers it; here are the others, which can be told by what they give.
"""

import weakref
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping
from functools import wraps
from typing import Any, Final

from aiocache_kit.errors import NotFoundError, PartialFailureError, SerializationError, StorageError
from aiocache_kit.event_kinds import READS, EventKind
from aiocache_kit.keys import MARK
from aiocache_kit.provider.core import Core
from aiocache_kit.provider.names import Names
from aiocache_kit.sentinels import MISSING

Method = Callable[..., Awaitable[Any]]
_HIT: Final = EventKind.HIT
_MISS: Final = EventKind.MISS
TELLING_READS: Final = ("get", "get_item", "get_multi", "pop")
MAY_FAIL: Final = (
    *("get", "get_item", "get_multi", "get_or_set", "get_or_set_multi", "refresh", "refresh_multi", "exists", "ping"),
    *("set", "set_multi", "add", "replace", "compare_and_set", "update", "touch", "expire", "increment"),
    *("delete", "delete_multi", "pop", "clear", "invalidate_tags", "invalidate_prefix"),
)


def watched(
    core: Core, names: Names, method: Callable[[str], Method], *, besides: Collection[str] = ()
) -> dict[str, Method]:
    """Make what is to stand in front of the methods that `method` gives by name, by the kinds that are listened to.

    `besides` are those that tell of reads by themselves.
    """
    found: dict[str, Method] = {}
    if core.hub.hears(*READS):
        told = Told(core, names)
        makers = (told.get, told.get_item, told.get_multi, told.pop)
        makers_by_name = zip(TELLING_READS, makers, strict=True)
        found = {name: make(method(name)) for name, make in makers_by_name if name not in besides}
    if core.hub.hears(EventKind.FAILURE) and core.tables is None:
        tell = _teller_of_failures(core)
        found |= {name: tell(name, found[name] if name in found else method(name)) for name in MAY_FAIL}
    return found


class Told:
    """Makes the methods that tell of reads."""

    def __init__(self, core: Core, names: Names) -> None:
        self._tell = core.hub.tell
        self._stored = names.key
        self._prefix = names.prefix

    def hit(self, key: str, stands_for: int = 1) -> None:
        """Tell of a hit, which stands for so many."""
        full = self._prefix + key if key[0] != MARK else self._stored(key)
        self._tell(_HIT, full, stands_for=stands_for)

    def miss(self, key: str) -> None:
        """Tell of a miss."""
        self._tell(_MISS, self._stored(key))

    def get(self, own: Method) -> Method:
        """Make the `get` that tells of `own`."""
        hit, miss = self.hit, self.miss

        async def get(key: str, default: object = None, *, type: Any = None) -> object:  # noqa: ANN401  - see Provider.get
            value = await own(key, MISSING, type=type)
            if value is MISSING:
                miss(key)
                return default
            hit(key)
            return value

        return get

    def get_item(self, own: Method) -> Method:
        """Make the `get_item` that tells of `own`."""

        async def get_item(key: str, *, type: Any = None) -> object:  # noqa: ANN401  - see Provider.get_item
            try:
                item = await own(key, type=type)
            except NotFoundError:
                self.miss(key)
                raise
            self.hit(key)
            return item

        return get_item

    def pop(self, own: Method) -> Method:
        """Make the `pop` that tells of `own`."""

        async def pop(key: str, default: object = None) -> object:
            value = await own(key, MISSING)
            if value is MISSING:
                self.miss(key)
                return default
            self.hit(key)
            return value

        return pop

    def get_multi(self, own: Method) -> Method:
        """Make the `get_multi` that tells of `own`."""

        async def get_multi(keys: Iterable[str], *, type: Any = None) -> object:  # noqa: ANN401  - see Provider.get_multi
            if isinstance(keys, Iterator):  # it can be gone over only once
                keys = list(keys)
            try:
                found = await own(keys, type=type)
            except PartialFailureError as error:
                self._many(keys, error.found, set(error.failed))
                raise
            self._many(keys, found, set())
            return found

        return get_multi

    def _many(self, keys: Iterable[str], found: Mapping[str, object], failed: Collection[str]) -> None:
        for key in dict.fromkeys(keys):
            if key in found:
                self.hit(key)
            elif key not in failed:
                self.miss(key)


def _teller_of_failures(core: Core) -> Callable[[str, Method], Method]:
    """Make what puts itself in front of a method, and tells of each error of the storage once."""
    last: Callable[[], BaseException | None] = _nobody

    def tell(name: str, own: Method) -> Method:
        @wraps(own)
        async def told(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401  - as the method
            nonlocal last
            try:
                return await own(*args, **kwargs)
            except (StorageError, SerializationError) as error:
                if last() is not error:  # one method may call another
                    last = weakref.ref(error)
                    core.hub.fail(name, error)
                raise

        return told

    return tell


def _nobody() -> None:
    return None
