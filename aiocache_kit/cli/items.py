"""Looking at items and removing them: `keys`, `get`, `delete`, `invalidate`, `clear`, and `stats`.

Rule 1: whatever may be long is shown as it comes, and nothing is kept of it.
Rule 2: a key is shown by `safe`, and a value by `get` alone.
"""

import asyncio
import base64
import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from datetime import date, time
from typing import Final, cast

from aiocache_kit.cli.exits import Exit, exit_of
from aiocache_kit.cli.failures import Failure
from aiocache_kit.cli.knock import why
from aiocache_kit.cli.readings import Names, Reading, count_names, servers_of
from aiocache_kit.cli.screen import Screen
from aiocache_kit.cli.sources import Cache, Place
from aiocache_kit.cli.tables import Line, Part, Span, Style
from aiocache_kit.cli.texts import plural, safe, safe_lines
from aiocache_kit.cli.views import of_counters, of_names, of_servers
from aiocache_kit.clock import Clock
from aiocache_kit.errors import CacheError, InvalidArgumentError, NotFoundError, WrongTypeError
from aiocache_kit.item import Item
from aiocache_kit.provider import Provider

_DEEPEST: Final = 200


@asynccontextmanager
async def _opened(provider: Provider) -> AsyncGenerator[Provider]:
    """Close at the end, a namespace as well."""
    try:
        await provider.ping()
        yield provider
    finally:
        await provider.close()


# --- keys -----------------------------------------------------------------------------------------------------------


async def list_keys(
    screen: Screen, provider: Provider, prefix: str, *, limit: int | None, only_count: bool, as_json: bool
) -> Exit:
    """Show keys, one a line, or how many there are."""
    count = 0
    with screen.progress("keys") as told:
        async with _opened(provider) as cache, aclosing(_all_keys(cache, prefix)) as keys:
            async for key in keys:
                if limit is not None and count >= limit:
                    break
                count += 1
                if only_count:
                    told(1)
                elif as_json:
                    screen.write_json({"key": key}, indent=None)
                else:
                    screen.write(safe(key))
            stats = await cache.stats()
    if only_count:
        screen.write_json({"count": count}, indent=None) if as_json else screen.write(str(count))
    if stats.errors:
        words = f"{plural(stats.errors, 'item')} could not be read with this configuration, and were left out"
        screen.tell(Span(f"aiocache-kit: {words}", Style.WARNING))
    elif not count and stats.items:
        words = f"of {plural(stats.items, 'item')}, none begins so in this namespace and can be read as is configured"
        screen.tell(Span(f"aiocache-kit: {words}", Style.WARNING))
    return Exit.DONE


async def _all_keys(cache: Provider, prefix: str) -> AsyncGenerator[str]:
    """Give the keys; ends what gives them, whoever stops listening."""
    async for key in cache.keys(prefix):
        yield key


# --- get ------------------------------------------------------------------------------------------------------------


async def show_value(screen: Screen, provider: Provider, key: str, *, raw: bool, as_json: bool) -> Exit:
    """Show the value under a key; with `as_json` what else is known of it, with `raw` the text or bytes as they are."""
    async with _opened(provider) as cache:
        try:
            item, is_parts = await _found(cache, key)
        except NotFoundError:
            screen.fail(Failure("nothing is stored under this key, or its time is over"))
            return Exit.MISS
    if raw:
        _write_raw(screen, item.value)
    elif as_json:
        screen.write_json(_described(item, is_parts=is_parts))
    else:
        if is_parts:
            words = "these are the parts of objects, of which only the program knows the classes"
            screen.tell(Span(f"aiocache-kit: {words}", Style.FAINT))
        text = json.dumps(plain(item.value), indent=2, ensure_ascii=False, default=repr)
        screen.write(safe_lines(text))
    return Exit.DONE


async def _found(cache: Provider, key: str) -> tuple[Item[object], bool]:
    """Give the item under a key, and whether its value is the parts of objects instead of these."""
    try:
        return await cache.get_item(key), False
    except WrongTypeError:
        return await cache.get_item(key, type=object), True


def _write_raw(screen: Screen, value: object) -> None:
    if isinstance(value, str):
        screen.out.file.write(value)
    elif isinstance(value, bytes | bytearray):
        screen.out.file.flush()
        buffer = getattr(screen.out.file, "buffer", None)
        if buffer is None:
            raise InvalidArgumentError("--raw gives bytes, which this output does not take")
        buffer.write(bytes(value))
    else:
        raise InvalidArgumentError(f"--raw gives text and bytes as they are, and the value is a {type(value).__name__}")
    screen.out.file.flush()


def _described(item: Item[object], *, is_parts: bool) -> dict[str, object]:
    is_dated = bool(item.created_at)  # a bare number in Redis is not: of its ttl only the rest is known
    return {
        "key": item.key,
        "value": plain(item.value),
        "parts": is_parts,
        "ttl": item.ttl if is_dated else None,
        "expiration": item.expiration,
        "created_at": item.created_at if is_dated else None,
        "tags": sorted(item.tags),
        "version": item.version,
    }


