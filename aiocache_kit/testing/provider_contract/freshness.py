"""Checks of a provider: what is served by a policy of freshness, and what never is."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from aiocache_kit.errors import InvalidArgumentError, LoadFailedError, LoadTimeoutError
from aiocache_kit.provider import LoadContext
from aiocache_kit.testing.contract import raises
from aiocache_kit.testing.provider_contract.case import ProviderCase, Source

WRONG: tuple[dict[str, Any], ...] = (
    *({"jitter": value} for value in (1, -0.1, "x", True, None)),
    *({"refresh_ahead": value} for value in (0, 1, 1.5, "x", True)),
    *({"early_beta": value} for value in (-1, "x", float("inf"))),
    *({"stale_on": value} for value in (BaseException, 5, (ValueError, 5))),
    *({"cache_none": value} for value in (0, "no", None)),
    *(
        {name: value}
        for name in ("stale_while_revalidate", "stale_if_error", "throttle", "timeout", "stale_timeout", "negative_ttl")
        for value in (-1, "x", True, float("nan"))
    ),
)


class DownError(Exception):
    """What a source raises that is down."""


class Freshness(ProviderCase):
    """Old values, the loads behind them, and the errors of those."""

    def ask(self, source: Source, *, key: str = "k", **policy: Any) -> Awaitable[Any]:  # noqa: ANN401  - any option
        """Ask for a value with a ttl of ten seconds."""
        return self.cache.get_or_set(key, source.load, 10, **policy)

    async def loaded(self, key: str = "k", **policy: Any) -> None:  # noqa: ANN401  - any option
        """Load an old value."""
        assert await self.ask(Source("old"), key=key, **policy) == "old"

    async def test_old_value_stands_in_for_a_new_one(self) -> None:
        """Within its window an old value is given at once, and one load behind it brings the new one."""
        await self.loaded(stale_while_revalidate=60)
        await self.pass_time(20.0)
        source = Source("new", held=self.stores)
        given = [await self.ask(source, stale_while_revalidate=60) for _ in range(3)]
        await self.settle()
        source.open()
        await self.settle()

        assert given == [self.kept("old", "new")] * 3
        assert source.loads == self.kept(1, 3)
        assert await self.ask(source, stale_while_revalidate=60) == "new"
        assert source.loads == self.kept(1, 4)

    async def test_other_reads_get_no_old_value(self) -> None:
        """Whoever does not load gets nothing that is not fresh, and a load without a policy is waited for."""
        await self.loaded(stale_while_revalidate=60, stale_if_error=60)
        await self.pass_time(20.0)

        assert await self.lacks("k")
        assert await self.ask(Source("new")) == "new"

    async def test_old_value_for_a_source_that_fails(self) -> None:
        """A source that fails is asked once a throttle period, and its error is seen once the window is over."""
        if not self.stores:
            return
        await self.loaded(stale_if_error=600)
        source = Source(DownError())
        for _ in range(10):
            await self.pass_time(15.0)
            assert await self.ask(source, stale_if_error=600, throttle=30) == "old"
        assert source.loads <= 5
        await self.pass_time(700.0)

        with raises(DownError):
            await self.ask(source, stale_if_error=600, throttle=30)

    async def test_only_failures_of_the_source_are_hidden(self) -> None:
        """An error that does not mean that the source fails is raised; giving up and taking too long do mean that."""
        policy: dict[str, Any] = {"stale_if_error": 600, "stale_on": DownError, "throttle": 0, "timeout": 5}
        if not self.stores:
            return
        await self.loaded(**policy)
        await self.pass_time(20.0)
        with raises(LookupError):
            await self.ask(Source(LookupError()), **policy)
        assert await self.ask(Source(DownError()), **policy) == "old"
        assert await self.cache.get_or_set("k", lambda context: context.fail("gone"), 10, **policy) == "old"
        late = await self.waiting(_awaited(self.ask(Source("late", held=True), **policy)))
        await self.pass_time(6.0)

        assert await late == "old"

    async def test_removed_value_never_comes_back(self) -> None:
        """What was deleted, cleared or invalidated is no fall-back, however old values may be."""
        changes: list[Callable[[], Awaitable[object]]] = [
            lambda: self.cache.delete("k"),
            lambda: self.cache.delete_multi(["k"]),
            lambda: self.cache.pop("k"),
            self.cache.clear,
            lambda: self.cache.invalidate_prefix("k"),
            lambda: self.cache.invalidate_tags("t"),
        ]
        policy: dict[str, Any] = {"stale_while_revalidate": 600, "stale_if_error": 600, "tags": ["t"]}
        for is_old in (False, True):
            for change in changes:
                await self.loaded(**policy)
                if is_old:
                    await self.pass_time(20.0)
                    if change is changes[2]:
                        continue  # nothing live is there to be popped
                await change()
                with raises(DownError):
                    await self.ask(Source(DownError()), **policy)
                assert await self.ask(Source("new"), **policy) == "new"
                await self.cache.clear()

    async def test_expired_value_is_only_a_fall_back(self) -> None:
        """What was told to expire, fresh or old, is never given at once, and is given if its source fails."""
        if not self.stores:
            return
        policy: dict[str, Any] = {"stale_while_revalidate": 600, "stale_if_error": 600, "stale_timeout": 1}
        for age in (0.0, 20.0):
            await self.loaded(**policy)
            await self.pass_time(age)
            assert await self.cache.expire("k") is (age == 0.0)
            assert await self.ask(Source(DownError()), **policy) == "old"
            await self.cache.expire("k")
            source = Source("new", held=True)
            caller = await self.waiting(_awaited(self.ask(source, **policy)))
            await self.pass_time(2.0)
            assert not caller.done()
            source.open()
            assert await caller == "new"
            await self.cache.delete("k")

    async def test_load_behind_a_change_stores_nothing(self) -> None:
        """A load in the background that ends after a change does not undo it."""
        if not self.stores:
            return
        for key in ("deleted", "set"):
            await self.loaded(key, stale_while_revalidate=60)
        await self.pass_time(20.0)
        source = Source("late", held=True)
        for key in ("deleted", "set"):
            assert await self.ask(source, key=key, stale_while_revalidate=60) == "old"
        await self.settle()
        await self.cache.delete("deleted")
        await self.cache.set("set", "newer")
        source.open()
        await self.settle()

        assert await self.lacks("deleted")
        assert await self.holds("set", "newer")

    async def test_refresh_ahead(self) -> None:
        """After a share of its ttl a value is given at once, and loaded anew behind that; one that fails waits."""
        if not self.stores:
            return
        await self.loaded(refresh_ahead=0.5)
        await self.pass_time(4.0)
        source = Source(DownError())
        assert await self.ask(source, refresh_ahead=0.5) == "old"
        assert source.loads == 0
        await self.pass_time(3.0)
        for _ in range(3):
            assert await self.ask(source, refresh_ahead=0.5, throttle=1) == "old"
            await self.settle()
        assert source.loads == 1
        await self.pass_time(1.5)
        source.value = "new"
        assert await self.ask(source, refresh_ahead=0.5, throttle=1) == "old"
        await self.settle()

        assert await self.holds("k", "new")

    async def test_errors_may_be_remembered(self) -> None:
        """An error is raised again without a load for as long as was said, and a change makes it forgotten."""
        source = Source(DownError())
        for _ in range(3):
            with raises(DownError):
                await self.ask(source, negative_ttl=5)
        assert source.loads == 1
        await self.pass_time(6.0)
        with raises(DownError):
            await self.ask(source, negative_ttl=5, tags=["t"])
        assert source.loads == 2
        for change in (self.cache.delete("k"), self.cache.clear(), self.cache.invalidate_tags("t")):
            await change
            with raises(DownError):
                await self.ask(source, negative_ttl=5, tags=["t"])

        assert source.loads == 5

    async def test_load_may_have_an_end(self) -> None:
        """A load that takes longer than it may is ended, and everybody who waits is told so."""
        source = Source("late", held=True)
        callers = [await self.waiting(_awaited(self.ask(source, timeout=5))) for _ in range(2)]
        await self.pass_time(6.0)
        errors = await asyncio.gather(*callers, return_exceptions=True)
        await self.settle()

        assert [type(error) for error in errors] == [LoadTimeoutError] * 2
        assert (source.loads, source.cancelled) == (1, 1)

    async def test_old_value_for_a_source_that_takes_long(self) -> None:
        """After `stale_timeout` an old value is given, and the load goes on: its value is there for the next one."""
        if not self.stores:
            return
        policy: dict[str, Any] = {"stale_if_error": 600, "stale_timeout": 2}
        await self.loaded(**policy)
        await self.pass_time(20.0)
        source = Source("new", held=True)
        caller = await self.waiting(_awaited(self.ask(source, **policy)))
        await self.pass_time(1.0)
        assert not caller.done()
        await self.pass_time(2.0)
        assert await caller == "old"
        source.open()
        await self.settle()

        assert (source.loads, source.cancelled) == (1, 0)
        assert await self.holds("k", "new")

    async def test_jitter_shortens_a_ttl(self) -> None:
        """A ttl is shortened by at most the share that is said, and not each time by the same."""
        for number in range(20):
            await self.cache.get_or_set(f"k{number}", Source(number).load, 100, jitter=0.5)
        await self.cache.get_or_set("exact", Source(1).load, 100)
        ttls = [(await self.cache.get_item(f"k{number}")).ttl for number in range(20)] if self.stores else []
        assert all(ttl is not None and 50.0 <= ttl <= 100.0 for ttl in ttls)
        assert len(set(ttls)) > self.kept(1, -1)
        await self.pass_time(49.0)
        assert len(await self.found()) == self.kept(21, 0)
        await self.pass_time(50.5)
        assert await self.holds("exact", 1)
        await self.pass_time(1.0)

        assert await self.found() == set()

    async def test_load_may_come_early_by_chance(self) -> None:
        """The dearer a load was, and the greater the factor, the earlier a hit loads anew behind the old value."""
        if not self.stores:
            return
        loads: dict[str, int] = {"never": 0, "early": 0}

        async def load(context: LoadContext) -> int:
            loads[context.key] += 1
            await self.clock.sleep(1.0)
            return loads[context.key]

        for key, beta in (("never", 0.0), ("early", 1e9)):
            caller = await self.waiting(_awaited(self.cache.get_or_set(key, load, 100, early_beta=beta)))
            await self.pass_time(1.0)
            assert await caller == 1
            await self.pass_time(10.0)
            assert await self.cache.get_or_set(key, load, 100, early_beta=beta) == 1
            await self.settle()

        assert loads == {"never": 1, "early": 2}

    async def test_none_need_not_be_kept(self) -> None:
        """None is given and not kept where the policy says so, and what was there before goes."""
        source = Source(None)
        for _ in range(2):
            assert await self.ask(source, cache_none=False) is None
        assert source.loads == 2
        await self.loaded(stale_while_revalidate=60)
        await self.pass_time(20.0)
        await self.ask(source, stale_while_revalidate=60, cache_none=False)
        await self.settle()

        assert await self.ask(Source("new"), stale_while_revalidate=60) == "new"

    async def test_giving_up_is_an_error_without_an_old_value(self) -> None:
        """A loader that gives up fails, with its reason, where nothing can stand in."""
        with raises(LoadFailedError):
            await self.cache.get_or_set("k", lambda context: context.fail("gone"), 10, stale_if_error=60)

    async def test_many_keys_by_one_load(self) -> None:
        """Of several keys the old ones are given at once, and one load behind that brings them all."""
        asked: list[set[str]] = []

        async def load(keys: list[str]) -> dict[str, str]:
            asked.append(set(keys))
            return dict.fromkeys(keys, f"load {len(asked)}")

        policy: dict[str, Any] = {"stale_while_revalidate": 60, "stale_if_error": 600}
        await self.cache.get_or_set_multi(["a", "b"], load, 10, **policy)
        await self.pass_time(20.0)
        if not self.stores:
            return
        given = await self.cache.get_or_set_multi(["a", "b", "c"], load, 10, **policy)
        await self.settle()

        assert set(given) == {"a", "b", "c"}
        assert given["a"] == given["b"] == "load 1"
        assert sorted(map(sorted, asked)) == [["a", "b"], ["a", "b"], ["c"]]
        assert await self.cache.get_multi(["a"]) != {"a": "load 1"}

    async def test_many_keys_fall_back(self) -> None:
        """Where the load of several keys fails, all of them must have an old value, or the error is raised."""
        if not self.stores:
            return
        policy: dict[str, Any] = {"stale_if_error": 600, "throttle": 0}
        await self.cache.get_or_set_multi(["a", "b"], lambda keys: dict.fromkeys(keys, "old"), 10, **policy)
        await self.pass_time(20.0)
        down = Source(DownError())

        assert await self.cache.get_or_set_multi(["a", "b"], down.load_all, 10, **policy) == {"a": "old", "b": "old"}
        with raises(DownError):
            await self.cache.get_or_set_multi(["a", "c"], down.load_all, 10, **policy)

    async def test_what_forgets_all_has_nothing_old(self) -> None:
        """Where nothing is kept there is no old value for any policy: each call loads, and each error is seen."""
        if self.stores:
            return  # what is old there is what the other checks are about
        policies: list[dict[str, Any]] = [
            {"stale_while_revalidate": 600},
            {"stale_if_error": 600, "stale_timeout": 1, "throttle": 30},
            {"refresh_ahead": 0.5, "early_beta": 1e9},
        ]
        for policy in policies:
            source = Source("new")
            given = [await self.ask(source, **policy) for _ in range(3)]
            many = await self.cache.get_or_set_multi(["k"], lambda keys: dict.fromkeys(keys, "many"), 10, **policy)
            assert (given, source.loads, many) == (["new"] * 3, 3, {"k": "many"})
            with raises(DownError):
                await self.ask(Source(DownError()), **policy)

        assert (await self.cache.stats()).stale_hits == 0

    async def test_options_that_there_are_not_are_refused(self) -> None:
        """A misspelled option is a `TypeError`, whether a value is there or not, and nothing is loaded."""
        source = Source()
        await self.cache.set("hit", 1)
        inner = self.cache.namespace("n")
        methods: list[Callable[..., Awaitable[object]]] = []
        methods += [self.cache.get_or_set, inner.get_or_set, self.cache.refresh, inner.refresh]
        wrong: list[dict[str, Any]] = [{"tll": 5}, {"early_beta": 1.0, "tag": "t"}, {"type": int, "stale": 1}]
        for method in methods:
            for key in ("hit", "miss"):
                for options in wrong:
                    with raises(TypeError):
                        await method(key, source.load, **options)
        several: list[Callable[..., Awaitable[object]]] = []
        several += [self.cache.get_or_set_multi, self.cache.refresh_multi]
        for method in several:
            with raises(TypeError):
                await method(["hit", "miss"], source.load_all, tll=5)

        assert source.loads == 0

    async def test_wrong_policies_are_refused(self) -> None:
        """Whatever an option cannot be is refused before anything is loaded."""
        source = Source()
        for options in WRONG:
            calls = [
                self.ask(source, **options),
                self.cache.refresh("k", source.load, **options),
                self.cache.get_or_set_multi(["k"], source.load_all, **options),
            ]
            await self.refuses(InvalidArgumentError, *calls)

        assert source.loads == 0


async def _awaited(call: Awaitable[Any]) -> Any:  # noqa: ANN401  - whatever is cached
    return await call
