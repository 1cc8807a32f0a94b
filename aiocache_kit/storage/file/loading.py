"""Making the index when a storage is opened: table by table, in the background, those first that somebody waits for.

Rule 1: nothing is read from a table or changed in it before it is loaded, so its bound holds from the first moment.
Rule 2: what fails is told to those who wait; the next one who asks begins again.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable


class Loading:
    """What is not loaded yet."""

    def __init__(self, load: Callable[[int], Awaitable[None]]) -> None:
        """Have nothing to load; `load` loads one table."""
        self.left: set[int] = set()
        """The tables that are not loaded."""
        self._load = load
        self._waiting: dict[int, list[asyncio.Future[BaseException | None]]] = {}
        self._task: asyncio.Task[None] | None = None

    def begin(self, tables: Iterable[int]) -> None:
        """Begin to load `tables`."""
        self.left = set(tables)
        self._go_on()

    async def known(self, table: int) -> None:
        """Wait until a table is loaded. Raises the error that keeps it from being loaded."""
        while table in self.left:
            self._go_on()
            outcome: asyncio.Future[BaseException | None] = asyncio.get_running_loop().create_future()
            self._waiting.setdefault(table, []).append(outcome)
            error = await outcome
            if error is not None:
                raise error

    async def all_known(self) -> None:
        """Wait until everything is loaded."""
        while self.left:
            await self.known(min(self.left))

    async def stop(self, error: BaseException | None = None) -> None:
        """End the work; whoever waits gets `error`, or finds everything loaded where there is none."""
        task, self._task = self._task, None
        if task is not None and task.get_loop() is asyncio.get_running_loop():
            task.cancel()
            await asyncio.wait([task])
        if error is None:
            self.left = set()
        self._tell(list(self._waiting), error)

    def _go_on(self) -> None:
        task = self._task
        if task is None or task.done() or task.get_loop() is not asyncio.get_running_loop():
            self._task = asyncio.get_running_loop().create_task(self._run(), name="aiocache_kit index")

    async def _run(self) -> None:
        while self.left:
            table = next((each for each in self._waiting if each in self.left), None)
            if table is None:
                table = min(self.left)
            try:
                await self._load(table)
            except Exception as error:  # noqa: BLE001  - whatever it is, it is told to those who wait
                self._tell(list(self._waiting), error)
                return
            self.left.discard(table)
            self._tell([table], None)

    def _tell(self, tables: list[int], error: BaseException | None) -> None:
        for table in tables:
            for outcome in self._waiting.pop(table, []):
                if not outcome.done():
                    outcome.set_result(error)
