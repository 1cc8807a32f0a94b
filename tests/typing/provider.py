"""What comes back from a provider, as type checkers see it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, assert_type

from aiocache_kit import DEFAULT, MISSING, Item, Provider, Stats, new_provider
from aiocache_kit.provider import Lease, LoadContext
from aiocache_kit.sentinels import Sentinel


@dataclass
class User:
    name: str


async def load_user() -> User:
    return User("Ann")


async def load_with(context: LoadContext) -> User:
    context.ttl = "1h30m"
    return User(context.key)


def load_in_a_thread() -> int:
    return 5


async def load_users(keys: list[str]) -> dict[str, User]:
    return {key: User(key) for key in keys}


def load_users_in_a_thread(keys: list[str]) -> Mapping[str, User]:
    return {key: User(key) for key in keys}


async def reading(cache: Provider) -> None:
    assert_type(await cache.get("k"), Any)
    assert_type(await cache.get("k", type=User), User | None)
    assert_type(await cache.get("k", 5, type=User), User | int)
    assert_type(await cache.get("k", MISSING, type=int), int | Sentinel)
    assert_type(await cache.get_item("k"), Item[Any])
    assert_type(await cache.get_item("k", type=User), Item[User])
    assert_type((await cache.get_item("k", type=User)).value, User)
    assert_type(await cache.get_multi(["a"]), dict[str, Any])
    assert_type(await cache.get_multi({"a"}, type=User), dict[str, User])
    assert_type(await cache.exists("k"), bool)
    async for key in cache.keys("prefix"):
        assert_type(key, str)


async def writing(cache: Provider) -> None:
    await cache.set("k", User("Ann"), 5, tags=["t"], cost=3)
    await cache.set("k", None, DEFAULT)
    await cache.set("k", None, ttl=None)
    assert_type(await cache.add("k", 1, "1h30m"), bool)
    assert_type(await cache.replace("k", 1), bool)
    assert_type(await cache.compare_and_set("k", 1, 3), bool)
    assert_type(await cache.increment("k", 2, initial=5, ttl=60), int)
    assert_type(await cache.decrement("k"), int)
    assert_type(await cache.touch("k", 60.5), bool)
    assert_type(await cache.expire("k"), bool)
    assert_type(await cache.delete("k"), bool)
    assert_type(await cache.delete_multi(["a", "b"]), int)
    assert_type(await cache.pop("k"), Any)
    await cache.set_multi({"a": 1}, 5, tags={"t"})
    await cache.invalidate_tags("a", "b")


async def loading(cache: Provider) -> None:
    assert_type(await cache.get_or_set("k", load_user), User)
    assert_type(await cache.get_or_set("k", load_with, 300, tags=["t"], cost=5), User)
    assert_type(await cache.get_or_set("k", load_in_a_thread, None), int)
    assert_type(await cache.get_or_set("k", load_in_a_thread, type=str), str)
    assert_type(await cache.refresh("k", load_user), User)
    assert_type(await cache.get_or_set_multi(["a"], load_users), dict[str, User])
    assert_type(await cache.get_or_set_multi(["a"], load_users_in_a_thread, 5), dict[str, User])
    assert_type(await cache.refresh_multi(["a"], load_users), dict[str, User])


async def living() -> None:
    async with new_provider() as cache:
        assert_type(cache, Provider)
        assert_type(cache.namespace("users"), Provider)
        assert_type(await cache.stats(), Stats)
        assert_type(await cache.ping(), float)
        async with cache.lock("k", 5, timeout=1.5) as lease:
            assert_type(lease, Lease)
            assert_type(lease.fencing, int)


async def refused(cache: Provider) -> None:
    await cache.get(5)  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType]
    await cache.set("k", 1, [])  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await cache.set("k", 1, tags=None)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await cache.set("k", 1, 5, ["t"])  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    await cache.get_or_set("k", load_user, tag="t")  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]
    await cache.get_or_set("k", 5)  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType, reportCallIssue]
