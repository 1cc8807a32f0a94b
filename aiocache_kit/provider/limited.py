"""A limit before every call of a provider.

Rule: a view that is limited does nothing itself: each of its calls takes a token first and is then made on the provider
behind it, so that a call which is made of others takes one token and not several.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import wraps
from typing import Any, Final

CALLS: Final = (
    *("add", "clear", "compare_and_set", "decrement", "delete", "delete_multi", "exists", "expire", "get", "get_item"),
    *("get_multi", "get_or_set", "get_or_set_multi", "increment", "invalidate_prefix", "invalidate_tags", "pop"),
    *("refresh", "refresh_multi", "replace", "set", "set_multi", "touch", "update"),
)
"""The coroutine methods that take a token; `keys` and `lock` do so, too."""


def put_before(view: object, inner: Any, take: Callable[[], Awaitable[object]]) -> None:  # noqa: ANN401  - of a class above this one
    """Let each call of `view` await `take`, and be made on `inner` then."""

    async def keys(prefix: str = "") -> AsyncIterator[str]:
        await take()
        async for key in inner.keys(prefix):
            yield key

    @asynccontextmanager
    async def lock(*args: Any, **kwargs: Any) -> AsyncGenerator[Any]:  # noqa: ANN401  - as `inner` has them
        await take()
        async with inner.lock(*args, **kwargs) as lease:
            yield lease

    for name in CALLS:
        setattr(view, name, _call(name, inner, take))
    for function in (keys, lock):
        setattr(view, function.__name__, wraps(getattr(inner.__class__, function.__name__))(function))


def _call(name: str, inner: object, take: Callable[[], Awaitable[object]]) -> Callable[..., Awaitable[Any]]:
    @wraps(getattr(type(inner), name))
    async def call(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401  - as `inner` has them
        await take()
        return await getattr(inner, name)(*args, **kwargs)  # asked each time: opening replaces some of them

    return call
