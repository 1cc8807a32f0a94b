"""Checks of a provider: keys mean themselves, and namespaces never meet."""

from typing import Any

from aiocache_kit.errors import InvalidArgumentError, InvalidKeyError, NotFoundError
from aiocache_kit.sentinels import MISSING
from aiocache_kit.testing.contract import NASTY, raises, together
from aiocache_kit.testing.provider_contract.case import KEYED, ProviderCase, Source, nothing

WRONG: tuple[Any, ...] = (None, 1, 1.5, True, b"k", "", (), ("a",), ["a"], {"a"}, object())
INNER: tuple[tuple[str, ...], ...] = (
    *((), ("a",), ("a", "b"), ("a", "b", "c"), ("a:b",), ("a:",), (":b",), ("@a",), ("@",), ("a@",), ("a", "@b")),
    *(
        ("%",),
        ("%3A",),
        ("a%3Ab",),
        ("*",),
        ("a*",),
        ("[a]",),
        ("?",),
        ("\0",),
        ("\u00e9",),
        ("e\u0301",),
        ("x" * 999,),
    ),
)


class Keys(ProviderCase):
    """Keys and namespaces."""

    async def test_wrong_keys_are_refused(self) -> None:
        """What is no non-empty str is refused by each call that takes a key, opened or not, in namespaces as well."""
        for cache in (self.cache, self.cache.namespace("n")):
            for _ in range(2):
                for name, call in KEYED.items():
                    for key in WRONG:
                        if name.endswith("_multi") and isinstance(key, list | set):
                            continue  # no element of a collection
                        with raises(InvalidKeyError):
                            await call(cache, key)
                await self.cache.stats()

    async def test_wrong_key_among_right_ones_is_refused(self) -> None:
        """A call for several keys, one of which is wrong, does nothing at all."""
        await self.cache.set("a", 1)
        wrong: Any
        for wrong in (None, "", 3):
            with raises(InvalidKeyError):
                await self.cache.set_multi({"a": 2, wrong: 2})
            with raises(InvalidKeyError):
                await self.cache.delete_multi(["a", wrong])
            with raises(InvalidKeyError):
                await self.cache.get_multi(["a", wrong])

        assert await self.holds("a", 1)

    async def test_wrong_collections_of_keys_are_refused(self) -> None:
        """A single str, or what is no collection, is not taken for several keys."""
        wrong: tuple[Any, ...] = ("abc", None, 5)
        for keys in wrong:
            await self.refuses(
                InvalidArgumentError,
                self.cache.get_multi(keys),
                self.cache.delete_multi(keys),
                self.cache.get_or_set_multi(keys, nothing),
                self.cache.set_multi(keys),
            )

    async def test_odd_keys_are_kept_apart(self) -> None:
        """Keys with odd signs, of odd lengths and near one another each have their value, in each call."""
        for number, key in enumerate(NASTY):
            await self.cache.set(key, number)
        for number, key in enumerate(NASTY):
            assert await self.holds(key, number), key[:20]
            assert await self.cache.exists(key) is self.stores
            assert not self.stores or (await self.cache.get_item(key)).key == key

        found = await self.cache.get_multi(NASTY)
        assert list(found.values()) == self.kept(list(range(len(NASTY))), [])
        assert set(found) == self.those(NASTY)
        assert await self.found() == self.those(NASTY)

    async def test_odd_keys_are_kept_apart_when_written_otherwise(self) -> None:
        """The same for what is added, loaded, counted and updated, one way of writing for each key in turn."""
        source = Source(1)
        for number, key in enumerate(NASTY):
            match number % 5:
                case 0:
                    await self.cache.add(key, 1)
                case 1:
                    await self.cache.increment(key)
                case 2:
                    await self.cache.set_multi({key: 1})
                case 3:
                    await self.cache.update(key, lambda _: 1, default=0)
                case _:
                    await self.cache.get_or_set(key, source.load)
            assert await self.holds(key, 1), key[:20]

        assert await self.found() == self.those(NASTY)

    async def test_odd_keys_go_one_by_one(self) -> None:
        """Deleting each key in turn, in one of several ways, takes that key and no other."""
        await self.cache.set_multi(dict.fromkeys(NASTY, 1))
        left = set(NASTY)
        for number, key in enumerate(NASTY):
            match number % 4:
                case 0:
                    assert await self.cache.delete(key) is self.stores
                case 1:
                    assert await self.cache.pop(key, MISSING) == self.kept(1, MISSING)
                case 2:
                    assert await self.cache.delete_multi([key]) == self.kept(1, 0)
                case _:
                    assert await self.cache.expire(key) is self.stores
            left.remove(key)
            assert await self.found() == self.those(left)

    async def test_lone_surrogates_are_kept_or_refused(self) -> None:
        """A key that is no Unicode text is kept apart like any other, or refused."""
        try:
            await self.cache.set("\ud800", 1)
        except InvalidKeyError:
            return
        await self.cache.set("\udfff", 2)

        assert await self.holds("\ud800", 1)
        assert await self.holds("\udfff", 2)
        assert await self.found() == self.those(["\ud800", "\udfff"])

    async def test_prefix_means_itself(self) -> None:
        """Whoever asks for the keys with a prefix gets those that begin with it, whatever signs it has."""
        await self.cache.set_multi(dict.fromkeys(NASTY, 1))
        for prefix in NASTY:
            expected = {key for key in NASTY if key.startswith(prefix)}
            assert await self.found(prefix) == self.those(expected), prefix[:20]

    async def test_keys_of_a_prefix_are_invalidated(self) -> None:
        """Invalidating a prefix removes the keys that begin with it, and no others."""
        for prefix in ("a*", "@", "@a", "[", "\0", "%", ":", "*", "x" * 9_999):
            await self.cache.set_multi(dict.fromkeys(NASTY, 1))
            await self.cache.invalidate_prefix(prefix)
            expected = {key for key in NASTY if not key.startswith(prefix)}
            assert await self.found() == self.those(expected), prefix[:20]

    async def test_wrong_prefixes_are_refused(self) -> None:
        """A prefix is a str; to invalidate, one that is not empty, since that would be everything."""
        await self.cache.set("k", 1)
        wrong: Any
        for wrong in (None, 5, b"k", ["k"]):
            await self.refuses(InvalidArgumentError, self.cache.invalidate_prefix(wrong), self.found(wrong))
        await self.refuses(InvalidArgumentError, self.cache.invalidate_prefix(""))

        assert await self.holds("k", 1)

    # --- namespaces --------------------------------------------------------------------------------------------------

    async def test_namespaces_have_keys_of_their_own(self) -> None:
        """One key has a value of its own in each namespace, however the names look like one another or like keys."""
        caches = [self.cache]
        for path in INNER[1:]:
            cache = self.cache
            for name in path:
                cache = cache.namespace(name)
            caches.append(cache)
        for number, cache in enumerate(caches):
            for key in ("k", "@a:k", "b:k", "@b:k", ":k", "*"):
                await cache.set(key, [number, key])

        for number, cache in enumerate(caches):
            assert await self.found(cache=cache) == self.those(["k", "@a:k", "b:k", "@b:k", ":k", "*"])
            for key in ("k", "@a:k", "b:k", "@b:k", ":k", "*"):
                assert await cache.get(key) == self.kept([number, key], None)

    async def test_no_key_reaches_into_a_namespace(self) -> None:
        """No odd key of the provider is one of a namespace, nor the other way round."""
        inner = self.cache.namespace("a")
        await inner.set_multi(dict.fromkeys(NASTY, "inner"))
        await self.cache.set_multi(dict.fromkeys(NASTY, "outer"))
        assert set((await inner.get_multi(NASTY)).values()) == self.kept({"inner"}, set())
        await self.cache.delete_multi(NASTY)

        assert await self.found() == set()
        assert await self.found(cache=inner) == self.those(NASTY)

    async def test_keys_written_before_there_was_a_namespace_stay(self) -> None:
        """Making a namespace changes nothing for the keys that are there, whatever they begin with."""
        keys = ("@", "@a:k", "@@", "k")
        for key in keys:
            await self.cache.set(key, key)
        assert await self.cache.namespace("a").get("k") is None
        for key in keys:
            assert await self.holds(key, key)
            assert await self.cache.delete(key) is self.stores

        assert await self.found() == set()

    async def test_clear_stays_in_its_namespace(self) -> None:
        """Clearing a namespace takes its keys and those of namespaces inside of it, and no others."""
        names = ("a", "ab", "a*", "*", "[ab]", "a:b", "b")
        for cleared in names:
            for name in names:
                await self.cache.namespace(name).set("k", 1)
            await self.cache.set("@a:k", 1)
            await self.cache.namespace(cleared).namespace("inner").set("k", 1)
            await self.cache.namespace(cleared).clear()
            left = [name for name in names if await self.cache.namespace(name).exists("k")]
            assert left == self.kept([name for name in names if name != cleared], [])
            assert not await self.cache.namespace(cleared).namespace("inner").exists("k")
            assert await self.holds("@a:k", 1)

    async def test_clear_of_the_outer_takes_all(self) -> None:
        """Clearing a provider takes the namespaces inside of it."""
        inner = self.cache.namespace("a").namespace("b")
        await inner.set("k", 1)
        await self.cache.clear()

        assert await inner.exists("k") is False

    async def test_prefix_stays_in_its_namespace(self) -> None:
        """Keys and invalidations by prefix know only the keys of their own namespace."""
        inner, other = self.cache.namespace("a"), self.cache.namespace("b")
        for cache in (self.cache, inner, inner.namespace("k"), other):
            await cache.set_multi({"k1": 1, "k2": 2, "@k": 3})
        assert await self.found("k", cache=inner) == self.those(["k1", "k2"])
        await inner.invalidate_prefix("k")
        await inner.invalidate_prefix("@")

        assert await self.found(cache=inner) == set()
        for cache in (self.cache, inner.namespace("k"), other):
            assert await self.found(cache=cache) == self.those(["@k", "k1", "k2"])

    async def test_tags_stay_in_their_namespace(self) -> None:
        """Invalidating a tag of one namespace leaves the same tag of others alone, and tags that look like it."""
        caches = {name: self.cache.namespace(name) for name in ("a", "b", "a:t", "@a")}
        for cache in (self.cache, *caches.values()):
            await cache.set("k", 1, tags=["t", "@a:t"])
        await caches["a"].invalidate_tags("t", "@a:t")
        left = [name for name, cache in caches.items() if await cache.exists("k")]

        assert left == self.kept(["b", "a:t", "@a"], [])
        assert await self.holds("k", 1)
        await self.cache.invalidate_tags("t")
        assert [name for name, cache in caches.items() if await cache.exists("k")] == left
        assert await self.lacks("k")

    async def test_loads_stay_in_their_namespace(self) -> None:
        """The same key in two namespaces is loaded twice."""
        source = Source(1, held=True)
        caches = [self.cache, self.cache.namespace("a")] * 5
        tasks = [self.start(cache.get_or_set("k", source.load)) for cache in caches]
        await self.settle()
        source.open()

        assert await together(*tasks) == [1] * 10
        assert source.loads == 2

    async def test_namespace_tells_keys_and_tags_as_users_write_them(self) -> None:
        """Items, errors and loaders of a namespace name keys and tags without anything around them."""
        inner = self.cache.namespace("a").namespace("b")
        await inner.set("@k", 1, tags=["@t", "t"])
        if self.stores:
            item = await inner.get_item("@k")
            assert (item.key, item.tags) == ("@k", ("@t", "t"))
        with raises(NotFoundError) as caught:
            await inner.get_item("@missing")
        asked: list[str] = []

        async def ask(keys: list[str]) -> dict[str, int]:
            asked.extend(keys)
            return {}

        await inner.get_or_set_multi(["@x", "y"], ask)

        assert caught.error.key == "@missing"
        assert asked == ["@x", "y"]
        assert await inner.get_or_set("@z", lambda context: context.key) == "@z"

    async def test_namespace_asked_for_twice_is_the_same(self) -> None:
        """A name leads to the same keys each time."""
        await self.cache.namespace("a").set("k", 1)

        assert await self.cache.namespace("a").get("k") == self.kept(1, None)
        first = self.cache.namespace("a")
        assert self.cache.namespace("a") is first

    async def test_wrong_names_are_refused(self) -> None:
        """A namespace's name is a non-empty str."""
        wrong: tuple[Any, ...] = ("", None, 5, b"a", ["a"])
        for name in wrong:
            with raises(InvalidArgumentError):
                self.cache.namespace(name)
