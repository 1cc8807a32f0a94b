"""Checks of a provider: many keys at once, tags, clearing and going over keys."""

from typing import Any

from aiocache_kit.errors import InvalidTagError
from aiocache_kit.sentinels import MISSING
from aiocache_kit.testing.contract import NASTY, raises
from aiocache_kit.testing.provider_contract.case import ProviderCase, Source


class Multi(ProviderCase):
    """get_multi, set_multi, delete_multi."""

    async def test_what_was_set_together_is_got_together(self) -> None:
        """Each key has its value, in the order asked for, and missing ones are left out."""
        await self.cache.set_multi({"a": 1, "b": None, "c": [3]})
        found = await self.cache.get_multi(["c", "missing", "a", "b"])

        assert list(found.items()) == self.kept([("c", [3]), ("a", 1), ("b", None)], [])

    async def test_set_multi_gives_ttl_and_tags(self) -> None:
        """All values get the ttl and the tags."""
        await self.cache.set_multi({"a": 1, "b": 2}, 5, tags=["t"])
        await self.cache.set_multi({"c": 3}, 500, tags=["t"])
        await self.pass_time(6.0)
        assert await self.found() == self.those(["c"])
        await self.cache.invalidate_tags("t")

        assert await self.found() == set()

    async def test_delete_multi_counts_live_ones(self) -> None:
        """A key that is missing, has expired or comes twice is not counted twice."""
        await self.cache.set_multi({"a": 1, "b": 2, "c": 3})
        await self.cache.set("dead", 4, 1)
        await self.pass_time(2.0)

        assert await self.cache.delete_multi(["a", "b", "missing", "dead", "a"]) == self.kept(2, 0)
        assert await self.found() == self.those(["c"])

    async def test_no_keys_are_no_keys(self) -> None:
        """Empty collections are fine everywhere."""
        await self.cache.set_multi({})

        assert await self.cache.get_multi([]) == {}
        assert await self.cache.delete_multi([]) == 0
        assert await self.cache.get_or_set_multi([], lambda _: {"k": 1}) == {}

    async def test_any_collection_of_keys_will_do(self) -> None:
        """Tuples, sets, dicts and generators are taken, and keys may come twice."""
        await self.cache.set_multi({"a": 1, "b": 2})
        expected = self.kept({"a": 1, "b": 2}, {})

        assert await self.cache.get_multi(("a", "b")) == expected
        assert await self.cache.get_multi({"a", "b"}) == expected
        assert await self.cache.get_multi({"a": 0, "b": 0}) == expected
        assert await self.cache.get_multi(key for key in "ab") == expected
        assert await self.cache.get_multi(["a", "b", "a", "b"]) == expected
        assert await self.cache.delete_multi(key for key in "ab") == self.kept(2, 0)

    async def test_thousands_of_keys_are_fine(self) -> None:
        """Thousands of keys at once, more than go in one message or slice, are set, got and deleted."""
        values = {f"k{number}": number for number in range(2500)}
        await self.cache.set_multi(values)

        found = await self.cache.get_multi(list(values))
        assert len(found) == self.kept(2500, 0)
        assert all(found[key] == values[key] for key in found)
        assert await self.cache.delete_multi(values) == self.kept(2500, 0)
        assert await self.cache.get_multi(list(values)) == {}

    async def test_reads_are_counted_alike(self) -> None:
        """However keys are read, each counts as one hit or one miss, also one that comes twice."""
        await self.cache.set_multi({"a": 1, "b": 2})
        for keys in (["a", "b", "x"], ["a", "a", "x", "x"], ("a", "b"), (key for key in ("b", "y", "b"))):
            listed = list(keys)
            before = await self.cache.stats()
            await self.cache.get_multi(iter(listed) if len(listed) % 2 else listed)
            change = await self.cache.stats() - before
            hits = len({"a", "b"}.intersection(listed))
            assert (change.hits, change.misses) == self.kept((hits, len(set(listed)) - hits), (0, len(set(listed)))), (
                listed
            )


