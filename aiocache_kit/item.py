"""What is stored under a key, with its dates.

Rule: an `Item` is a value that travels: between a provider and its storage, and to users by `Provider.get_item`.
Nobody changes one; storages keep items in whatever form suits them.
"""

from dataclasses import FrozenInstanceError, dataclass, field
from typing import Generic, NamedTuple, NoReturn, TypeVar

T_co = TypeVar("T_co", covariant=True)
C = TypeVar("C", bound=type)


class Validators(NamedTuple):
    """What the source of a value calls this state of it, so that it can be asked for another one; one is given."""

    etag: str | None = None
    last_modified: str | None = None


def _refuses_changes(kind: C) -> C:
    """Let a class that is frozen raise `FrozenInstanceError` for each attribute, and not for its fields alone.

    With slots Python makes the class anew and its `__setattr__` still asks the old one, which is a `TypeError` for
    every other name. ``Item[str](...)`` sets such a name, and expects an `AttributeError` where it cannot.
    """

    def refuse(self: object, name: str, value: object = None) -> NoReturn:
        del self, value
        raise FrozenInstanceError(f"{kind.__name__} is frozen: {name} cannot be changed")

    for method in ("__setattr__", "__delattr__"):
        setattr(kind, method, refuse)
    return kind


@_refuses_changes
@dataclass(frozen=True, slots=True, kw_only=True)
class Item(Generic[T_co]):
    """A stored value and what is known of it. Instants are seconds since the epoch (UTC), durations are seconds."""

    key: str
    value: T_co = field(repr=False)
    ttl: float | None = None
    """How long the item lives from the moment it is written, `created_at`; None: for ever.

    After a `touch` some storages count it from that moment: whoever asks for the end looks at `expiration`.
    """
    expiration: float | None = None
    """When it stops being fresh; None: never. Storages count from `ttl`, this is for people and other processes."""
    tags: tuple[str, ...] = ()
    cost: int | None = None
    """What it counts against a bound in bytes, where the caller said so; None: the storage estimates."""
    version: int = 0
    """Changes with every write and only grows, within one storage; 0: not stored yet."""
    created_at: float = 0.0
    stale_until: float | None = None
    """Until when a value that is no longer fresh is kept as a fall-back; None: as long as `expiration` says."""
    is_stale: bool = False
    """Whether it was past its `expiration`, or told to expire, when it was read."""
    validators: Validators | None = field(default=None, repr=False)
    """What its loader said of the state of its source; None: nothing, as of nearly all items."""

    @property
    def etag(self) -> str | None:
        """What the source calls the state of the value (`LoadContext.etag`); None: the loader did not say."""
        return None if self.validators is None else self.validators.etag

    @property
    def last_modified(self) -> str | None:
        """When the source last changed the value, in the source's words; None: the loader did not say."""
        return None if self.validators is None else self.validators.last_modified

    def __repr__(self) -> str:
        """Tell the state, without key and value: a `repr` ends up in logs."""
        state = "stale" if self.is_stale else "fresh"
        return f"<Item {state}, ttl={self.ttl}, version={self.version}, {len(self.tags)} tags>"
