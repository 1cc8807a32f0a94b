"""The part of a configuration that limits how often a provider is called."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Final

from aiocache_kit.config import kinds
from aiocache_kit.config.parts import Seconds
from aiocache_kit.config.rules import Part, Rule
from aiocache_kit.errors import ConfigError, InvalidArgumentError
from aiocache_kit.management.rate_limit import OnUnavailable, rate_of

_MOST: Final = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimitConfig(Part):
    """So many calls in a time, for all who use the provider together, in all processes that share its storage."""

    where: ClassVar[str] = "rate_limit."
    schema: ClassVar[Mapping[str, Rule]] = {
        "rate": kinds.whole(1, _MOST),
        "per": kinds.seconds(),
        "burst": kinds.whole(1, _MOST, none="for as many as rate"),
        "on_unavailable": kinds.choice("local", "allow", "raise"),
    }

    rate: int = 100
    """How many calls in the time `per`."""
    per: Seconds = 1.0
    """That time."""
    burst: int | None = None
    """How many of them may come at once; None: as many as `rate`."""
    on_unavailable: OnUnavailable = "local"
    """While the shared storage is away: ``local`` (each process by itself), ``allow`` everybody or ``raise``."""

    def _agree(self) -> None:
        try:
            rate_of(self.rate, self.per, self.burst)
        except InvalidArgumentError as error:
            raise ConfigError("rate_limit.rate", f"does not go with per and burst: {error}") from None
