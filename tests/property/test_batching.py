"""Any sequence of asking, leaving, answering and letting time pass, against a model of what each caller is owed.

The model knows no windows and no slots. It knows what must hold whatever they are: each answer is of a question that
came before it was begun, no batch is too large or has a key twice, no more than the bound run at a time, and at the
end everybody who stayed has an answer and nothing is left.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from aiocache_kit import BatchLoader
from aiocache_kit.testing import FakeClock

MOST, SIDE_BY_SIDE, WINDOW = 3, 2, 1.0

keys = st.integers(0, 5)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("ask"), keys),
        st.tuples(st.just("ask_many"), st.lists(keys, max_size=5)),
        st.tuples(st.just("leave"), st.integers(0, 30)),
        st.tuples(st.just("pass"), st.sampled_from([0.25, 0.5, 1.0])),
        st.tuples(st.just("answer"), st.integers(0, 5)),
        st.tuples(st.just("fail"), st.integers(0, 5)),
    ),
    max_size=40,
)


class Call:
    """A call of the source that is under way."""

    def __init__(self, keys: list[int], number: int) -> None:
        self.keys = keys
        self.number = number
        self.answer: asyncio.Future[dict[int, int | Exception]] = asyncio.get_running_loop().create_future()


class World:
    """The loader, its source, and those who have asked."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.loader = BatchLoader(
            self.source, window=WINDOW, max_batch=MOST, max_concurrency=SIDE_BY_SIDE, clock=self.clock
        )
        self.calls: list[Call] = []
        """Those under way."""
        self.begun = 0
        self.callers: list[tuple[int, asyncio.Task[Any]]] = []
        """Each with the number of the first batch that may answer it."""

    async def source(self, keys: list[int]) -> dict[int, int | Exception]:
        assert 0 < len(keys) <= MOST
        assert len(set(keys)) == len(keys)
        call = Call(keys, self.begun)
        self.begun += 1
        self.calls.append(call)
        assert len(self.calls) <= SIDE_BY_SIDE
        try:
            return await call.answer
        finally:
            self.calls.remove(call)

    def ask(self, question: Coroutine[Any, Any, Any]) -> None:
        self.callers.append((self.begun, asyncio.get_running_loop().create_task(question)))

    async def do(self, what: str, argument: Any) -> None:  # noqa: ANN401  - drawn
        if what == "ask":
            self.ask(self.one(argument))
        elif what == "ask_many":
            self.ask(self.many(argument))
        elif what == "pass":
            await self.clock.advance(argument)
        elif what == "leave" and len(self.callers):
            self.callers[int(argument) % len(self.callers)][1].cancel()
        elif what != "leave" and len(self.calls):
            self.end(self.calls[int(argument) % len(self.calls)], fails=what == "fail")
        await self.clock.settle()

    def end(self, call: Call, *, fails: bool = False) -> None:
        """Answer each key with the number of the call, or fail for all that are odd."""
        if not call.answer.done():
            call.answer.set_result(
                {key: ValueError(call.number) if fails and key % 2 else call.number for key in call.keys}
            )

    async def one(self, key: int) -> dict[int, int]:
        since = self.begun
        try:
            number = await self.loader.load(key)
        except ValueError as error:
            assert key % 2
            number = error.args[0]
        assert number >= since
        return {key: number}

    async def many(self, keys: list[int]) -> dict[int, int]:
        since = self.begun
        try:
            found = await self.loader.load_many(keys)
        except ValueError:
            assert any(key % 2 for key in keys)
            return {}
        assert set(found) == set(keys)
        assert all(number >= since for number in found.values())
        return found

    async def finish(self) -> None:
        closing = asyncio.create_task(self.loader.close())
        await self.clock.settle()
        while self.calls:
            first: Call = self.calls[0]
            self.end(first)
            await self.clock.settle()
        await closing
        for _, task in self.callers:
            assert task.done()
            assert task.cancelled() or task.exception() is None
        assert repr(self.loader) == "<BatchLoader of 0 batches with 0 keys, closed>"
        assert self.clock.sleepers == 0


async def live(steps: list[tuple[str, Any]], check: Callable[[World], None]) -> None:
    world = World()
    for what, argument in steps:
        await world.do(what, argument)
        check(world)
    await world.finish()


@given(steps)
def test_everybody_gets_what_was_asked_and_nothing_older(steps: list[tuple[str, Any]]) -> None:
    """Whatever comes in between: answers are of batches that began after the question, and bounds hold."""

    def nobody_waits_for_nothing(world: World) -> None:
        """A call goes on only while somebody who asked for one of its keys is there."""
        if world.calls:
            assert any(not task.done() for _, task in world.callers)

    asyncio.run(live(steps, nobody_waits_for_nothing))
