"""The queues that several policies share, and the lists they are made of."""

from array import array

from hypothesis import given
from hypothesis import strategies as st

from aiocache_kit.management.eviction.policy import NIL, Columns, SlotList
from aiocache_kit.management.eviction.queues import Queues

DEEDS = st.lists(
    st.tuples(st.sampled_from(["enter", "remove", "rewrite", "pop"]), st.integers(0, 9), st.integers(1, 9))
)


@given(deeds=DEEDS)
def test_weights_are_the_sums_over_what_is_in_each_queue(deeds: list[tuple[str, int, int]]) -> None:
    """Whatever enters, leaves, grows or shrinks: the sums, the places and the walks over the lists agree."""
    columns = Columns(weighted=True)
    assert columns.weights is not None
    queues = Queues(columns, 2)
    for _ in range(10):
        columns.weights.append(0)
        queues.add_slot()
    for deed, slot, number in deeds:
        held = queues.where[slot] != 0
        if deed == "enter" and not held:
            columns.weights[slot] = number
            queues.enter(slot, 1 + number % 2)
        elif deed == "remove" and held:
            queues.remove(slot)
        elif deed == "rewrite" and held:
            old, columns.weights[slot] = columns.weights[slot], number
            queues.rewrite(slot, old)
            assert number <= old or queues.newest == slot
        elif deed == "pop":
            queues.pop(1 + number % 2)

    for queue in (1, 2):
        inside = walk(queues.lists[queue])
        assert queues.weights[queue] == sum(columns.weights[slot] for slot in inside)
        assert all(queues.where[slot] == queue for slot in inside)
        assert len(inside) + (queues.newest != NIL and queues.where[queues.newest] == queue) == queues.where.count(
            queue
        )


def test_the_newest_is_outside_until_another_is_the_newest() -> None:
    """It joins the front of the queue it was bound for."""
    queues = Queues(Columns(), 2)
    for _ in range(3):
        queues.add_slot()
    queues.enter(0, 1)
    assert walk(queues.lists[1]) == []
    queues.enter(1, 1)
    queues.enter(2, 2)

    assert walk(queues.lists[1]) == [1, 0]
    assert walk(queues.lists[2]) == []
    assert queues.give_up_newest() == 2
    assert queues.where[2] == 0


def test_a_list_keeps_its_order_from_both_ends() -> None:
    """Pushed in front, taken from the back or from anywhere."""
    slots = SlotList(array("i"), array("i"))
    for _ in range(5):
        slots.add_slot()
    for slot in (3, 1, 4, 0):
        slots.push_front(slot)
    slots.remove(1)

    assert walk(slots) == [0, 4, 3]
    assert [slots.pop_back() for _ in range(4)] == [3, 4, 0, NIL]
    assert (slots.front, slots.back) == (NIL, NIL)


def walk(slots: SlotList) -> list[int]:
    """Give the slots from front to back, having checked that the way back is the same."""
    forth: list[int] = []
    slot = slots.front
    while slot != NIL:
        forth.append(slot)
        slot = slots.after[slot]
    back: list[int] = []
    slot = slots.back
    while slot != NIL:
        back.append(slot)
        slot = slots.before[slot]
    assert forth == back[::-1]
    return forth
