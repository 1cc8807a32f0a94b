"""One call of the application: what goes in, and what is decided when its response begins, goes on and ends.

A door (ASGI, aiohttp) calls the application and asks an `Exchange` what to do with what comes. The exchange does no I/O
of its own; what must happen before a response may go out is awaited by `begin`.

Rule 1: a response that is not to be stored reaches its client as it comes, with `Cache-Status` added.
Rule 2: one that is to be stored is held back until it is known whether all of it came at once: then it is given its
`ETag`, length and conditions. If it comes in parts, they go out as they come, and a copy is gathered up to the limit.
Rule 3: nothing is kept unless the application has ended the body itself, at the length that it had announced. Where it
announced none and its client has gone meanwhile, its end says nothing: what stands between may have cut the body short
and ended it, as Starlette's `BaseHTTPMiddleware` does.
"""

from collections.abc import Awaitable, Callable, Iterable
from enum import Enum
from typing import Final, NamedTuple

from aiocache_kit.integrations.http import status as told_by
from aiocache_kit.integrations.http.asked import Asked
from aiocache_kit.integrations.http.fields import Header, Headers, seconds, value
from aiocache_kit.integrations.http.options import ResponseCacheOptions
from aiocache_kit.integrations.http.reuse import age, time_left
from aiocache_kit.integrations.http.status import Told
from aiocache_kit.integrations.http.stored import OWN_ETAG, Stored
from aiocache_kit.integrations.http.storing import TAGS, Dates, Plan, plan
from aiocache_kit.integrations.http.validation import NOT_MODIFIED, conditions, is_unchanged, make_etag, of_304

_BODILESS: Final = frozenset({204, NOT_MODIFIED})
_OK: Final = 200
CUT: Final = "disconnect"
"""Why a response is not stored whose client has gone: it says nothing of the next one."""


class Reply(NamedTuple):
    """A whole response."""

    status: int
    headers: list[Header]
    body: bytes


def reply_of(
    asked: Asked, response: Stored, now: float, options: ResponseCacheOptions, told: Told | None = None
) -> Reply:
    """Give a stored response in the form that a request gets. Raises one of `UNREADABLE` where it is none."""
    headers = response.headers
    unchanged = asked.conditional and is_unchanged(asked.headers, headers, response.born)
    headers.append((b"age", b"%d" % age(response, now)))
    told = told or Told(ttl=time_left(response, now))
    headers += told_by.lines(options.cache_status, told, x_cache=options.x_cache)
    if unchanged and response.status == _OK:
        return Reply(NOT_MODIFIED, of_304(headers), b"")
    return Reply(response.status, headers, b"" if asked.method == "HEAD" else response.body)


class Passage(Enum):
    """What to do with a response that begins."""

    PASS = "pass"  # noqa: S105  - no password
    """Let it go to the client as it comes, with `Exchange.headers`."""
    HOLD = "hold"
    """Wait for its body: `Exchange.whole` if all of it comes at once, else `Exchange.started` and `Exchange.gather`."""
    DROP = "drop"
    """Let nothing of it go to the client."""
    ANSWER = "answer"
    """Send `Exchange.reply` instead, and let nothing of it go to the client."""


class Exchange:
    """A call whose response passes through."""

    def __init__(self, options: ResponseCacheOptions, told: Told) -> None:
        """Add what is `told` to the response."""
        self.options = options
        self.told = told
        self.request_headers: list[Header] | None = None
        """What to call the application with; None: what the request has."""
        self.status = 0
        self.headers: list[Header] = []
        self.reply: Reply | None = None

    async def begin(self, status: int, headers: Iterable[Header], tags: Iterable[str] = ()) -> Passage:
        """Decide about a response that begins; `tags` are those the application gave by other ways than a header."""
        del tags
        self.status = status
        self.headers = self.marked(headers)
        return Passage.PASS

    async def gone(self, status: int, headers: Iterable[Header]) -> None:
        """Know that a response has gone out already, without a chance to decide about it."""
        self.status = status
        self.headers = list(headers)

    def marked(self, headers: Iterable[Header]) -> list[Header]:
        """Give the headers as clients get them."""
        options = self.options
        kept = [(name, said) for name, said in headers if options.expose_tags or name != TAGS]
        return kept + told_by.lines(options.cache_status, self.told, x_cache=options.x_cache)

    def whole(self, body: bytes) -> Reply:
        """Take a body that came at once, and give what the client gets."""
        return Reply(self.status, self.headers, body)

    def started(self) -> Reply | None:
        """Know that the body comes in parts; give what the client gets instead of it, None: `headers` and the parts."""
        return None

    def gather(self, part: bytes, *, last: bool) -> None:
        """Take a part of the body that is on its way to the client."""

    def give_up(self, reason: str = "kind") -> None:
        """Know that the response is of a kind, or came in a way, that is not stored."""

    def hung_up(self) -> None:
        """Know that the client has gone, or that nothing reaches him any more."""

    async def sent(self) -> None:
        """Know that the client has the last part of the body; the application may have more to do."""

    async def ended(self) -> None:
        """Know that the application has ended all that it does for the request, after its response went out."""


