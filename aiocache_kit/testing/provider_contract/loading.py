"""Checks of a provider: loading what is missing."""

import asyncio
import contextvars
import functools
import threading
from typing import Any

from aiocache_kit.errors import InvalidArgumentError, InvalidTagError, InvalidTTLError, RecursiveLoadError
from aiocache_kit.provider import LoadContext
from aiocache_kit.testing.contract import raises
from aiocache_kit.testing.provider_contract.case import ProviderCase, Source, nothing, one

tenant: contextvars.ContextVar[str] = contextvars.ContextVar("tenant", default="nobody")


class OopsError(Exception):
    """What a loader raises."""


def takes_two(first: int, second: int) -> int:
    """Want more than a loader is given."""
    return first + second


class Loading(ProviderCase):
    """get_or_set by one caller at a time."""

    async def test_missing_value_is_loaded_and_kept(self) -> None:
        """The first call loads, the next one finds what was loaded."""
        source = Source({"a": 1})
        first = await self.cache.get_or_set("k", source.load)
        second = await self.cache.get_or_set("k", source.load)

        assert first == second == {"a": 1}
        assert source.loads == self.kept(1, 2)
        assert await self.holds("k", {"a": 1})

    async def test_hit_needs_no_loader(self) -> None:
        """What is there is given and nothing is loaded."""
        await self.cache.set("k", "there")
        source = Source("loaded")

        assert await self.cache.get_or_set("k", source.load) == self.kept("there", "loaded")
        assert source.loads == self.kept(0, 1)

    async def test_falsy_values_are_loaded_once(self) -> None:
        """None and whatever else is false is kept like any other value."""
        values: tuple[Any, ...] = (None, False, 0, "", b"", [], {})
        for number, value in enumerate(values):
            source = Source(value)
            for _ in range(2):
                assert await self.cache.get_or_set(f"k{number}", source.load) == value
            assert source.loads == self.kept(1, 2)

    async def test_loaded_value_has_ttl_and_tags(self) -> None:
        """What the caller says of the value holds; the default ttl where nothing is said."""
        for key, ttl in (("short", 5), ("long", 5000)):
            await self.cache.get_or_set(key, one, ttl, tags=["t"], cost=3)
        await self.cache.get_or_set("default", one)
        await self.pass_time(6.0)
        assert await self.found() == self.those(["default", "long"])
        await self.pass_time(600.0)
        assert await self.found() == self.those(["long"])
        await self.cache.invalidate_tags("t")

        assert await self.found() == set()

    async def test_loader_may_be_any_callable(self) -> None:
        """Functions, methods, partials, objects and lambdas are loaders, whether they are awaited or not."""

        class Loader:
            async def __call__(self) -> int:
                return 1

            def sync(self) -> int:
                return 1

            @classmethod
            async def of_class(cls) -> int:
                return 1

            @staticmethod
            def of_none() -> int:
                return 1

        async def add(a: int, b: int = 0) -> int:
            return a + b

        loader = Loader()
        loaders: list[Any] = [one, loader, loader.sync, loader.of_class, loader.of_none, functools.partial(add, 1)]
        loaders += [lambda: one(), lambda: 1, functools.partial(int, 1), functools.partial(add, b=0, a=1)]  # noqa: PLW0108  - a lambda is what is checked
        for number, each in enumerate(loaders):
            for _ in range(2):
                assert await self.cache.get_or_set(f"k{number}", each) == 1, each
            await self.cache.delete(f"k{number}")
            assert await self.cache.get_or_set(f"k{number}", each) == 1, each

    async def test_sync_loader_runs_in_a_thread(self) -> None:
        """A loader that is no coroutine function does not run in the thread of the event loop."""
        here = threading.get_ident()

        assert await self.cache.get_or_set("k", threading.get_ident) != here
        assert await self.cache.get_or_set("j", lambda: threading.get_ident()) != here  # noqa: PLW0108  - as above

    async def test_async_loader_runs_on_the_event_loop(self) -> None:
        """A coroutine function runs in the thread of its caller, in a task of its own."""

        async def where() -> tuple[int, bool]:
            return threading.get_ident(), asyncio.current_task() is caller

        caller = asyncio.current_task()
        thread, same = await self.cache.get_or_set("k", where)

        assert thread == threading.get_ident()
        assert not same

    async def test_loader_may_be_told_its_context(self) -> None:
        """A loader that takes an argument is told the key, the ttl and the tags, and may decide otherwise."""
        seen: list[Any] = []

        async def load(context: LoadContext) -> str:
            seen.append((context.key, context.ttl, context.tags, context.cost))
            context.ttl = "5s"
            context.tags = ["mine", "mine"]
            context.cost = 4
            return "v"

        await self.cache.get_or_set("k", load, 500, tags=["t", "t"], cost=2)
        assert seen == [("k", 500.0, ("t",), 2)]
        if self.stores:
            item = await self.cache.get_item("k")
            assert (item.ttl, item.tags, item.cost) == (5.0, ("mine",), 4)
        await self.cache.invalidate_tags("t")
        assert await self.holds("k", "v")
        await self.cache.invalidate_tags("mine")
        assert await self.lacks("k")

    async def test_loader_may_forbid_to_store(self) -> None:
        """A value that is not cacheable is given and not stored."""

        def load(context: LoadContext) -> int:
            context.cacheable = False
            return 1

        assert await self.cache.get_or_set("k", load) == 1
        assert await self.lacks("k")

    async def test_loader_that_decides_wrongly_is_told(self) -> None:
        """A wrong ttl or tag set by the loader is an error of the loader's, and nothing is stored."""

        async def load(context: LoadContext, name: str, value: Any) -> int:  # noqa: ANN401  - wrong on purpose
            setattr(context, name, value)
            return 1

        cases: tuple[tuple[str, Any, type[Exception]], ...] = (
            ("ttl", -1, InvalidTTLError),
            ("ttl", "soon", InvalidTTLError),
            ("tags", "t", InvalidTagError),
            ("tags", [""], InvalidTagError),
        )
        for name, value, error in cases:
            with raises(error):
                await self.cache.get_or_set("k", functools.partial(load, name=name, value=value))
            assert await self.lacks("k")

    async def test_error_of_the_loader_comes_out_unchanged(self) -> None:
        """The very exception is raised, nothing is stored, and the next call loads again."""
        error = OopsError("x")
        for source in (Source(error), Source(error)):
            with raises(OopsError) as caught:
                await self.cache.get_or_set("k", source.load)
            assert caught.error is error
            assert source.loads == 1
        assert await self.lacks("k")

        assert await self.cache.get_or_set("k", one) == 1

    async def test_error_of_a_sync_loader_comes_out_unchanged(self) -> None:
        """The same from a thread."""
        error = OopsError("x")

        def load() -> int:
            raise error

        with raises(OopsError) as caught:
            await self.cache.get_or_set("k", load)

        assert caught.error is error
        assert await self.lacks("k")

    async def test_stop_iteration_of_a_loader_ends_nothing(self) -> None:
        """A loader that raises StopIteration is a RuntimeError, as in any coroutine, and never hangs."""

        async def load() -> int:
            return next(iter(()))

        def load_in_thread() -> int:
            return next(iter(()))

        for loader in (load, load_in_thread, lambda: next(iter(()))):
            with raises(RuntimeError):
                await self.cache.get_or_set("k", loader)

        assert await self.cache.get_or_set("k", one) == 1

    async def test_wrong_loaders_are_refused(self) -> None:
        """What cannot be called, wants too much or was called already is refused, in words that say what to do."""
        coroutine = one()
        wrong: tuple[Any, ...] = (None, 5, "load", [], coroutine, takes_two)
        for loader in wrong:
            await self.refuses(InvalidArgumentError, self.cache.get_or_set("k", loader))
        with raises(InvalidArgumentError) as caught:
            argument: Any = one()
            await self.cache.get_or_set("k", argument)
        assert "without calling it" in str(caught.error)
        for loader in wrong[:3]:
            await self.refuses(InvalidArgumentError, self.cache.get_or_set_multi(["k"], loader))
        coroutine.close()

        assert await self.lacks("k")

    async def test_loader_sees_the_context_of_its_caller(self) -> None:
        """A loader, on the loop or in a thread, sees the context variables of the caller, and sets none outside."""

        async def load() -> str:
            seen = tenant.get()
            tenant.set("loader")
            await asyncio.sleep(0)
            return seen

        def load_in_thread() -> str:
            seen = tenant.get()
            tenant.set("loader")
            return seen

        token = tenant.set("caller")
        assert await self.cache.get_or_set("a", load) == "caller"
        assert await self.cache.get_or_set("b", load_in_thread) == "caller"
        assert tenant.get() == "caller"
        tenant.reset(token)

    async def test_timeouts_in_a_loader_work(self) -> None:
        """`asyncio.timeout` in the first step of a loader, or later, ends the loader and nothing else."""

        async def load(late: bool) -> str:  # noqa: FBT001  - bound below
            if late:
                await asyncio.sleep(0)
            try:
                async with asyncio.timeout(0):
                    await asyncio.Event().wait()
            except TimeoutError:
                return "in time"
            return "never"

        for late in (False, True):
            assert await self.cache.get_or_set(f"k{late}", functools.partial(load, late)) == "in time"
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0

    async def test_timeout_around_a_call_ends_the_call(self) -> None:
        """A caller that has no time to wait gets its TimeoutError, and the load ends with it."""
        source = Source(held=True)
        with raises(TimeoutError):
            async with asyncio.timeout(0):
                await self.cache.get_or_set("k", source.load)
        await self.settle()

        assert source.loads == source.cancelled
        assert await self.cache.get_or_set("k", one) == 1

    async def test_loader_may_load_other_keys(self) -> None:
        """Loads of different keys may be nested, one by one and several at once."""

        async def outer() -> list[int]:
            inner = await self.cache.get_or_set("inner", one)
            return [
                inner,
                *(await self.cache.get_or_set_multi(["x", "y"], lambda keys: dict.fromkeys(keys, 2))).values(),
            ]

        assert await self.cache.get_or_set("outer", outer) == [1, 2, 2]
        assert await self.found() == self.those(["inner", "outer", "x", "y"])

    async def test_loader_that_asks_for_its_own_key_is_told(self) -> None:
        """It gets a RecursiveLoadError instead of waiting for itself: at once, later, or by a task of its own."""
        for kind in ("at once", "later", "by a task", "in a group", "several"):

            async def again(kind: str = kind) -> Any:  # noqa: ANN401  - never returns
                if kind != "at once":
                    await asyncio.sleep(0)
                call = self.cache.get_or_set("k", again)
                match kind:
                    case "by a task":
                        return await self.start(call)
                    case "in a group":
                        return await asyncio.gather(call)
                    case "several":
                        call.close()
                        return await self.cache.get_or_set_multi(["j", "k"], lambda keys: dict.fromkeys(keys, 1))
                    case _:
                        return await call

            with raises(RecursiveLoadError):
                await self.cache.get_or_set("k", again)
            assert await self.lacks("k"), kind

        assert await self.cache.get_or_set("k", one) == 1

    async def test_loaders_that_ask_for_one_another_are_told(self) -> None:
        """A load that waits, over others, for itself is told so, however long the way round is."""
        for length in (2, 3, 10):
            for turns in (0, 1, 3):

                async def load(number: int, length: int = length, turns: int = turns) -> object:
                    for _ in range(turns):
                        await asyncio.sleep(0)
                    following = (number + 1) % length
                    return await self.cache.get_or_set(f"k{following}", functools.partial(load, following))

                with raises(RecursiveLoadError):
                    await self.cache.get_or_set("k0", functools.partial(load, 0))
                await self.settle()
        assert await self.cache.get_or_set("k0", one) == 1

    async def test_loads_that_cross_are_told(self) -> None:
        """Two loads, begun by different callers, that come to ask for each other's key do not hang."""
        begun = {"a": asyncio.Event(), "b": asyncio.Event()}

        async def load(mine: str, other: str) -> object:
            begun[mine].set()
            await begun[other].wait()
            return await self.cache.get_or_set(other, one)

        tasks = [
            self.start(self.cache.get_or_set("a", functools.partial(load, "a", "b"))),
            self.start(self.cache.get_or_set("b", functools.partial(load, "b", "a"))),
        ]
        results: list[Any] = await asyncio.gather(*tasks, return_exceptions=True)

        assert any(isinstance(result, RecursiveLoadError) for result in results)

    async def test_task_that_outlives_its_load_may_load(self) -> None:
        """A task that a loader has started and that goes on after the load is no part of it."""
        go = asyncio.Event()
        tasks: list[asyncio.Task[int]] = []

        async def later() -> int:
            await go.wait()
            await self.cache.delete("k")
            return await self.cache.get_or_set("k", one)

        async def load() -> int:
            tasks.append(self.start(later()))
            return 5

        assert await self.cache.get_or_set("k", load) == 5
        go.set()

        assert await tasks[0] == 1

    async def test_refresh_loads_all(self) -> None:
        """A refresh of several keys asks for all of them in their order, live or not, and gives what was found."""
        await self.cache.set("a", "old")
        names, asked = [f"k{number}" for number in range(20)], list[str]()

        def load(keys: list[str]) -> dict[str, str]:
            asked.extend(keys)
            return {}

        await self.cache.refresh_multi(names, load)
        assert asked == names

        assert await self.cache.refresh_multi(["a", "b"], lambda keys: {keys[0]: "new"}) == {"a": "new"}
        assert await self.holds("a", "new")
        assert await self.cache.refresh_multi(["a"], nothing) == {}
