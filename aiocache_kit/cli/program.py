"""What a running program does with its caches, as its dashboard tells it: `top --dashboard`.

What is counted in a process is seen in it alone. A program that has mounted the dashboard gives its figures to whoever
may read them, and so this shows any cache, in memory or elsewhere, with its loads, layers and groups of keys.

Rule 1: the token goes to the address that was typed and nowhere else: redirections are not followed.
Rule 2: what comes back is a program's word, and is shown as safely as a key. What is not as expected is left out.
"""

import asyncio
import json
from collections import deque
from collections.abc import Iterator, Sequence
from http import HTTPStatus
from http.client import HTTPException
from math import isfinite
from ssl import SSLCertVerificationError, SSLError
from typing import Any, Final, cast
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from aiocache_kit.cli.exits import Exit
from aiocache_kit.cli.failures import DASHBOARD
from aiocache_kit.cli.screen import Screen
from aiocache_kit.cli.tables import Cell, Column, Line, Part, Span, Style, Table
from aiocache_kit.cli.texts import count_text, plural, safe, share_text, size_text, sparkline, time_text
from aiocache_kit.clock import Clock
from aiocache_kit.errors import CacheError, InvalidArgumentError, StorageAccessError, StorageUnavailableError

_PATIENCE: Final = 10.0
_LARGEST: Final = 2**24
_REMEMBERED: Final = 12
_ACCESS_HEADER: Final = "X-Aiocache-Kit-Token"
"""That of the dashboard's own; ``Authorization`` may be wanted by what stands before it."""
_SHOWN: Final = 5
_MOST: Final = 1000
_LONGEST: Final = 60
_DEEPEST: Final = 8
_SPARE: Final = {
    "loads/s": 1,
    "load": 2,
    "evicted/s": 3,
    "": 4,
    "get": 5,
    "sets/s": 6,
    "items": 7,
    "size": 8,
    "expired/s": 9,
}
_ENOUGH: Final = 0.5

Told = dict[str, Any]


class _NoRedirection(HTTPRedirectHandler):
    """Lets a redirection be an answer like any other."""

    def redirect_request(self, *_: object, **__: object) -> None:
        """Give no request."""


class Program:
    """A program's dashboard."""

    def __init__(self, url: str, token: str | None) -> None:
        """Ask at `url`, with `token`, None: without one. Raises `InvalidArgumentError` for what is no such address."""
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.query:
            raise InvalidArgumentError(
                "--dashboard must be the address of a dashboard, as in http://localhost:8000/internal/cache"
            )
        self._url = f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}/figures?after="
        self._headers = {"Accept": "application/json"}
        if token:
            self._headers[_ACCESS_HEADER] = token
        self._cursor = ""
        self._epoch = ""
        self.has_changed = False
        """Whether another process answered the last time than the time before."""

    async def look(self) -> Told:
        """Give what the dashboard tells, with what has come since the last look. Raises `CacheError`."""
        told = await asyncio.to_thread(self._ask)
        epoch = str(told.get("epoch", ""))
        self.has_changed = bool(self._epoch) and epoch != self._epoch
        self._epoch, self._cursor = epoch, str(told.get("cursor", ""))
        return told

    def _ask(self) -> Told:
        request = Request(self._url + quote(self._cursor), headers=self._headers)  # noqa: S310  - the scheme was checked
        try:
            with build_opener(_NoRedirection()).open(request, timeout=_PATIENCE) as answer:
                told: object = json.loads(answer.read(_LARGEST))
        except HTTPError as error:
            error.close()
            raise _refused(error.code, had_token=_ACCESS_HEADER in self._headers) from None
        except URLError as error:
            cause = error.reason if isinstance(error.reason, BaseException) else error
            raise _unreachable(cause) from cause
        except ConnectionError as error:
            raise StorageUnavailableError(f"{DASHBOARD} hung up: write https:// if it speaks TLS") from error
        except OSError as error:
            raise StorageUnavailableError("the dashboard did not answer in time") from error
        except (ValueError, RecursionError, HTTPException) as error:
            raise InvalidArgumentError(_NONE) from error
        if not isinstance(told, dict) or not isinstance(cast("Told", told).get("providers"), list):
            raise InvalidArgumentError(_NONE)
        return cast("Told", told)


