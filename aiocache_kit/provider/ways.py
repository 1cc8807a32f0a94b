"""Which closures stand in for methods of a provider, or of a namespace, while it is open.

Rule 1: a closure means what the method means whose place it takes, and hands on to it what it does not do itself.
Rule 2: what the configured policy has a say in, or a listener is told of by the method alone, is left to the method.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from types import FunctionType
from typing import Any, Final, NamedTuple, TypeAlias

from aiocache_kit.event_kinds import READS, EventKind
from aiocache_kit.management.statistics import Recorder
from aiocache_kit.provider.core import Core
from aiocache_kit.provider.hot_path import HotPath, Setting, Tellers
from aiocache_kit.provider.names import Names
from aiocache_kit.provider.near_path import NearPath
from aiocache_kit.provider.short_path import Methods, ShortPath
from aiocache_kit.provider.watched_path import MAY_FAIL, TELLING_READS, Told
from aiocache_kit.storage.tables import TableStorage

Closures: TypeAlias = HotPath | NearPath | ShortPath
Method: TypeAlias = Callable[..., Awaitable[Any]]
REPLACED: Final = {*HotPath.replaced, *NearPath.replaced, *ShortPath.replaced, *TELLING_READS, *MAY_FAIL}
"""The methods that something else may stand in for, object by object."""


class Plain(NamedTuple):
    """What the methods of a provider do where no closure does it for them."""

    get: Method
    get_multi: Method
    get_or_set: Method
    answer: Method
    """`get_or_set` where a closure does not answer."""
    load: Method
    """`get_or_set` after a miss."""
    serve: Method
    """`get_or_set` by a policy, of an item that was read."""
    set: Method
    increment: Method
    delete: Method


def choose(
    core: Core, names: Names, recorder: Recorder, plain: Plain, *, is_view: bool
) -> tuple[Closures | None, dict[str, Method]]:
    """Give the closures that there are for the storage, and those of them that are to be used, by name.

    `is_view`: for a namespace.
    """
    closures = _made(core, names, recorder, plain, is_view=is_view)
    if closures is None:
        return None, {}
    return closures, {name: getattr(closures, name) for name in set(closures.replaced) - _left(core, closures)}


def tells(closures: Closures | None) -> tuple[str, ...]:
    """Give the reads that tell who listens by themselves."""
    return ("get",) if isinstance(closures, HotPath | NearPath) else ()


def name_as(closure: object, method: Any) -> None:  # noqa: ANN401  - as `getattr` gives it
    """Let messages name a closure as callers know it: a forgotten ``await``, a wrong keyword, and ``help``."""
    if isinstance(closure, FunctionType):
        closure.__qualname__, closure.__doc__ = method.__qualname__, method.__doc__


def _made(core: Core, names: Names, recorder: Recorder, plain: Plain, *, is_view: bool) -> Closures | None:
    told = Told(core, names)
    tellers = Tellers(told.hit, told.miss, core.hub.sample, core.random) if core.hub.hears(*READS) else None
    setting = partial(_setting, core, names, recorder, plain, is_view=is_view)
    if core.tables is not None:
        return HotPath(setting(core.tables), tellers)
    if core.near is not None:
        near = setting(core.near)._replace(recorder=recorder.near())
        return NearPath(near if tellers is None else near._replace(get=told.get(near.get)), tellers)
    if core.shortcuts is not None:
        methods = Methods(get=plain.get, get_or_set=plain.get_or_set, load=plain.load, serve=plain.serve, set=plain.set)
        return ShortPath(core, core.shortcuts, names, recorder, methods)
    return None


def _setting(
    core: Core, names: Names, recorder: Recorder, plain: Plain, tables: TableStorage, *, is_view: bool
) -> Setting:
    return Setting(
        storage=tables,
        recorder=recorder,
        names=names,
        mind_marks=is_view or names.marked or tables.is_persistent,
        default_life=core.default_life,
        ahead=core.freshness.refresh_ahead,
        flights=core.flights.flights,
        failures=core.failures.by_key,
        check_open=core.check_open,
        get=plain.get,
        get_or_load=plain.get_or_set,
        get_or_set=plain.answer,
        set=plain.set,
        get_multi=plain.get_multi,
        increment=plain.increment,
        delete=plain.delete,
    )


def _left(core: Core, closures: Closures) -> set[str]:
    """Give the methods that no closure can stand in for, by rule 2."""
    policy, hub, left = core.freshness, core.hub, set[str]()
    if hub.hears(EventKind.REMOVAL):
        left.add("set")
    if hub.hears(*READS) and isinstance(closures, ShortPath):
        left.add("get_or_set")
    if policy.stale_for:  # a value that is set can become an old one, too
        left.add("set")
    if policy.early_beta or (policy.keeps_old and core.tables is None):
        left |= {"get_or_set", "lookup"}
    return left
