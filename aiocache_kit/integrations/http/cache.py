"""`ResponseCache`: the responses of a web application, stored in a `Provider` as a shared cache does (RFC 9111).

Doors (ASGI, aiohttp) hand it requests and a way to call the application. A hit is one look-up and no task.

Rule: a request is answered from what is stored, or by another request's response that may be shared with it, or by the
application. Whatever fails about the cache, the application answers.
"""

from typing import Final

from aiocache_kit.clock import Clock, SystemClock
from aiocache_kit.errors import CacheError, InvalidArgumentError
from aiocache_kit.integrations.http import keys, stored, vary
from aiocache_kit.integrations.http import status as told_by
from aiocache_kit.integrations.http.asked import OVERRIDDEN, SAFE, Asked, Reader
from aiocache_kit.integrations.http.complaints import NOT_READ, Complaints
from aiocache_kit.integrations.http.exchange import Changing, Exchange, Reply, reply_of
from aiocache_kit.integrations.http.fields import Header, value
from aiocache_kit.integrations.http.forwarding import Forwarding, Origin
from aiocache_kit.integrations.http.options import ResponseCacheOptions
from aiocache_kit.integrations.http.reuse import Use, use_of
from aiocache_kit.integrations.http.shelf import ProviderSource, Shelf, is_for
from aiocache_kit.integrations.http.status import Told
from aiocache_kit.integrations.http.stored import UNREADABLE
from aiocache_kit.provider import Provider
from aiocache_kit.sentinels import MISSING

_STORED_METHODS: Final = frozenset({"GET", "HEAD"})
_NO_ERRORS: Final = range(200, 400)
_GATEWAY_TIMEOUT: Final = 504


