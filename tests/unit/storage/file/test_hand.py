"""The one thread of a file storage: there while there is work, it tells what came of it and leaves with its owner."""

import asyncio
import gc
import threading
from functools import partial
from pathlib import Path

from aiocache_kit import Item
from aiocache_kit.serializers.codec import Codec
from aiocache_kit.serializers.json import JsonSerializer
from aiocache_kit.storage.file import file_storage
from aiocache_kit.storage.file.hand import NAME, Hand


def threads() -> list[threading.Thread]:
    """Give the threads of file storages."""
    return [each for each in threading.enumerate() if each.name == NAME]


def end_of(found: list[threading.Thread]) -> bool:
    """Wait for threads that were told to end, and say whether they did."""
    for each in found:
        each.join(10)
    return not any(each.is_alive() for each in found)


async def test_work_is_done_in_order_by_another_thread() -> None:
    """What is given is done one after the other elsewhere, and told on the event loop."""
    before, hand, here, loop = threads(), Hand(), threading.get_ident(), asyncio.get_running_loop()
    done: asyncio.Queue[tuple[int, bool]] = asyncio.Queue()

    def work(number: int) -> tuple[int, bool]:
        return number, threading.get_ident() != here

    for number in range(3):
        hand.give(loop, partial(work, number), done.put_nowait)

    assert [await done.get() for _ in range(3)] == [(0, True), (1, True), (2, True)]
    found = [each for each in threads() if each not in before]
    hand.leave()
    assert end_of(found)


async def test_there_is_no_thread_without_work() -> None:
    """A hand that was never given anything has no thread, and leaving twice is fine."""
    before = threads()
    hand = Hand()
    hand.leave()
    hand.leave()

    assert threads() == before


async def test_a_forgotten_hand_takes_its_thread_along() -> None:
    """The thread ends when nobody has the hand any more."""
    before, hand = threads(), Hand()
    done = asyncio.Event()
    hand.give(asyncio.get_running_loop(), lambda: None, lambda _: done.set())
    await done.wait()
    mine = [each for each in threads() if each not in before]
    assert len(mine) == 1

    del hand
    gc.collect()

    assert end_of(mine)


def test_the_end_of_a_loop_is_no_end_of_the_thread() -> None:
    """What nobody can be told any more is dropped, and the next loop is served."""
    hand, go_on = Hand(), threading.Event()

    async def leaves() -> None:
        hand.give(asyncio.get_running_loop(), go_on.wait, lambda _: None)

    async def comes() -> str:
        told: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        hand.give(asyncio.get_running_loop(), lambda: "done", told.set_result)
        return await told

    asyncio.run(leaves())
    go_on.set()

    assert asyncio.run(comes()) == "done"
    hand.leave()


async def test_storages_leave_no_thread(tmp_path: Path) -> None:
    """After `close`, also after one that nobody waited for, the thread of a storage is gone."""
    before = threads()
    for shared in (False, True):
        storage = file_storage(str(tmp_path / str(shared)), Codec(JsonSerializer()), shared=shared)
        await storage.open()
        await storage.write(Item(key="a", value=1))
        mine = [each for each in threads() if each not in before]
        assert len(mine) == 1
        closing = asyncio.create_task(storage.close())
        await asyncio.sleep(0)
        closing.cancel()
        await asyncio.wait([closing])

        assert await asyncio.to_thread(end_of, mine)


async def test_a_storage_that_cannot_be_opened_leaves_no_thread(tmp_path: Path) -> None:
    """The thread is gone when opening has failed."""
    (tmp_path / "file").write_text("no directory")
    before = threads()
    for shared in (False, True):
        storage = file_storage(str(tmp_path / "file"), Codec(JsonSerializer()), shared=shared)
        try:
            await storage.open()
        except OSError:
            assert await asyncio.to_thread(end_of, [each for each in threads() if each not in before])
        else:
            raise AssertionError("a file was taken for a directory")
