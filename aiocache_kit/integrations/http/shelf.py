"""Where responses are in the provider: under the key of their address, or among the variants of it.

Rule 1: an index is changed in one atomic step, and only while it is the one that was found: if somebody has invalidated
the address meanwhile, what was made before is not found any more.
Rule 2: an index lives at least as long as each of its variants: whoever makes one, anew or again, sees to that.
Rule 3: whoever waits for a response is given one only if all that it varies by is part of what he waits for.
"""

import math
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from inspect import iscoroutinefunction
from typing import Final, TypeAlias, cast

from aiocache_kit.clock import Clock
from aiocache_kit.errors import CacheError, InvalidArgumentError, NotFoundError
from aiocache_kit.integrations.http import stored, vary
from aiocache_kit.integrations.http.asked import Asked
from aiocache_kit.integrations.http.complaints import NOT_REMOVED, NOT_STORED, Complaints
from aiocache_kit.integrations.http.fields import names, value
from aiocache_kit.integrations.http.stored import Stored
from aiocache_kit.integrations.http.storing import Plan, is_shared
from aiocache_kit.integrations.http.turn import NOTHING, Made, Turn
from aiocache_kit.management.expiration import ttl_of
from aiocache_kit.provider import Provider
from aiocache_kit.sentinels import MISSING

ProviderSource: TypeAlias = Provider | Callable[[], Provider]

_LONGER: Final = 86_400.0
"""Seconds that an index outlives what it is written for, so that it need not be written for each renewal of that."""


def _check(source: object) -> None:
    if isinstance(source, Provider):
        return
    if not callable(source) or iscoroutinefunction(source) or iscoroutinefunction(type(source).__call__):
        raise InvalidArgumentError(
            "provider must be a Provider, or a plain function that gives one, such as the method provider of an"
            f" AppCache, not an object of class {type(source).__qualname__}"
        )


@dataclass(frozen=True, slots=True)
class Found:
    """What there is for a request."""

    key: str
    """Under which a response to the request is, or will be."""
    index: vary.Index | None
    stored: Stored | None


class Shelf:
    """The responses in one provider."""

    __slots__ = ("_clock", "_complaints", "_most", "_provider", "_source")

    def __init__(self, source: ProviderSource, most: int, complaints: Complaints, clock: Clock) -> None:
        """Keep at most so many variants of one address in the provider, or in what a function gives as such."""
        _check(source)
        self._source = source
        self._provider = source if isinstance(source, Provider) else None
        self._most = most
        self._complaints = complaints
        self._clock = clock

    def __repr__(self) -> str:
        return repr(self._provider) if self._provider is not None else "a provider to come"

    @property
    def provider(self) -> Provider:
        """The provider; a function is asked each time, because an application that starts again has another one."""
        if self._provider is not None:
            return self._provider
        source = self._source
        return source if isinstance(source, Provider) else source()

    @property
    def leaves(self) -> bool:
        """Whether what is stored leaves this process."""
        return not self.provider.capabilities.by_reference

    async def find(self, asked: Asked) -> Found:
        """Look for the response to a request."""
        return await self._resolved(asked, await self.provider.get(asked.key, MISSING))

    async def _resolved(self, asked: Asked, value: object) -> Found:
        """Give the response for a request from what lies under the key of its address."""
        key, index = asked.key, vary.unpacked(value)
        if index is not None:
            key = index.key_of(key, index.variant_for(asked.headers))
            value = await self.provider.get(key, MISSING)
        return Found(key, index, _for(asked, value))

    async def shared(self, asked: Asked, found: Found, value: object) -> Found:
        """Give what another request has made under the key of `found`, as far as it is for this one as well."""
        if found.key == asked.key:
            return await self._resolved(asked, value)
        return replace(found, stored=_for(asked, value))

    async def met(self, asked: Asked, found: Found) -> tuple[list[object], Found] | None:
        """Look again, once it is this request's turn: another process may have had its turn before.

        Gives what lies under the key of `found` now, and what that is for the request; None for nothing.
        """
        provider = self.provider
        if not provider.capabilities.shared or not await provider.exists(found.key):
            return None
        value: object = await provider.get(found.key)
        if not isinstance(value, list):
            return None
        return cast("list[object]", value), await self.shared(asked, found, cast("object", value))

    async def end(self, asked: Asked, found: Found, turn: Turn | None, made: Stored, plan: Plan) -> None:
        """Hand a response to those who wait for `turn`, and to the storage."""
        if turn is None:
            return
        try:
            turn.end(await self._placed(asked, found, made, plan))
        except CacheError as error:
            if not isinstance(error, NotFoundError):  # which means: invalidated meanwhile
                self._complaints.say(NOT_STORED, error)
            known = () if found.index is None else found.index.names
            turn.end(Made(made.packed()) if set(plan.vary).issubset(known) else NOTHING)

    async def _placed(self, asked: Asked, found: Found, made: Stored, plan: Plan) -> Made:
        """Find the place of a response, and say what is to be stored under the key of `found`."""
        if found.index is None and not plan.vary:
            return Made(made.packed(), plan.keep, plan.tags)
        index = (found.index or vary.Index(secrets.token_hex(8), ())).widened(plan.vary)
        variant = index.variant_for(asked.headers)
        key = index.key_of(asked.key, variant)
        if found.index is None:
            await self.provider.set(key, made.packed(), plan.keep, tags=plan.tags)
            return Made(index.with_variant(variant, self._most)[0].packed(), plan.keep + _LONGER)
        for gone in await self._add(asked.key, index, variant, plan.keep):
            await self.provider.delete(index.key_of(asked.key, gone))
        if key == found.key:
            return Made(made.packed(), plan.keep, plan.tags)
        await self.provider.set(key, made.packed(), plan.keep, tags=plan.tags)
        return NOTHING

    async def _add(self, key: str, index: vary.Index, variant: str, keep: float) -> tuple[str, ...]:
        """Have a variant, which is kept for so long, in the index that is stored, and give those that had to go.

        Raises `NotFoundError` where the index is no longer there.
        """
        provider = self.provider
        while True:
            item = await provider.get_item(key)
            there = vary.unpacked(item.value)
            if there is None or there.identity != index.identity:
                raise NotFoundError(key)
            left = math.inf if item.expiration is None else item.expiration - self._clock.time()
            wider = there.widened(index.names)
            if variant in wider.variants and left >= keep:
                return ()
            wider, gone = wider.with_variant(variant, self._most)
            if await provider.compare_and_set(key, wider.packed(), item.version, ttl_of(max(left, keep + _LONGER))):
                return gone

    async def forget(self, key: str) -> None:
        """Remove what lies under a key."""
        try:
            await self.provider.delete(key)
        except CacheError as error:
            self._complaints.say(NOT_REMOVED, error)


def _for(asked: Asked, value: object) -> Stored | None:
    """Give the stored response, if it is one and is for who asks."""
    response = stored.unpacked(value)
    return response if response is not None and is_for(asked, response) else None


def is_for(asked: Asked, response: Stored) -> bool:
    """Whether a stored response may be given to who asks (3.5)."""
    if not asked.personal or response.flags & stored.FOR_ALL:
        return True
    varied = names(value(response.headers, b"vary") or "")
    return is_shared(asked.personal, flags=response.flags, vary=varied)