class Changing(Exchange):
    """A call that may change what it is about; `changed` is awaited before the response goes out.

    It is awaited once more at the end: a transaction may be committed after the response (a dependency with ``yield``),
    and what others have read meanwhile is what was there before.
    """

    def __init__(
        self, options: ResponseCacheOptions, told: Told, changed: Callable[[int, list[Header]], Awaitable[None]]
    ) -> None:
        """Tell `changed` status and headers."""
        super().__init__(options, told)
        self._changed = changed
        self._said: list[Header] = []

    async def begin(self, status: int, headers: Iterable[Header], tags: Iterable[str] = ()) -> Passage:
        """Let the change be known before its maker is told that it is done."""
        told = self._said = list(headers)
        await self._changed(status, told)
        return await super().begin(status, told, tags)

    async def gone(self, status: int, headers: Iterable[Header]) -> None:
        """Let the change be known."""
        told = list(headers)
        await super().gone(status, told)
        await self._changed(status, told)

    async def ended(self) -> None:
        """Let what was done after the response be known as well."""
        if self.status:
            await self._changed(self.status, self._said)


class Asking(Exchange):
    """A call whose response may be stored, or may confirm or replace what is stored."""

    def __init__(
        self,
        asked: Asked,
        options: ResponseCacheOptions,
        told: Told,
        *,
        now: Callable[[], float],
        stored: Stored | None = None,
        stand_in: bool = False,
        leads: bool = True,
        noted: Callable[[str | None], None],
        complete: Callable[["Asking"], Awaitable[None]],
    ) -> None:
        """Call for `asked`.

        `stored` is what the application is asked to confirm; `stand_in` says whether it may be given should the
        application fail. `leads`: the response may be stored. `noted` is told, as soon as that is known, why it
        is not to be, or None where it could be. `complete` is awaited as soon as the client has a body of the
        length that was announced, which is before the application has ended what it does in the background.
        """
        super().__init__(options, told)
        self.asked = asked
        self.plan: Plan | None = None
        """How the response is to be stored, None where it is not."""
        self.body: bytes | None = None
        """All of its body, once it has ended and is to be stored."""
        self.dropped: list[Header] | None = None
        """The headers of a response that told something of the stored one, which is to be given in its place."""
        self.begun = False
        """Whether a response has begun."""
        self.cut = False
        """Whether the client has gone before the body was complete, so that nothing is known of the response."""
        self.concluded = False
        """Whether it was decided what becomes of the response."""
        self._now = now
        self._stand_in = stand_in
        self._leads = leads
        self._noted = noted
        self._complete = complete
        self._announced = False
        """Whether the body is as long as it was announced to be."""
        self._parts: list[bytes] = []
        self._size = 0
        self._refused: str | None = None
        """Why nothing is to be stored, if that was known before the response has begun."""
        self._asked_at = now()
        own = () if stored is None or not leads else conditions(stored.headers, own_etag=bool(stored.flags & OWN_ETAG))
        self.validates = bool(own)
        if leads and (own or asked.conditional):
            self.request_headers = [*asked.without_conditions(), *own]

    async def begin(self, status: int, headers: Iterable[Header], tags: Iterable[str] = ()) -> Passage:
        """Decide what becomes of a response."""
        said = list(headers)
        self.begun = True
        self.status = status
        if (status == NOT_MODIFIED and self.validates) or (self._stand_in and status in {500, 502, 503, 504}):
            self.dropped = said
            return Passage.DROP
        dates = Dates(self._asked_at, self._now())
        decided = plan(self.asked, status, said, self.options, dates, more_tags=tags)
        reason = self._refused if isinstance(decided, Plan) else decided.reason
        if not isinstance(decided, Plan) or reason is not None:
            return self._refuse(reason or "kind", said)
        if not self._leads:
            self._noted(None)
            return self._passed(said)
        if (seconds(value(said, b"content-length")) or 0) > self.options.max_body:
            return self._refuse("size", said)
        self.plan = decided
        self.headers = said
        return Passage.HOLD

    async def gone(self, status: int, headers: Iterable[Header]) -> None:
        """Know that there is nothing to store."""
        await super().gone(status, headers)
        self.begun = True
        self._noted("kind")

    def _refuse(self, reason: str, said: list[Header]) -> Passage:
        self._noted(reason)
        self.told = self.told._replace(detail=self.told.detail or reason)
        return self._passed(said)

    def _passed(self, said: list[Header]) -> Passage:
        self.headers = self.marked(said)
        if self._is_known(said):
            self.reply = Reply(NOT_MODIFIED, of_304(self.headers), b"")
            return Passage.ANSWER
        return Passage.PASS

    def _is_known(self, said: Headers) -> bool:
        """Whether the client's own conditions, which were kept from the application, say that it has the response."""
        return (
            self.status == _OK
            and self.request_headers is not None
            and self.asked.conditional
            and any(name in {b"etag", b"last-modified"} for name, _ in said)
            and is_unchanged(self.asked.headers, said, self._now())
        )

    def whole(self, body: bytes) -> Reply:
        """Take a body that came at once: store it with a validator of ours if it has none, and answer conditions."""
        said = self.headers
        if self.plan is not None:
            self._take(body)
        if self.plan is not None:
            self.told = self.told._replace(stored=True)
            said = [*(pair for pair in said if pair[0] != b"content-length"), *self._added(self.plan, said)]
        if self._is_known(said):
            self.told = self.told._replace(status=self.status)
            return Reply(NOT_MODIFIED, of_304(self.marked(said)), b"")
        return Reply(self.status, self.marked(said), body)

    def _added(self, decided: Plan, said: Headers) -> list[Header]:
        """Give the headers that the stored response has beyond what the application said."""
        names = {name for name, _ in said}
        return [(name, text) for name, text in decided.headers if name not in names or name == b"content-length"]

    def started(self) -> Reply | None:
        """Let the parts go on to the client, unless he has them already."""
        said = self.headers
        self.told = self.told._replace(stored=self.plan is not None)
        self.headers = self.marked(said)
        return Reply(NOT_MODIFIED, of_304(self.headers), b"") if self._is_known(said) else None

    def gather(self, part: bytes, *, last: bool) -> None:
        """Keep a copy of a part, as long as all of them are within the limit."""
        if self.plan is None:
            return
        self._size += len(part)
        if self._size > self.options.max_body:
            self._parts.clear()
            self.give_up("size")
            return
        self._parts.append(part)
        if last:
            self._take(b"".join(self._parts))

    def _take(self, body: bytes) -> None:
        """Keep the body, unless it is too long, or not as long as it was said to be."""
        decided = self.plan
        if decided is None:
            return
        said = value(decided.headers, b"content-length")
        size = len(body) + sum(len(name) + len(text) for name, text in decided.headers)
        if size > self.options.max_body:
            self.give_up("size")
        elif said != str(len(body)) and (said is not None or self.cut):
            self.give_up(CUT if self.cut else "status")
        else:
            self.cut = False
            self.body = body
            self._announced = said is not None
            self.plan = self._completed(decided, body)

    def _completed(self, decided: Plan, body: bytes) -> Plan:
        """Give the plan with the length, and a validator of ours where there is none."""
        headers = [pair for pair in decided.headers if pair[0] != b"content-length"]
        if self.status not in _BODILESS:
            headers.append((b"content-length", str(len(body)).encode()))
        if self.options.etag and self.status == _OK and value(headers, b"etag") is None:
            headers.append((b"etag", make_etag(headers, body)))
            return decided._replace(headers=headers, flags=decided.flags | OWN_ETAG)
        return decided._replace(headers=headers)

    def give_up(self, reason: str = "kind") -> None:
        """Store nothing of this response."""
        self._refused = reason
        if self.plan is not None:
            self.plan = None
            self.body = None
            self._noted(reason)

    def hung_up(self) -> None:
        """Trust the end of the body no more, unless it is as long as it was announced to be."""
        self.cut = self.body is None

    async def sent(self) -> None:
        """Let others have what is known to be all of the response."""
        if self.body is not None and self._announced:
            await self._complete(self)
