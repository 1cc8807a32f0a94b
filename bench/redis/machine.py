"""How loaded the machine is by others while something is measured."""

import os
from pathlib import Path
from time import perf_counter, process_time
from typing import Final

from redis.asyncio import Redis

_STATISTICS: Final = Path("/proc/stat")
_BUSY: Final = (0, 2, 5, 6, 7)
"""Its fields, in ticks, in which a processor did something: for programs, for the system, or for other machines.

Not field 1, programs that give way to others: those that only keep the processors awake are among them.
"""


class Load:
    """What other programs take of the processors meanwhile."""

    def __init__(self, admin: Redis) -> None:
        """Leave out this process, and the server that `admin` is connected to."""
        self._admin = admin
        self._start = 0.0
        self._before: float | None = None

    async def begin(self) -> None:
        """Begin to watch."""
        self._start = perf_counter()
        self._before = await self._foreign()

    async def others(self) -> str:
        """Give how many processors others took, on average; words where this system does not tell."""
        spent = await self._foreign()
        if spent is None or self._before is None:
            return "an unknown share"
        return f"{max((spent - self._before) / (perf_counter() - self._start), 0):.1f}"

    async def _foreign(self) -> float | None:
        """Give the seconds of all processors that neither this process nor the server has used."""
        busy = _busy()
        if busy is None:
            return None
        info = await self._admin.info("cpu")
        return busy - process_time() - float(info["used_cpu_user"]) - float(info["used_cpu_sys"])


def _busy() -> float | None:
    try:
        fields = _STATISTICS.read_text("ascii").split("\n", 1)[0].split()[1:]
    except OSError:
        return None
    return sum(int(fields[place]) for place in _BUSY) / os.sysconf("SC_CLK_TCK")
