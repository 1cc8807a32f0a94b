"""What may be changed through the dashboard: a tag invalidated, a key deleted, a namespace cleared.

Rule 1: what was asked for is checked whole before anything happens.
Rule 2: answers and logs say what was done and where, and no key and no tag.
"""

import json
import logging
from collections.abc import Awaitable, Callable
from typing import Final, cast

from aiocache_kit.errors import CacheError
from aiocache_kit.integrations.dashboard.http import Answer, Request, of_data, of_refusal
from aiocache_kit.integrations.dashboard.watch import Watch, Watched

Asked = dict[str, object]

_log: Final = logging.getLogger("aiocache_kit")


async def _invalidate(provider: Watched, asked: Asked) -> str:
    await provider.invalidate_tags(_text(asked, "tag"))
    return "The tag was invalidated."


async def _delete(provider: Watched, asked: Asked) -> str:
    was_there = await provider.delete(_text(asked, "key"))
    return "The item was deleted." if was_there else "There was no such item."


async def _clear(provider: Watched, asked: Asked) -> str:
    del asked
    await provider.clear()
    return "Everything was removed."


ACTIONS: Final[dict[str, Callable[[Watched, Asked], Awaitable[str]]]] = {
    "/actions/invalidate": _invalidate,
    "/actions/delete": _delete,
    "/actions/clear": _clear,
}


async def act(watch: Watch, request: Request) -> Answer:
    """Do what a request asks for, whose sender may do so, and say what was done, or why nothing was."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        return of_refusal(415, "an action is described in JSON, with content-type application/json")
    if request.body is None:
        return of_refusal(413, "this is too long")
    try:
        asked = _parsed(request.body)
        name = _text(asked, "provider")
        provider = watch.provider(name)
        if provider is None:
            return of_refusal(404, "there is no provider of this name")
        done = await ACTIONS[request.path](provider, asked)
    except CacheError as error:
        return of_refusal(400 if isinstance(error, ValueError) else 503, str(error))
    except _AskedWronglyError as error:
        return of_refusal(400, str(error))
    _log.info("%s by the dashboard was done on %r", request.path, name)
    return of_data({"done": done})


class _AskedWronglyError(Exception):
    """Raised for a body that does not say what is to be done."""


def _parsed(body: bytes) -> Asked:
    try:
        asked: object = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise _AskedWronglyError("this is not JSON") from error
    if not isinstance(asked, dict):
        raise _AskedWronglyError("an action is described by an object")
    return cast("Asked", asked)


def _text(asked: Asked, name: str) -> str:
    text = asked.get(name)
    if not isinstance(text, str):
        raise _AskedWronglyError(f"{name} must be given, as text")
    return text