class ResponseCache:
    """Stores the responses of one application in `provider`, and gives them where that is right.

    The provider, or the namespace of one, is for nothing else. A function that gives the provider, such as that of an
    `AppCache`, is called for each request. The provider is opened by the first request and is not closed here.
    """

    def __init__(
        self, provider: ProviderSource, options: ResponseCacheOptions | None = None, *, clock: Clock | None = None
    ) -> None:
        """Begin with the options given, or the default ones; `clock` is for tests.

        Raises `InvalidArgumentError` for what is no provider and gives none, and for options that are none.
        """
        self.options: Final = ResponseCacheOptions() if options is None else _checked(options)
        self.reader: Final = Reader(self.options)
        self._clock = clock or SystemClock()
        self._complaints = Complaints(self._clock)
        self._shelf = Shelf(provider, self.options.max_variants, self._complaints, self._clock)
        self._forwarding = Forwarding(self._shelf, self.options, self._clock, self._complaints)

    def __repr__(self) -> str:
        return f"<ResponseCache over {self._shelf!r}>"

    @property
    def provider(self) -> Provider:
        """Where the responses are."""
        return self._shelf.provider

    # --- what applications call --------------------------------------------------------------------------------------

    async def invalidate_tags(self, *tags: str) -> None:
        """Forget the responses that have one of `tags` (`Cache-Tag`), at once and for all who share the storage."""
        await self.provider.invalidate_tags(*tags)

    async def invalidate_url(self, url: str) -> bool:
        """Forget what is stored for one absolute address, and say whether anything was.

        Where a proxy adds `X-Forwarded-Host` and the like, use `invalidate_path`, which heeds no host. Raises
        `InvalidArgumentError` for what is no absolute address.
        """
        _check_text("url", url)
        key = keys.key_of_url(url, ordered=self.options.sort_query, ignored=self.options.ignored)
        if key is None:
            raise InvalidArgumentError(f"url must be absolute, such as https://example.org/articles/7, not {url!r:.80}")
        return await self.provider.delete(key)

    async def invalidate_path(self, path: str, *, below: bool = False) -> None:
        """Forget what is stored for a path, on any host and with any query; with `below` for all paths below, too.

        The path is what the application routes by, without codes such as `%20`. Goes over the keys of the storage, in
        slices; tags are the cheaper way where there are many. Raises `InvalidArgumentError` unless the path begins with
        a slash, and `UnsupportedError` where keys are hashed (`key_hash_secret`) and nobody can tell how they begin.
        """
        _check_text("path", path)
        try:
            own, lower = keys.below(path)
        except ValueError as error:
            raise InvalidArgumentError(f"path must begin with a slash, such as /articles, not {path!r:.80}") from error
        await self.provider.invalidate_prefix(own)
        if below:
            await self.provider.invalidate_prefix(lower)

    async def clear(self) -> None:
        """Forget all responses: whatever the provider, or the namespace, holds."""
        await self.provider.clear()

    async def close(self) -> None:
        """End what goes on behind the backs of readers; the provider stays open. Closing twice is fine."""
        await self._forwarding.close()

    # --- what doors call ---------------------------------------------------------------------------------------------

    def at_once(self, asked: Asked) -> Reply | None:
        """Give the reply to a request if it is stored, may be given and takes no waiting; None otherwise."""
        if asked.bypass is not None or asked.method not in _STORED_METHODS:
            return None
        try:
            found = self.provider.lookup(asked.key)
            response = stored.unpacked(found)
            if response is None:
                index = None if found is MISSING else vary.unpacked(found)
                if index is None:
                    return None
                found = self.provider.lookup(index.key_of(asked.key, index.variant_for(asked.headers)))
                response = stored.unpacked(found)
            if response is None or (asked.personal and not is_for(asked, response)):
                return None
            now = self._clock.time()
            if use_of(response, asked.control, now) is Use.GIVE:
                return reply_of(asked, response, now, self.options)
        except (CacheError, *UNREADABLE):
            pass  # the slow way finds out, and says so
        return None

    async def answer(self, asked: Asked, origin: Origin) -> Reply | None:
        """Give the reply to a request; None where `origin` has let the application's own response go out."""
        if asked.method not in SAFE or asked.bypass == OVERRIDDEN:
            told = Told(told_by.METHOD)
            await origin.call(Changing(self.options, told, lambda status, said: self._changed(asked, status, said)))
        elif asked.bypass is not None or asked.method not in _STORED_METHODS:
            told = Told(told_by.METHOD) if asked.bypass is None else Told(told_by.BYPASS, detail=asked.bypass)
            await origin.call(Exchange(self.options, told))
        else:
            return await self._answer(asked, origin)
        return None

    async def _answer(self, asked: Asked, origin: Origin) -> Reply | None:
        try:
            found = await self._shelf.find(asked)
            now = self._clock.time()
            use = Use.ASK if found.stored is None else use_of(found.stored, asked.control, now)
            if found.stored is not None and use is not Use.ASK:
                reply = reply_of(asked, found.stored, now, self.options)
                if use is Use.GIVE_AND_ASK:
                    self._forwarding.renew_behind(asked, origin, found)
                return reply
        except (CacheError, *UNREADABLE) as error:
            self._complaints.say(NOT_READ, error)
            if not isinstance(error, CacheError):
                await self._shelf.forget(asked.key)
            await origin.call(Exchange(self.options, Told(told_by.BYPASS, detail="storage")))
            return None
        if asked.control.only_if_cached:
            told = told_by.lines(self.options.cache_status, Told(told_by.REQUEST), x_cache=self.options.x_cache)
            return Reply(_GATEWAY_TIMEOUT, [(b"content-length", b"0"), *told], b"")
        return await self._forwarding.forward(asked, origin, found)

    async def _changed(self, asked: Asked, status: int, headers: list[Header]) -> None:
        """Forget what a request with an unsafe method has changed, unless it failed (4.4)."""
        if status not in _NO_ERRORS:
            return
        path, _, rest = asked.key.partition(" ")
        origin, *others = rest.split(" ")
        more = "".join(f" {each}" for each in others if not each.startswith(keys.REWRITTEN))
        changed = {asked.key}
        ordered, ignored = self.options.sort_query, self.options.ignored
        for name in (b"location", b"content-location"):
            said = value(headers, name)
            base = f"{origin}{path}"
            key = None if said is None else keys.key_of_url(said, base=base, ordered=ordered, ignored=ignored)
            if key is not None and key.partition(" ")[2] == origin:
                changed.add(f"{key}{more}")
        for key in changed:
            await self._shelf.forget(key)


def _checked(options: object) -> ResponseCacheOptions:
    if not isinstance(options, ResponseCacheOptions):
        given = type(options).__qualname__
        raise InvalidArgumentError(f"options must be ResponseCacheOptions(...), or None for the defaults, not {given}")
    return options


def _check_text(name: str, given: object) -> None:
    if not isinstance(given, str):
        raise InvalidArgumentError(f"{name} must be a str, not {type(given).__name__}")


def check_cache(cache: object) -> None:
    """Raise `InvalidArgumentError` where a middleware is given what is no `ResponseCache`."""
    if not isinstance(cache, ResponseCache):
        given = type(cache).__qualname__
        raise InvalidArgumentError(f"cache must be a ResponseCache, as in ResponseCache(cache.provider), not {given}")