class Tags(ProviderCase):
    """Tags and their invalidation."""

    async def test_invalidated_value_is_a_miss(self) -> None:
        """A value one of whose tags was invalidated is a miss for each of the ways to look, and others are not."""
        await self.cache.set("k", 1, tags=["t", "u"])
        await self.cache.set("other", 2, tags=["u"])
        await self.cache.set("plain", 3)
        await self.cache.invalidate_tags("t")

        assert await self.lacks("k")
        assert await self.found() == self.those(["other", "plain"])
        assert await self.cache.get_or_set("k", lambda: "new") == "new"

    async def test_any_tag_will_do(self) -> None:
        """Each of several tags kills, alone or together with others."""
        for tags in (["t"], ["u"], ["v", "u"], ["x", "t", "y"]):
            await self.cache.set("k", 1, tags=["t", "u"])
            await self.cache.invalidate_tags(*tags)
            assert await self.lacks("k")

        await self.cache.set("k", 1, tags=["t", "u"])
        await self.cache.invalidate_tags("v")
        await self.cache.invalidate_tags()
        assert await self.holds("k", 1)

    async def test_what_is_written_after_is_alive(self) -> None:
        """An invalidation kills what was written before it, and nothing that comes after, at the same instant even."""
        for value in range(5):
            await self.cache.invalidate_tags("t")
            await self.cache.set("k", value, tags=["t"])
            assert await self.holds("k", value)

    async def test_invalidations_follow_one_another(self) -> None:
        """Each invalidation kills, also when no time has passed since the one before, or the clock was set back."""
        for jump in (0.0, -3600.0, 0.0, 3600.0, 0.0):
            self.clock.set_time(self.clock.time() + jump)
            await self.cache.set("k", 1, tags=["t"])
            assert await self.holds("k", 1)
            await self.cache.invalidate_tags("t")
            assert await self.lacks("k"), jump

    async def test_invalidated_value_takes_no_part(self) -> None:
        """An invalidated value is absent to every call that changes something."""
        await self.killed("k")
        assert await self.cache.replace("k", 2) is False
        assert await self.cache.delete("k") is False
        await self.killed("k")
        assert await self.cache.delete_multi(["k"]) == 0
        await self.killed("k")
        assert await self.cache.pop("k", "nothing") == "nothing"
        await self.killed("k")
        assert await self.cache.touch("k", 5) is False
        await self.killed("k")
        assert await self.cache.expire("k") is False
        await self.killed("k")
        assert await self.cache.add("k", 2) is True
        await self.killed("k")
        assert await self.cache.increment("k", initial=10) == 11
        await self.killed("k")
        assert await self.cache.update("k", lambda old: [old], default="born") == ["born"]

    async def test_invalidated_version_fits_no_more(self) -> None:
        """Nothing is compared with a value that was invalidated."""
        await self.cache.set("k", 1, tags=["t"])
        version = (await self.cache.get_item("k")).version if self.stores else 1
        await self.cache.invalidate_tags("t")

        assert await self.cache.compare_and_set("k", 2, version) is False
        assert await self.lacks("k")

    async def test_tags_are_replaced_with_the_value(self) -> None:
        """A value that is written without a tag is not killed by it, whatever was there before."""
        await self.cache.set("k", 1, tags=["old"])
        await self.cache.set("k", 2, tags=["new"])
        await self.cache.invalidate_tags("old")
        assert await self.holds("k", 2)
        await self.cache.set("k", 3)
        await self.cache.invalidate_tags("new")

        assert await self.holds("k", 3)

    async def test_every_way_to_write_takes_tags(self) -> None:
        """What is added, replaced, compared, loaded and set together is invalidated by its tags."""
        source = Source(1)
        for way in range(6):
            await self.cache.set("k", 0)
            version = (await self.cache.get_item("k")).version if self.stores else 1
            match way:
                case 0:
                    assert await self.cache.replace("k", 1, tags=["t"]) is self.stores
                case 1:
                    assert await self.cache.compare_and_set("k", 1, version, tags=["t"]) is self.stores
                case 2:
                    await self.cache.set_multi({"k": 1}, tags=["t"])
                case _:
                    await self.cache.delete("k")
                    await self.written(way, source)
            assert await self.holds("k", 1) or not self.stores
            await self.cache.invalidate_tags("t")
            assert await self.lacks("k"), way

    async def written(self, way: int, source: Source) -> None:
        """Write in one of the ways that need absence."""
        match way:
            case 3:
                await self.cache.add("k", 1, tags=["t"])
            case 4:
                await self.cache.get_or_set("k", source.load, tags=["t"])
            case _:
                await self.cache.get_or_set_multi(["k"], lambda _: {"k": 1}, tags=["t"])

    async def test_tags_stay_through_changes(self) -> None:
        """Touching, counting and updating leave the tags as they are."""
        await self.cache.set("touched", 1, 5, tags=["t"])
        await self.cache.set("counted", 1, tags=["t"])
        await self.cache.set("updated", 1, tags=["t"])
        await self.cache.touch("touched", 500)
        await self.cache.increment("counted")
        if self.stores:
            await self.cache.update("updated", lambda old: old + 1)
        await self.pass_time(10.0)
        assert await self.found() == self.those(["counted", "touched", "updated"])
        await self.cache.invalidate_tags("t")

        assert await self.found() == set()

    async def test_invalidated_value_stays_dead(self) -> None:
        """However much is cleaned up meanwhile, an invalidated value never comes back, not even a prolonged one."""
        await self.cache.set("k", 1, 2, tags=["t"])
        await self.cache.set("ever", 2, None, tags=["t"])
        await self.cache.set("long", 3, 1000, tags=["t"])
        await self.cache.touch("k", 500)
        await self.cache.invalidate_tags("t")
        for seconds in (3.0, 100.0, 300.0):
            await self.pass_time(seconds)
            assert await self.found() == set()
            assert await self.lacks("k")

    async def test_invalidated_value_stays_dead_when_the_clock_is_set(self) -> None:
        """Setting the clock of the machine forward or back brings nothing back to life."""
        await self.cache.set("k", 1, 500, tags=["t"])
        await self.cache.invalidate_tags("t")
        for jump in (7200.0, -14_400.0, 7200.0):
            self.clock.set_time(self.clock.time() + jump)
            await self.pass_time(5.0)
            assert await self.lacks("k"), jump

    async def test_odd_tags_are_kept_apart(self) -> None:
        """Tags with odd signs and of odd lengths are all different and mean nothing else."""
        for number, tag in enumerate(NASTY):
            await self.cache.set(f"k{number}", number, tags=[tag])
        for number, tag in enumerate(NASTY):
            assert await self.holds(f"k{number}", number)
            await self.cache.invalidate_tags(tag)
            assert await self.lacks(f"k{number}"), tag[:20]

    async def test_many_tags_are_fine(self) -> None:
        """A value may have a thousand tags, each of which kills; one more is refused."""
        tags = [f"t{number}" for number in range(1000)]
        await self.cache.set("k", 1, tags=tags)
        assert await self.holds("k", 1)
        await self.refuses(InvalidTagError, self.cache.set("k", 2, tags=[*tags, "t1000"]))
        await self.cache.set("k", 1, tags=[*tags, *tags])
        await self.cache.invalidate_tags("t999")

        assert await self.lacks("k")

    async def test_wrong_tags_are_refused(self) -> None:
        """A single str, what is no collection, and tags that are no non-empty str are refused by each call."""
        wrong: tuple[Any, ...] = ("t", 5, None, [5], [None], [""], ["t", b"u"], [["t"]])
        await self.cache.set("there", 1)
        for tags in wrong:
            await self.refuses(
                InvalidTagError,
                self.cache.set("k", 1, tags=tags),
                self.cache.set("there", 2, tags=tags),
                self.cache.add("k", 1, tags=tags),
                self.cache.replace("there", 2, tags=tags),
                self.cache.compare_and_set("there", 2, 1, tags=tags),
                self.cache.set_multi({"k": 1, "there": 2}, tags=tags),
                self.cache.get_or_set("k", lambda: 1, tags=tags),
                self.cache.get_or_set_multi(["k"], lambda _: {"k": 1}, tags=tags),
            )
        for tag in (5, None, "", b"t", ["t"]):
            argument: Any = tag
            with raises(InvalidTagError):
                await self.cache.invalidate_tags("there", argument)

        assert await self.lacks("k")
        assert await self.holds("there", 1)

    async def killed(self, key: str) -> None:
        """Store a value and invalidate it."""
        await self.cache.set(key, "old", tags=["t"])
        await self.cache.invalidate_tags("t")


