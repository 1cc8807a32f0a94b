"""Rate limits in Redis: a bucket a key, which is gone once it is full."""

from aiocache_kit.management.rate_limit import Rate, RateDecision, decision
from aiocache_kit.storage.agreements import SharedRates
from aiocache_kit.storage.redis.layout import Layout
from aiocache_kit.storage.redis.link import Channel
from aiocache_kit.storage.redis.scripts import TAKE_TOKENS


class RedisRates(SharedRates):
    """The rate limits of all who use one prefix of one Redis."""

    def __init__(self, channel: Channel, layout: Layout) -> None:
        """Keep them by `channel`."""
        self._channel = channel
        self._layout = layout

    async def take(self, name: str, rate: Rate, tokens: int, patience: int) -> RateDecision:
        """Take tokens from the bucket, by the server's clock."""
        given, remaining, wait, reset = await TAKE_TOKENS.run(
            self._channel,
            (self._layout.bucket(name),),
            *(rate.room, rate.token, rate.refill),
            *(tokens, min(patience, rate.longest_wait)),
        )
        return decision(rate, remaining, wait, reset, allowed=bool(given))
