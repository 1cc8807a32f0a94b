"""Tables that tell of what they let go, while somebody wants to know.

A table is watched by giving it another class: its own with the methods below in front. So a table that nobody watches
pays nothing, not even for a look at whether somebody does.

Rule: telling comes after the deed, and costs an entry in a queue.
"""

from typing import TYPE_CHECKING, Any, Final, cast

from aiocache_kit.event_kinds import RemovalCause
from aiocache_kit.management.eviction.policy import NIL
from aiocache_kit.storage.observer import Observer
from aiocache_kit.storage.table import Table

if TYPE_CHECKING:
    _Base = Table
else:
    _Base = object


def watch(table: Table, observer: Observer) -> None:
    """Tell `observer` from now on, if it wants to know, and nobody else any more."""
    kind = type(table)
    own = cast("type[Table]", kind.__bases__[1]) if issubclass(kind, _Watched) else kind
    wanted = observer.on_removal is not None
    table.watcher = _Watcher(table, observer) if wanted else None
    table.__class__ = _watched(own) if wanted else own


class _Watcher:
    """Whom a table tells, and what it had counted when it last did: a count that has grown since is the cause."""

    __slots__ = ("cause", "evictions", "expired", "observer")

    def __init__(self, table: Table, observer: Observer) -> None:
        self.observer: Final = observer
        self.evictions = table.evictions
        self.expired = table.expired
        self.cause = RemovalCause.DELETED
        """What it is where nothing was counted."""

    def released(self, table: Table, key: str) -> None:
        """Tell why `key` has gone."""
        cause = self.cause
        if table.evictions != self.evictions:
            cause = RemovalCause.EVICTED
        elif table.expired != self.expired:
            cause = RemovalCause.EXPIRED
        self.evictions, self.expired = table.evictions, table.expired
        self.observer.removed(key, cause)


class _Watched(_Base):
    """What stands in front of a table's own methods."""

    __slots__ = ()

    def put(self, key: str, value: object, life: float, now: float, **facts: Any) -> None:  # noqa: ANN401  - as they come
        replaces = self.live_slot(key, now) != NIL
        super().put(key, value, life, now, **facts)
        if replaces:
            _watcher(self).observer.removed(key, RemovalCause.REPLACED)

    def drop(self, key: str, now: float) -> bool:
        watcher = _watcher(self)
        cause, slot = watcher.cause, self.index.get(key, NIL)
        if cause is RemovalCause.DELETED and slot != NIL and not self.is_live(slot, now):
            watcher.cause = RemovalCause.EXPIRED
        try:
            return super().drop(key, now)
        finally:
            watcher.cause = cause

    def reap(self, slot: int, now: float) -> None:
        watcher = _watcher(self)
        watcher.cause = RemovalCause.INVALIDATED
        try:
            super().reap(slot, now)
        finally:
            watcher.cause = RemovalCause.DELETED

    def _release(self, slot: int) -> None:
        key = self.columns.keys[slot]
        super()._release(slot)
        _watcher(self).released(self, key)


def _watcher(table: Table) -> _Watcher:
    return cast("_Watcher", table.watcher)


_classes: Final[dict[type[Table], type[Table]]] = {}


def _watched(kind: type[Table]) -> type[Table]:
    """Make the watched class of a class of tables. It has no attribute more, or no table could change to it."""
    if kind not in _classes:
        _classes[kind] = type(f"Watched{kind.__name__}", (_Watched, kind), {"__slots__": ()})
    return _classes[kind]
