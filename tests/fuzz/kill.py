"""Kills a process that writes files, again and again, and looks what the next one finds: old, new or nothing.

    python -m tests.fuzz.kill 1000 [seed]

Rule 1: the writer says what it is about to do and what is done; it is killed after a random number of these words, in
the middle of what comes after them.
Rule 2: a key may then be as any word since the last one that was done has left it, and nothing else. What was gathered
counts as done when `sync` is.
"""

import asyncio
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable
from random import Random
from typing import Any, BinaryIO, cast

from aiocache_kit import Item
from aiocache_kit.serializers.codec import Codec
from aiocache_kit.serializers.json import JsonSerializer
from aiocache_kit.storage.base import Storage
from aiocache_kit.storage.file import file_storage

KEYS = 12
MOST_WORDS = 120
LARGE = 20_000
MODES = ("through", "gathered", "shared")
MISSING = -1


def storage_in(path: str, mode: str) -> Storage:
    """Make a storage of one kind, so small that it evicts nothing, and with a janitor that comes at once."""
    return file_storage(
        path, Codec(JsonSerializer()), gathers=mode == "gathered", shared=mode == "shared", janitor_interval=0.001
    )


async def write(path: str, mode: str, seed: int, out: int) -> None:
    """Write, remove and tidy without end, and tell of it."""
    random, storage, number = Random(seed), storage_in(path, mode), seed * 1_000_000  # noqa: S311  - a test repeats it
    await storage.open()

    async def one(word: int) -> None:
        key = random.randrange(KEYS)
        removes = random.random() < 0.2
        state = MISSING if removes else word
        os.write(out, b"b %d %d\n" % (key, state))
        if removes:
            await storage.remove(f"k{key}")
        else:
            fill = "x" * random.choice((10, 1000, LARGE))
            await storage.write(Item(key=f"k{key}", value={"word": word, "fill": fill, "length": len(fill)}))
        if removes or mode != "gathered":
            os.write(out, b"d %d %d\n" % (key, state))

    while True:
        number += 1
        await one(number)
        if number % 7 == 0:
            os.write(out, b"s 0 0\n")
            await storage.sync()
            await storage.tidy()
            os.write(out, b"e 0 0\n")


class Possible:
    """What each key may hold."""

    def __init__(self) -> None:
        self.states: dict[int, list[int]] = {key: [MISSING] for key in range(KEYS)}
        self._gathered: dict[int, int] = {}

    def learn(self, word: bytes, mode: str) -> None:
        """Take in one word of the writer."""
        kind, key, state = word[:1], *map(int, word[2:].split())
        if kind == b"b":
            self.states[key].append(state)
        elif kind == b"d":
            states = self.states[key]
            del states[: len(states) - 1 - states[::-1].index(state)]
        elif kind == b"s":
            self._gathered = {each: len(states) - 1 for each, states in self.states.items()}
        elif mode == "gathered":
            for each, index in self._gathered.items():
                del self.states[each][: min(index, len(self.states[each]) - 1)]

    def settle(self, found: dict[int, int]) -> None:
        """Go on from what was found."""
        self.states = {key: [found[key]] for key in range(KEYS)}


async def look(path: str, mode: str) -> dict[int, int]:
    """Give what is there, in the eyes of the next process."""
    storage = storage_in(path, mode)
    await storage.open()
    found: dict[int, int] = {}
    for key in range(KEYS):
        item = await storage.read(f"k{key}")
        if item is None:
            found[key] = MISSING
            continue
        value = cast("dict[str, Any]", item.value)
        assert len(value["fill"]) == value["length"]
        found[key] = value["word"]
    size = await storage.size()
    assert size.errors == 0, size
    await storage.tidy()
    aside = len(os.listdir(f"{path}/aside"))  # noqa: PTH208  - as short as can be
    await storage.close()
    assert aside == 0 or mode == "shared", f"{aside} temporary files are left"
    return found


def run(rounds: int, seed: int = 1, tell: Callable[[str], None] = lambda _: None) -> int:
    """Kill so many writers; give how many words they had said."""
    words = 0
    for mode in MODES:
        path = tempfile.mkdtemp()
        random, possible = Random(seed), Possible()  # noqa: S311  - a test repeats it
        for number in range(rounds // len(MODES)):
            words += kill_one(path, mode, possible, (random, number))
            found = asyncio.run(look(path, mode))
            for key, state in found.items():
                if state not in possible.states[key]:
                    raise AssertionError(f"{mode}, round {number}, key {key}: {state} of {possible.states[key]}")
            possible.settle(found)
            if number % 50 == 0:
                tell(f"{mode}: {number} killed")
        shutil.rmtree(path)
    return words


def kill_one(path: str, mode: str, possible: Possible, chance: tuple[Random, int]) -> int:
    """Start a writer and kill it after a random number of words."""
    random, number = chance
    most = random.randrange(1, MOST_WORDS)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        try:
            asyncio.run(write(path, mode, number + 1, writer))
        finally:
            os._exit(1)
    os.close(writer)
    with os.fdopen(reader, "rb") as said:
        count = listen(said, most, possible, mode)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        return count + listen(said, sys.maxsize, possible, mode)


def listen(said: BinaryIO, most: int, possible: Possible, mode: str) -> int:
    """Learn up to `most` words."""
    count = 0
    while count < most and (word := said.readline()):
        possible.learn(word, mode)
        count += 1
    return count


def main() -> None:
    """Run as the command line says."""
    rounds, seed = (*map(int, sys.argv[1:]), *(30, 1)[len(sys.argv) - 1 :])
    words = run(rounds, seed, lambda text: print(text, file=sys.stderr))  # noqa: T201  - a program
    print(f"{rounds} killed after {words} words: each key was old, new or missing")  # noqa: T201  - a program


if __name__ == "__main__":
    main()
