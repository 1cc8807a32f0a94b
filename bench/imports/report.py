"""Imports each library in fresh processes and takes the median.

Rule: the compiled files are there, as they are after the first start of any program; they are kept in a folder of their
own, for it may be that this environment writes none.
"""

import tempfile
from importlib.util import find_spec
from statistics import median
from typing import Final

from bench import subprocesses
from bench.record import Outcome, Track, at_most

METHOD: Final = (
    "Milliseconds from before to after the statements, in a process of its own that has imported asyncio; the median "
    "of {runs}, in turns, with compiled files present. `modules`: how many were loaded."
)
BARE: Final = "aiocache_kit"
ALL: Final = "aiocache_kit, with what is named first"
STATEMENTS: Final = {
    BARE: "import aiocache_kit",
    ALL: "from aiocache_kit import Config, cached, new_provider",
    "aiocache_kit, and a provider made": (
        "from aiocache_kit import Config, cached, new_provider; new_provider(Config(provider='memory'))"
    ),
    "cashews": "from cashews import cache",
    "aiocache": "from aiocache import Cache, cached",
    "async-lru": "from async_lru import alru_cache",
    "cachetools": "from cachetools import TTLCache, cached",
    "cachebox": "from cachebox import TTLCache, cached",
    "theine": "from theine import Cache, Memoize",
}
PROGRAM: Final = """
import asyncio, json, sys, time
before = len(sys.modules)
start = time.perf_counter()
{statement}
print(json.dumps({{"ms": (time.perf_counter() - start) * 1000, "modules": len(sys.modules) - before}}))
"""


async def measure(*, quick: bool, track: Track) -> Outcome:
    """Import all that are installed."""
    runs = 1 if quick else 21
    found: dict[str, list[dict[str, float]]] = {name: [] for name in STATEMENTS if _is_there(name)}
    note = track("imports", len(found) * (runs + 1))
    with tempfile.TemporaryDirectory() as folder:
        environment = {"PYTHONPYCACHEPREFIX": folder, "PYTHONDONTWRITEBYTECODE": ""}
        for run in range(runs + 1):
            for name, seen in found.items():
                each = await subprocesses.run_code(PROGRAM.format(statement=STATEMENTS[name]), environment)
                if run:  # the first one compiles
                    seen.append(each)
                note()
    results = {
        name: {key: round(median(each[key] for each in seen), 2) for key in seen[0]} for name, seen in found.items()
    }
    return Outcome(
        method=METHOD.format(runs=runs),
        results=results,
        marks=[
            at_most("import aiocache_kit, beyond asyncio, ms", 15, results[BARE]["ms"]),
            at_most("the same with Config, cached, new_provider, ms", 15, results[ALL]["ms"]),
        ],
        packages=[name for name in STATEMENTS if "," not in name],
        tables=[
            (
                "from before to after",
                ("", "ms", "modules"),
                [(name, f"{each['ms']:.1f}", f"{each['modules']:g}") for name, each in results.items()],
            )
        ],
    )


def _is_there(name: str) -> bool:
    return find_spec(name.partition(",")[0].replace("-", "_")) is not None
