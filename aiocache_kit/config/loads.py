"""The part of a configuration that concerns loads: how values are served, and when their source is asked again.

Rule: its fields are the options of a load, and mean the same; a call that says otherwise of one counts. The bounds at
the end are of the provider as a whole.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from aiocache_kit.config import kinds
from aiocache_kit.config.rules import Part, Rule
from aiocache_kit.management.expiration import TTL
from aiocache_kit.management.freshness import Failing, FreshnessOptions

_FOR_EVER = "for ever"
_AS_LONG_AS_IT_TAKES = "for as long as it takes"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadConfig(Part):
    """What holds for `get_or_set`, `get_or_set_multi` and the decorators where they do not say.

    Durations are seconds as int or float, a `timedelta`, text such as ``"1h30m"``, or 0; once built they are floats.
    """

    where: ClassVar[str] = "load_config."
    schema: ClassVar[Mapping[str, Rule]] = {
        "jitter": kinds.share("jitter", "a number from 0 up and below 1"),
        "stale_while_revalidate": kinds.lasting("stale_while_revalidate", none=_FOR_EVER),
        "stale_if_error": kinds.lasting("stale_if_error", none=_FOR_EVER),
        "stale_on": kinds.policy(
            "stale_on", "an exception class, a tuple of them, or a function of an exception", read=None
        ),
        "throttle": kinds.lasting("throttle", none=_FOR_EVER),
        "refresh_ahead": kinds.share("refresh_ahead", "a number above 0 and below 1", none="for never"),
        "early_beta": kinds.share("early_beta", "a number from 0 up"),
        "timeout": kinds.lasting("timeout", none=_AS_LONG_AS_IT_TAKES),
        "stale_timeout": kinds.lasting("stale_timeout", none=_AS_LONG_AS_IT_TAKES),
        "negative_ttl": kinds.lasting("negative_ttl", none=_FOR_EVER),
        "cache_none": kinds.flag(),
        "max_loads": kinds.whole(1, none="for any number"),
        "max_waiting_loads": kinds.whole(0),
    }

    jitter: float = 0.0
    """The share of the ttl by which it is shortened at random, so that not all items end at once."""
    stale_while_revalidate: TTL = 0.0
    """Seconds beyond the ttl in which an old value is given at once, and loaded anew in the background."""
    stale_if_error: TTL = 0.0
    """Seconds beyond the ttl in which an old value is given where its loader fails; None: for ever."""
    stale_on: Failing = Exception
    """Which errors mean that the source fails."""
    throttle: TTL = 30.0
    """Seconds for which a source that failed is not asked again while there is an old value to give."""
    refresh_ahead: float | None = None
    """The share of the ttl after which a hit starts a load in the background; None: never."""
    early_beta: float = 0.0
    """How eagerly to load ahead, by chance and by how long loads take; 1 is usual, 0: not at all."""
    timeout: TTL = None
    """Seconds after which a load is ended; None: never."""
    stale_timeout: TTL = None
    """Seconds that callers wait for a load who could have an old value; None: for as long as it takes."""
    negative_ttl: TTL = 0.0
    """Seconds for which an error of a loader is remembered and raised again; 0: not at all."""
    cache_none: bool = True
    """Whether None is stored like any other value."""
    max_loads: int | None = None
    """Loads under way at a time, those in the background included; None: any number."""
    max_waiting_loads: int = 1000
    """Loads that wait for others to end, beyond which `OverloadedError` is raised, or an old value given."""

    def options(self) -> FreshnessOptions:
        """Give the fields as the options of a call, by their names; without the bounds, which no call has."""
        return {
            "jitter": self.jitter,
            "stale_while_revalidate": self.stale_while_revalidate,
            "stale_if_error": self.stale_if_error,
            "stale_on": self.stale_on,
            "throttle": self.throttle,
            "refresh_ahead": self.refresh_ahead,
            "early_beta": self.early_beta,
            "timeout": self.timeout,
            "stale_timeout": self.stale_timeout,
            "negative_ttl": self.negative_ttl,
            "cache_none": self.cache_none,
        }
