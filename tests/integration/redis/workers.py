"""Processes that use a cache in Redis, and tests that order what they do and when.

Rule 1: nothing is timed: a test knows that a load has begun, lets it end, and waits for answers.
Rule 2: a process that was frozen or killed is gone when the test is.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any, Final, Protocol, Self

from tests.servers.server import Server

PROGRAM: Final = Path(__file__).with_name("worker.py")
ROOT: Final = Path(__file__).parents[3]


class Workers(Protocol):
    """Gives processes."""

    def __call__(
        self, server: Server, prefix: str, number: int, **options: object
    ) -> "AbstractAsyncContextManager[list[Worker]]":
        """Give so many processes that are connected to `server` with `options` of `RedisConfig`."""
        ...


class CallError(Exception):
    """A call in another process ended with an error, whose name this is."""


class Call:
    """A call in another process."""

    def __init__(self, worker: "Worker", number: int) -> None:
        loop = asyncio.get_running_loop()
        self._worker = worker
        self.number = number
        self.began: asyncio.Future[Any] = loop.create_future()
        """Done when its load has begun, or its lock is held."""
        self.lost: asyncio.Future[Any] = loop.create_future()
        """Done when it was told that its lock was lost."""
        self.answer: asyncio.Future[Any] = loop.create_future()

    def end(self, value: object = None, **more: object) -> None:
        """Let its load end with a value, or with an `error`; `tags` are what the load has found to belong to it."""
        self._worker.tell({"what": "end", "number": self.number, "value": value, **more})

    def cancel(self) -> None:
        """Cancel it."""
        self._worker.tell({"what": "cancel", "number": self.number})

    async def result(self) -> Any:  # noqa: ANN401  - whatever was stored
        """Give what it gave."""
        return await self.answer

    def note(self, said: dict[str, Any]) -> None:
        """Take notice of a line about it."""
        if self.answer.done():
            return
        if "began" in said:
            if not self.began.done():
                self.began.set_result(said["began"])
        elif "lost" in said:
            self.lost.set_result(True)
        elif "error" in said:
            self.answer.set_exception(CallError(said["error"]))
            self.answer.exception()  # not everybody asks
        else:
            self.answer.set_result(said["value"])


class Worker:
    """One process, as long as one test has it."""

    def __init__(self, process: "subprocess.Popen[bytes]", options: dict[str, object]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self.process = process
        self._input = process.stdin
        self._output = process.stdout.fileno()
        self._said = b""
        self._numbers = count(1)
        self._calls: dict[int, Call] = {0: Call(self, 0)}
        self._is_harmed = False
        os.set_blocking(self._output, False)
        asyncio.get_running_loop().add_reader(self._output, self._listen)  # until `end`
        self.tell(options)

    async def ready(self) -> None:
        """Wait until it is connected."""
        await self._calls[0].result()

    def start(self, name: str, *given: object, **options: object) -> Call:
        """Begin a call of the provider, or of the worker's own."""
        number = next(self._numbers)
        call = self._calls[number] = Call(self, number)
        self.tell({"what": "call", "number": number, "name": name, "given": given, "options": options})
        return call

    async def call(self, name: str, *given: object, **options: object) -> Any:  # noqa: ANN401  - whatever was stored
        """Do a call."""
        return await self.start(name, *given, **options).result()

    async def load(self, key: str, **options: object) -> Call:
        """Begin to load a key; return when the load has begun."""
        call = self.start("get_or_set", key, **options)
        await call.began
        return call

    def tell(self, order: dict[str, object]) -> None:
        """Send one line."""
        with suppress(BrokenPipeError):
            self._input.write(json.dumps(order).encode() + b"\n")
            self._input.flush()

    def signal(self, number: signal.Signals) -> None:
        """Kill it, let it stand still, or go on."""
        self._is_harmed = True
        os.kill(self.process.pid, number)
        if number == signal.SIGSTOP:
            os.waitid(os.P_PID, self.process.pid, os.WSTOPPED | os.WNOWAIT)

    def _listen(self) -> None:
        said = os.read(self._output, 2**20)
        *lines, self._said = (self._said + said).split(b"\n")
        for line in lines:
            about = json.loads(line)
            self._calls[about["number"]].note(about)
        if not said:
            asyncio.get_running_loop().remove_reader(self._output)
            for call in self._calls.values():
                call.note({"error": "the process has ended"})

    async def end(self) -> bool:
        """Let it close its cache; say whether it can serve another test."""
        over = self._calls[next(self._numbers)] = Call(self, 0)
        try:
            if self._is_harmed:
                return False
            self.tell({"what": "over", "number": max(self._calls)})
            async with asyncio.timeout(10):
                await over.result()
        except CallError:
            return False
        finally:
            asyncio.get_running_loop().remove_reader(self._output)
        return True


class Pool:
    """Processes that have nothing to do."""

    def __init__(self) -> None:
        self._idle: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._idle:
            finish(process)

    @asynccontextmanager
    async def workers(
        self, server: Server, prefix: str, number: int, **options: object
    ) -> AsyncGenerator[list[Worker]]:
        """Give so many processes that are connected to `server`, and have the same prefix."""
        told = {"addr": f"{server.host}:{server.port}", "key_prefix": prefix, **options}
        processes = [self._idle.pop() if self._idle else started() for _ in range(number)]
        team = [Worker(process, told) for process in processes]
        try:
            await asyncio.gather(*(worker.ready() for worker in team))
            yield team
        finally:
            for worker in team:
                if await worker.end():
                    self._idle.append(worker.process)
                else:
                    finish(worker.process)


def started() -> "subprocess.Popen[bytes]":
    """Start a process, which ends by itself when its input does."""
    return subprocess.Popen(
        [sys.executable, PROGRAM],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )


def finish(process: "subprocess.Popen[bytes]") -> None:
    """End a process, whatever it does."""
    process.kill()
    with process, suppress(BrokenPipeError):
        process.communicate()
