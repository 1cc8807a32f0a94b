"""What type checkers know of cached functions and methods."""

from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, assert_type

from aiocache_kit import MISSING, Provider, cached, cached_multi, new_provider
from aiocache_kit.sentinels import Sentinel

cache = new_provider()


@dataclass(frozen=True)
class User:
    """Something to load."""

    id: int


def get_cache() -> Provider:
    """Give the provider when it is needed."""
    return cache


@cached(cache, "5m", key="user:{user_id}", tags=("users", "user:{user_id}"), cost=100)
async def load(user_id: int, lang: str = "en", *, deep: bool = False) -> User:
    """Load one."""
    return User(user_id + len(lang) + deep)


@cached(get_cache, exclude=["session"], type=User)
def load_in_thread(session: object, user_id: int) -> User:
    """Load one in a thread."""
    del session
    return User(user_id)


@cached_multi(get_cache, 60, key="user:{user_id}")
async def load_many(user_ids: Sequence[int], lang: str = "en") -> Mapping[int, User]:
    """Load many."""
    return {each: User(each + len(lang)) for each in user_ids}


@cached_multi(cache)
def load_many_in_thread(user_ids: list[str]) -> dict[str, User]:
    """Load many in a thread."""
    return {each: User(len(each)) for each in user_ids}


class Repository:
    """Something with methods."""

    def __cache_key__(self) -> str:
        return "repository"

    @cached(cache)
    async def load(self, user_id: int, lang: str = "en") -> User:
        """Load one."""
        return User(user_id + len(lang))

    @cached(cache)
    def load_in_thread(self, user_id: int) -> User:
        """Load one in a thread."""
        return User(user_id)

    @cached_multi(cache, key="user:{user_id}")
    async def load_many(self, user_ids: Iterable[int], lang: str = "en") -> dict[int, User]:
        """Load many."""
        return {each: User(each + len(lang)) for each in user_ids}

    @cached_multi(cache)
    def load_many_in_thread(self, user_ids: list[int]) -> dict[int, User]:
        """Load many in a thread."""
        return {each: User(each) for each in user_ids}

    @staticmethod
    @cached(cache)
    async def load_static(user_id: int) -> User:
        """Load one without an instance."""
        return User(user_id)


def takes_any_coroutine_function(function: Callable[[int], Coroutine[Any, Any, User]]) -> None:
    """Take what can be called and awaited."""
    del function


async def functions() -> None:
    """A cached function keeps its parameters and its result; what it gained takes the same parameters."""
    assert_type(await load(1, "de", deep=True), User)
    assert_type(await load(user_id=1), User)
    assert_type(await load.invalidate(1, lang="de"), bool)
    assert_type(await load.refresh(1), User)
    assert_type(await load.peek(1), User | Literal[Sentinel.MISSING])
    assert_type(load.key_for(1, deep=True), str)
    assert_type(await load.original(1), User)
    await load.set(User(1), 1, "de")
    takes_any_coroutine_function(load)
    kept = await load.peek(1)
    if kept is not MISSING:
        assert_type(kept, User)

    await load("1")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await load(1, language="de")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    await load.invalidate()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    await load.set("value", 1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    cached(cache, expire=5)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    cached("memory")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def plain_functions() -> None:
    """A plain function is awaited once it is cached; the original is not."""
    assert_type(await load_in_thread(None, 1), User)
    assert_type(load_in_thread.original(None, 1), User)
    assert_type(await load_in_thread.refresh(None, user_id=1), User)


async def functions_of_many() -> None:
    """A cached function of many ids takes any iterable of them, and gives a dict."""
    assert_type(await load_many((1, 2), "de"), dict[int, User])
    assert_type(await load_many({3}, lang="de"), dict[int, User])
    assert_type(await load_many.peek([1]), dict[int, User])
    assert_type(await load_many.refresh([1]), dict[int, User])
    assert_type(await load_many.invalidate([1, 2]), int)
    assert_type(load_many.key_for(1, "de"), str)
    await load_many.set({1: User(1)}, lang="de")
    assert_type(await load_many.original([1]), Mapping[int, User])
    assert_type(await load_many_in_thread(["a"]), dict[str, User])
    assert_type(load_many_in_thread.original(["a"]), Mapping[str, User])

    await load_many(1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await load_many(["a"])  # type: ignore[list-item]  # pyright: ignore[reportArgumentType]
    load_many.key_for([1])  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def methods(repository: Repository) -> None:
    """A method is bound, and so is what it gained."""
    assert_type(await repository.load(1, "de"), User)
    assert_type(await repository.load.invalidate(1), bool)
    assert_type(await repository.load.original(1), User)
    assert_type(await Repository.load(repository, 1), User)
    assert_type(await repository.load_in_thread(1), User)
    assert_type(repository.load_in_thread.original(1), User)
    assert_type(await repository.load_many([1], "de"), dict[int, User])
    assert_type(await repository.load_many.invalidate([1]), int)
    assert_type(await repository.load_many_in_thread([1]), dict[int, User])
    assert_type(await Repository.load_static(1), User)
    assert_type(await Repository.load_static.invalidate(1), bool)
    takes_any_coroutine_function(repository.load)

    await repository.load("1")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await repository.load.refresh()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
