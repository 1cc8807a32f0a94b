import dataclasses
import pickle

import pytest

from aiocache_kit.item import Item


def test_what_is_not_said_is_what_most_items_are() -> None:
    """Without dates an item lives for ever, untagged, unweighed, not stored yet and fresh."""
    item = Item(key="k", value=1)

    assert (item.ttl, item.expiration, item.stale_until) == (None, None, None)
    assert (item.tags, item.cost, item.version) == ((), None, 0)
    assert (item.created_at, item.is_stale) == (0.0, False)
    assert (item.validators, item.etag, item.last_modified) == (None, None, None)


def test_nobody_changes_an_item() -> None:
    """An item is frozen and slotted: neither a field nor another attribute can be set, and fields are named."""
    item = Item(key="k", value=1)
    with pytest.raises(dataclasses.FrozenInstanceError):
        item.value = 2  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]  # what is tested
    with pytest.raises(dataclasses.FrozenInstanceError):
        item.other = 2  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]  # what is tested
    with pytest.raises(dataclasses.FrozenInstanceError):
        del item.value  # pyright: ignore[reportAttributeAccessIssue]  # what is tested
    with pytest.raises(TypeError):
        Item("k", 1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]  # what is tested


@pytest.mark.parametrize("is_stale", [False, True])
def test_the_repr_tells_neither_key_nor_value(*, is_stale: bool) -> None:
    """What ends up in logs tells the state alone."""
    item = Item(key="user:secret", value="password", ttl=5.0, tags=("private",), version=3, is_stale=is_stale)

    assert repr(item) == f"<Item {'stale' if is_stale else 'fresh'}, ttl=5.0, version=3, 1 tags>"


def test_items_are_values() -> None:
    """Equal fields make equal items, which survive pickle and can be replaced field by field."""
    item: Item[object] = Item(key="k", value=[1], tags=("a",))

    same: Item[object] = Item(key="k", value=[1], tags=("a",))
    other: Item[object] = Item(key="k", value=2, tags=("a",))

    assert item == same
    assert pickle.loads(pickle.dumps(item)) == item  # noqa: S301  - our own bytes
    assert dataclasses.replace(item, value=2) == other
