"""``Item[str](...)`` raised a `TypeError` on Python 3.11: a frozen class with slots refused a name by mistake."""

from typing import get_args

from aiocache_kit import Item


def test_an_item_may_be_made_of_a_type() -> None:
    """An item is made of the class with its type as it is of the class alone, and the type can still be read."""
    kind = Item[str]

    assert kind(key="k", value="v") == Item(key="k", value="v")
    assert get_args(kind) == (str,)
