"""A rate limit that is named before there is anything to count it by.

Middlewares are put in front of an application before it starts, and the provider by which its limits are shared is made
when it does. A `LaterLimiter` stands for the `RateLimiter` meanwhile.

Rule: there is one limiter for each provider. What it counts by itself, in memory or while Redis is away, would begin
anew with a second one, and hold nobody up.
"""

from collections.abc import Callable
from typing import final

from aiocache_kit.provider import Provider, RateLimiter


@final
class LaterLimiter:
    """The `RateLimiter` of an application while that runs; made by `AppCache.rate_limiter`."""

    __slots__ = ("_made", "_make", "_provider")

    def __init__(self, provider: Callable[[], Provider], make: Callable[[Provider], RateLimiter]) -> None:
        """Have `make` make it of what `provider` gives, once for each."""
        self._provider = provider
        self._make = make
        self._made: tuple[Provider, RateLimiter] | None = None

    def __call__(self) -> RateLimiter:
        """Give it; raises `ProviderClosedError` while no application runs, and what making it raises."""
        provider = self._provider()
        if self._made is None or self._made[0] is not provider:
            self._made = (provider, self._make(provider))
        return self._made[1]
