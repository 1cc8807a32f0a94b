"""Values in copies: the same as those below, with or without a type."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from aiocache_kit import MISSING, Config, FileConfig, Layer, WrongTypeError, new_layered
from aiocache_kit.storage.layered.plain import MOST_PARTS, is_plain


@dataclass
class User:
    """What programs keep."""

    name: str


@pytest.mark.parametrize("memory", ["memory://", "memory://?max_entries=100000", "lru://"])
@pytest.mark.parametrize("inside", ["", "n"])
async def test_objects_need_their_type_above_as_below(tmp_path: Path, memory: str, inside: str) -> None:
    """An object is read by its type, from a copy as from the file, by whoever wrote it and by others."""
    files = Config(provider="file", file_config=FileConfig(dir=tmp_path / "cache"))
    async with new_layered(Layer(memory), files) as root:
        cache = root.namespace(inside) if inside else root
        await cache.set("k", User("Ada"))
        for _ in range(3):
            assert await cache.get("k", type=User) == User("Ada")
            assert await cache.get_multi(["k"], type=User) == {"k": User("Ada")}
            assert await cache.get_or_set("k", lambda: None, type=User) == User("Ada")
            for call in (cache.get("k"), cache.get_multi(["k"]), cache.get_or_set("k", lambda: None)):
                with pytest.raises(WrongTypeError):
                    await call
        await cache.set("plain", {"a": [1, 2.5, None]})
        assert await cache.get_multi(["plain", "none"]) == {"plain": {"a": [1, 2.5, None]}}


async def test_hits_are_counted_once(tmp_path: Path) -> None:
    """A hit above, a hit below and a miss count as what they are, however they were answered."""
    files = Config(provider="file", file_config=FileConfig(dir=tmp_path / "cache"))
    async with new_layered("memory://", files) as cache:
        await cache.set_multi({"a": 1, "b": 2})
        await cache.get("a")
        await cache.get("none")
        await cache.get_multi(["a", "b", "none"])
        await cache.get_or_set("c", lambda: 3)
        await cache.get_or_set("c", lambda: 4)
        stats = await cache.stats()

    assert (stats.hits, stats.misses, stats.loads) == (4, 3, 1)


async def test_what_was_saved_before_a_namespace_minds_it() -> None:
    """Methods that somebody keeps do not take a key of the root for one of a namespace that came later."""
    async with new_layered("memory://", Layer("memory://", "lowest")) as cache:
        await cache.set("k", 1)
        get, get_multi, get_or_set, lookup = cache.get, cache.get_multi, cache.get_or_set, cache.lookup
        inner = cache.namespace("n")
        await inner.set("k", 2)
        for key in ("@n:k", "@@n:k"):
            assert await get(key) is None
            assert await get_multi([key]) == {}
            assert lookup(key) is MISSING
        assert await get_or_set("@n:k", lambda: 3) == 3
        assert await inner.get("k") == 2
        assert await get("k") == 1
        assert cache.lookup("k") == 1


@pytest.mark.parametrize("value", [None, True, 1, 1.5, "a", b"a", [], {}, [1, ["a", {"b": None}]]])
def test_plain_values(value: object) -> None:
    """What comes back from everywhere as it is may be copied at once."""
    assert is_plain(value)


@pytest.mark.parametrize("value", [(), {1: 2}, [User("a")], {"a": (1,)}, set[int](), [None] * (MOST_PARTS + 1)])
def test_other_values(value: object) -> None:
    """What may come back as something else, or takes long to look at, is read back first."""
    assert not is_plain(value)
