"""What type checkers know of how values are served: options of calls and decorators, and what a loader says."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, assert_type

from aiocache_kit import MISSING, LoadConfig, LoadContext, LoadOptions, Provider, cached, cached_multi


@dataclass
class User:
    """Something to load."""

    name: str


async def load_user() -> User:
    """Load one."""
    return User("Ann")


async def load_anew(context: LoadContext) -> User:
    """Load one, or say that the old one is still true."""
    assert_type(context.key, str)
    assert_type(context.etag, str | None)
    assert_type(context.tags, tuple[str, ...])
    context.ttl = timedelta(minutes=5)
    context.tags = ["users", context.key]
    context.cacheable = False
    if context.stale_value is MISSING:
        context.fail("the source is gone")
    old: User = context.not_modified()
    return old


def gives_up(error: Exception) -> bool:
    """Decide whether a source fails."""
    return isinstance(error, OSError)


async def options(cache: Provider) -> None:
    """Each option has its types, whatever else is said."""
    assert_type(
        await cache.get_or_set(
            "k",
            load_user,
            "5m",
            jitter=0.1,
            stale_while_revalidate=30,
            stale_if_error="1h",
            stale_on=(OSError, LookupError),
            throttle=timedelta(seconds=5),
            refresh_ahead=0.8,
            early_beta=None,
            timeout=2.5,
            stale_timeout=None,
            negative_ttl=0,
            cache_none=False,
            tags={"users"},
            cost=10,
        ),
        User,
    )
    assert_type(await cache.get_or_set("k", load_anew, stale_on=gives_up), User)
    assert_type(await cache.get_or_set("k", load_user, type=User, stale_if_error=None), User)
    policy: LoadOptions = {"stale_if_error": "1h", "timeout": 2}
    assert_type(await cache.refresh("k", load_user, **policy), User)
    LoadConfig(stale_on=gives_up, max_loads=None, timeout="2s")

    await cache.get_or_set("k", load_user, stale_if_errors=60)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]
    await cache.get_or_set("k", load_user, jitter="10%")  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]
    await cache.get_or_set("k", load_user, stale_on="OSError")  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]
    LoadConfig(stale_if_errors=60)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


async def decorators(cache: Provider) -> None:
    """Decorators take the same."""

    @cached(cache, "5m", stale_if_error="1h", refresh_ahead=0.8, tags=("users", "user:{user_id}"))
    async def one(user_id: int) -> User:
        return User(str(user_id))

    @cached_multi(cache, "5m", stale_while_revalidate=30, cache_none=False)
    async def many(user_ids: list[int]) -> dict[int, User | None]:
        return dict.fromkeys(user_ids)

    assert_type(await one(1), User)
    assert_type(await many([1]), dict[int, User | None])
    cached(cache, stale_if_error=[])  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def values_of_any_type(cache: Provider) -> None:
    """What was read without a type is of any; with one, it is of that."""
    found: Any = await cache.get("k")
    assert_type((await cache.get_item("k", type=User)).etag, str | None)
    del found