class Scopes(ProviderCase):
    """clear, invalidate_prefix and keys."""

    async def test_clear_leaves_nothing(self) -> None:
        """After a clear there is nothing, and all goes on as before."""
        await self.cache.set_multi({f"k{number}": number for number in range(500)}, tags=["t"])
        await self.cache.clear()
        assert await self.found() == set()
        assert await self.cache.get_multi([f"k{number}" for number in range(500)]) == {}
        await self.cache.set("k1", "new")

        assert await self.found() == self.those(["k1"])

    async def test_clear_of_nothing_is_fine(self) -> None:
        """Clearing what is empty does nothing."""
        await self.cache.clear()
        await self.cache.invalidate_prefix("p")
        await self.cache.clear()

        assert await self.found() == set()

    async def test_prefix_takes_its_keys(self) -> None:
        """Invalidating a prefix takes the keys that begin with it."""
        await self.cache.set_multi(dict.fromkeys(("user:1", "user:2", "users", "use", "a user:"), 1))
        await self.cache.invalidate_prefix("user:")

        assert await self.found() == self.those(["a user:", "use", "users"])

    async def test_keys_gives_each_live_key_once(self) -> None:
        """Keys that have expired, were deleted or invalidated are not given."""
        await self.cache.set_multi({f"k{number}": number for number in range(300)})
        await self.cache.set("dead", 1, 1)
        await self.cache.set("killed", 1, tags=["t"])
        await self.cache.set("told", 1)
        await self.cache.delete("k7")
        await self.cache.invalidate_tags("t")
        await self.cache.expire("told")
        await self.pass_time(2.0)
        found = [key async for key in self.cache.keys()]  # noqa: SIM118  - a provider is no dict

        assert len(found) == len(set(found))
        assert set(found) == self.kept({f"k{number}" for number in range(300)} - {"k7"}, set())

    async def test_keys_bears_changes(self) -> None:
        """Keys that stay are given, each once, whatever comes and goes meanwhile."""
        await self.cache.set_multi({f"k{number}": number for number in range(200)})
        found: list[str] = []
        async for key in self.cache.keys("k"):
            found.append(key)
            await self.cache.delete(f"k{2 * len(found)}")
            await self.cache.set(f"new{len(found) % 50}", 1)

        assert len(found) == len(set(found))
        assert set(found) >= self.kept({f"k{number}" for number in range(1, 200, 2)}, set())

    async def test_keys_may_be_left(self) -> None:
        """Whoever stops in the middle keeps nobody from anything."""
        await self.cache.set_multi({f"k{number}": number for number in range(20)})
        async for _ in self.cache.keys():
            break
        await self.cache.set("k", 1)
        await self.cache.clear()

        assert await self.cache.get("k", MISSING) is MISSING

    async def test_clear_while_keys_are_gone_over(self) -> None:
        """Clearing ends the going over, with no error and nothing given that is not there."""
        await self.cache.set_multi({f"k{number}": number for number in range(200)})
        found = 0
        async for _ in self.cache.keys():
            found += 1
            await self.cache.clear()

        assert found <= 200
        assert await self.found() == set()