def plain(value: object, depth: int = 0) -> object:
    """Give a value as JSON can hold it: bytes in base64, dates as ISO texts, what is unknown as Python shows it."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, bytes | bytearray):
        return {"base64": base64.b64encode(value).decode("ascii")}
    if isinstance(value, date | time):
        return value.isoformat()
    if depth > _DEEPEST or not isinstance(value, Mapping | list | tuple | set | frozenset):
        return repr(value)
    if isinstance(value, Mapping):
        pairs = cast("Mapping[object, object]", value).items()
        return {key if isinstance(key, str) else repr(key): plain(each, depth + 1) for key, each in pairs}
    return [plain(each, depth + 1) for each in cast("Sequence[object]", value)]


# --- removing -------------------------------------------------------------------------------------------------------


async def delete_keys(screen: Screen, provider: Provider, keys: Sequence[str], *, as_json: bool) -> Exit:
    """Remove the items under keys, and say how many were there."""
    async with _opened(provider) as cache:
        count = await cache.delete_multi(keys)
    if as_json:
        screen.write_json({"asked": len(set(keys)), "deleted": count})
    else:
        screen.write(f"deleted {count} of {len(set(keys))}")
    return Exit.DONE if count else Exit.MISS


async def invalidate(
    screen: Screen, provider: Provider, tags: Sequence[str], prefix: str | None, *, as_json: bool
) -> Exit:
    """Make items misses, by their tags or by what their keys begin with."""
    async with _opened(provider) as cache:
        if tags:
            await cache.invalidate_tags(*tags)
        if prefix is not None:
            with screen.progress("invalidating"):
                await cache.invalidate_prefix(prefix)
    done = [*(f"tag {safe(tag)}" for tag in tags), *([f"prefix {safe(prefix)}"] if prefix is not None else [])]
    if as_json:
        screen.write_json({"tags": list(tags), "prefix": prefix})
    else:
        screen.write(f"invalidated {', '.join(done)}")
    return Exit.DONE


async def clear(screen: Screen, provider: Provider, *, as_json: bool) -> Exit:
    """Remove everything of a cache, or of one of its namespaces."""
    with screen.progress("clearing"):
        async with _opened(provider) as cache:
            await cache.clear()
    screen.write_json({"cleared": True}) if as_json else screen.write("cleared")
    return Exit.DONE


# --- stats ----------------------------------------------------------------------------------------------------------


async def show_stats(screen: Screen, cache: Cache, clock: Clock, *, count: bool, as_json: bool) -> Exit:
    """Show what the places of a cache tell, each for itself: one that is away does not hide the others."""
    code = Exit.DONE
    told: list[dict[str, object]] = []
    for place in cache.truths:
        try:
            if place.config.provider == "redis":
                facts, parts = await _of_redis(screen, place, clock, count=count)
            else:
                facts, parts = await _of_provider(await asyncio.to_thread(cache.part, place))
        except CacheError as error:
            failure = await why(error, place.config)
            code = exit_of(error)
            facts, parts = {"error": failure.problem}, []
            screen.fail(failure)
        if facts.get("away"):
            code = Exit.UNREACHABLE
        told.append({"name": place.name, "kind": place.config.provider, **facts})
        if not as_json:
            screen.show(*([Line(Span(safe(place.name), Style.STRONG))] if place.name else []), *parts)
    if not cache.truths:
        facts, parts = await _of_provider(await asyncio.to_thread(cache.to_look_at))
        told.append({"name": "", "kind": cache.kind, **facts})
        if not as_json:
            screen.show(*parts)
    if as_json:
        screen.write_json({"kind": cache.kind, "places": told})
    return code


async def _of_redis(screen: Screen, place: Place, clock: Clock, *, count: bool) -> tuple[dict[str, object], list[Part]]:
    names: Names | None = None
    async with servers_of(place.config, clock) as servers:
        readings: list[Reading] = await servers.read()
        if count:
            with screen.progress("names looked at") as told:
                names = await count_names(servers, place.config.redis_config.key_prefix, told)
        away = servers.away
    if away:
        screen.tell(Span(f"aiocache-kit: {plural(away, 'server')} cannot be reached", Style.BAD))
    facts: dict[str, object] = {
        "away": away,
        "servers": [reading.as_dict() for reading in readings],
        "names": None if names is None else names.as_dict(),
    }
    parts: list[Part] = [of_servers(readings)]
    if names is not None:
        parts += [Line(), of_names(names)]
    return facts, parts


async def _of_provider(provider: Provider) -> tuple[dict[str, object], list[Part]]:
    async with _opened(provider) as cache:
        stats = await cache.stats()
    known = stats.counted
    sizes: dict[str, object] = {"items": stats.items if known else None, "size": stats.size if known else None}
    return {**sizes, "layers": {name: layer.as_dict() for name, layer in stats.layers.items()}}, [
        of_counters("held", sizes)
    ]
