"""`Layer`, what users name: one storage of a hierarchy."""

from dataclasses import dataclass
from typing import Final

from aiocache_kit.errors import InvalidArgumentError
from aiocache_kit.management.expiration import TTL, life_of

NEAR_TTL: Final = 30.0


@dataclass(frozen=True, slots=True)
class Layer:
    """One place of a hierarchy: a storage that nobody else uses, under a name.

    Raises `InvalidTTLError` for a ttl that is none, and `InvalidArgumentError` for an empty name.
    """

    source: object
    """A `Storage`; to `new_layered`, also a `Config` or a URL."""
    name: str | None = None
    """What statistics call it; None: what the storage is called."""
    ttl: TTL = NEAR_TTL
    """Seconds, or any form of a ttl, that a copy stays here at most, whatever the item's own ttl; None: no bound.

    Not for the lowest layer.
    """

    def __post_init__(self) -> None:
        life_of(self.ttl)
        if self.name is not None and not self.name:
            raise InvalidArgumentError(f"name of a layer must be a non-empty str or None, not {self.name!r:.40}")

    @property
    def life(self) -> float:
        """The ttl in seconds, infinity for no bound."""
        return life_of(self.ttl)