_NONE: Final = "--dashboard leads to something that is no dashboard of aiocache_kit"


def _unreachable(cause: BaseException) -> CacheError:
    if isinstance(cause, SSLCertVerificationError):
        advice = "give the name that it is made out to, or its authority by the variable SSL_CERT_FILE"
        return StorageAccessError(f"{DASHBOARD} has a certificate that was not accepted: {advice}")
    if isinstance(cause, SSLError):
        return StorageUnavailableError(
            f"{DASHBOARD} does not speak TLS as it was asked to: write http:// if it has none"
        )
    return StorageUnavailableError("the dashboard cannot be reached")


def _refused(code: int, *, had_token: bool) -> CacheError:
    if code in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        problem = "refuses the token that was given" if had_token else "asks for a token"
        return StorageAccessError(
            f"{DASHBOARD} {problem}: give its read_token by AIOCACHE_DASHBOARD_TOKEN or --token-file"
        )
    if code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return StorageUnavailableError(f"the dashboard cannot answer now (HTTP {code})")
    return InvalidArgumentError(f"{_NONE} (HTTP {code})")


# --- showing --------------------------------------------------------------------------------------------------------


class History:
    """The reads a second of each cache, as far as was told."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._reads: dict[str, deque[float]] = {}

    def note(self, told: Told) -> None:
        """Remember what has come."""
        for cache in _list(told, "providers"):
            known = self._reads.setdefault(str(cache.get("name")), deque(maxlen=_REMEMBERED))
            known.extend(_number(point, "hits") + _number(point, "misses") for point in _list(cache, "points"))

    def line(self, name: str) -> str:
        """Draw what is remembered of a cache."""
        return sparkline(self._reads.get(name, ())).rjust(_REMEMBERED)


def frame(told: Told, history: History, *, interval: float, has_changed: bool = False) -> list[Part]:
    """Lay out what caches do now, then their layers, and the groups of keys that are hot or slow."""
    caches = _list(told, "providers")
    head = [
        Span("aiocache-kit top", Style.STRONG),
        Span(f"  {plural(len(caches), 'cache')} of a program, every {time_text(interval)}", Style.FAINT),
    ]
    parts: list[Part] = [Line(head)]
    if has_changed:
        parts.append(Line(Span("another process has answered: each counts for itself", Style.WARNING)))
    parts += [
        Line(Span(f"{_name(each)}: {safe(str(each['error']))}", Style.BAD)) for each in caches if each.get("error")
    ]
    parts.append(_of_caches(caches, history))
    if any(_list(each, "layers") for each in caches):
        parts += [Line(), _of_layers(caches)]
    for kind, title in (("hot", "most read"), ("slow", "slowest to load")):
        rows = list(_of_groups(caches, kind))
        if rows:
            names = (f"keys, {title}", "cache", "reads", "hit rate", "loads", "load time")
            columns = [Column(name, is_number=number > 1) for number, name in enumerate(names)]
            parts += [Line(), Table(columns, rows[:_SHOWN])]
    return [*parts, Line(Span("Counted by one process for itself. Ctrl-C ends.", Style.FAINT))]


def _of_caches(caches: Sequence[Told], history: History) -> Table:
    names = (
        "cache",
        "reads/s",
        "",
        "hit rate",
        "get",
        "loads/s",
        "load",
        "sets/s",
        "evicted/s",
        "expired/s",
        "items",
        "size",
    )
    rows: list[Sequence[Cell]] = []
    for cache in caches:
        points, totals = _list(cache, "points"), _dict(cache, "totals")
        now = points[-1] if points else {}
        rows.append(
            [
                _name(cache),
                count_text(_number(now, "hits") + _number(now, "misses")),
                Span(history.line(str(cache.get("name"))), Style.NOTE),
                _rate(now.get("hit_rate")),
                _time(now.get("get_time")),
                count_text(_number(now, "loads")),
                _time(now.get("load_time")),
                count_text(_number(now, "sets")),
                count_text(_number(now, "evictions")),
                count_text(_number(now, "expired")),
                _held(totals),
                size_text(_number(totals, "size")) if totals.get("size") else "-",
            ]
        )
    return Table([Column(name, is_number=name not in {"cache", ""}, spare=_SPARE.get(name, 0)) for name in names], rows)


def _of_layers(caches: Sequence[Told]) -> Table:
    names = ("layer or node", "hit rate", "hits", "misses", "items", "evicted", "errors", "health")
    rows: list[Sequence[Cell]] = []
    for cache in caches:
        for layer in _list(cache, "layers"):
            health = _number(layer, "health", 1.0)
            rows.append(
                [
                    f"{_name(cache)} / {'  ' * min(int(_number(layer, 'depth')), _DEEPEST)}{_name(layer)}",
                    _rate(layer.get("hit_rate")),
                    *(count_text(_number(layer, name)) for name in ("hits", "misses")),
                    _held(layer),
                    *(count_text(_number(layer, name)) for name in ("evictions", "errors")),
                    Span(
                        {1.0: "works", 0.0: "away"}.get(health, "catches up"), Style.PLAIN if health == 1 else Style.BAD
                    ),
                ]
            )
    return Table([Column(name, is_number=number > 0) for number, name in enumerate(names)], rows)


def _of_groups(caches: Sequence[Told], kind: str) -> Iterator[Sequence[Cell]]:
    for cache in caches:
        for group in _list(_dict(cache, "groups"), kind):
            yield [
                safe(str(group.get("group", "?"))[:_LONGEST]),
                _name(cache),
                count_text(_number(group, "reads")),
                _rate(group.get("hit_rate")),
                count_text(_number(group, "loads")),
                _time(group.get("average_load_time")),
            ]


def _name(told: Told) -> str:
    return safe(str(told.get("name", "?"))[:_LONGEST])


def _rate(rate: object) -> Cell:
    known = _finite(rate)
    return Span(share_text(known), Style.WARNING if known is not None and known < _ENOUGH else Style.PLAIN)


def _time(seconds: object) -> str:
    known = _finite(seconds)
    return time_text(known) if known is not None and known > 0 else "-"


def _held(told: Told) -> str:
    """Write how many items there are; a dash where nobody knows."""
    return count_text(_number(told, "items")) if told.get("counted", True) else "-"


def _number(told: Told, name: str, default: float = 0.0) -> float:
    known = _finite(told.get(name))
    return default if known is None else known


def _finite(value: object) -> float | None:
    """Give a number that can be shown; None for all else."""
    try:
        return float(value) if isinstance(value, int | float) and isfinite(value) else None
    except OverflowError:
        return None


def _list(told: Told, name: str) -> list[Told]:
    found: object = told.get(name)
    return [each for each in found[-_MOST:] if isinstance(each, dict)] if isinstance(found, list) else []  # pyright: ignore[reportUnknownVariableType]  - of JSON


def _dict(told: Told, name: str) -> Told:
    found: object = told.get(name)
    return cast("Told", found) if isinstance(found, dict) else {}


# --- watching -------------------------------------------------------------------------------------------------------


async def watch_program(
    screen: Screen, program: Program, clock: Clock, *, interval: float, count: int | None, as_json: bool
) -> Exit:
    """Show what the program's caches do every `interval` seconds, `count` times; None: until somebody ends it.

    Raises where the first look fails; later ones are told of, and tried again.
    """
    history = History()
    told = await program.look()
    history.note(told)
    with screen.in_place() as show:
        done = 0
        while count is None or done < count:
            await clock.sleep(interval)
            try:
                told = await program.look()
            except CacheError as error:
                show([Line(Span(f"the program: {error}", Style.BAD))])
                done += 1
                continue
            history.note(told)
            if as_json:
                screen.write_json({"at": clock.time(), **told}, indent=None)
            else:
                show(frame(told, history, interval=interval, has_changed=program.has_changed))
            done += 1
    return Exit.DONE
