"""One adapter a library, so that all of them are given the same work.

`RIVALS` names them by module and class; `load` gives those that are asked for and whose library is installed.
"""

from collections.abc import Iterator
from importlib import import_module
from typing import Final

from bench.compare.subject import Subject

RIVALS: Final = {
    "cashews": ("Cashews", "CashewsSweeping"),
    "aiocache": ("Aiocache", "AiocacheDefault"),
    "async_lru": ("AsyncLru",),
    "cachetools": ("Cachetools",),
    "cachebox": ("Cachebox", "CacheboxVariable"),
    "theine": ("Theine", "TheineLocked"),
}


MICRO: Final = (
    "Cashews",
    "Aiocache",
    "AiocacheDefault",
    "AsyncLru",
    "Cachetools",
    "Cachebox",
    "CacheboxVariable",
    "Theine",
)


def load(*names: str) -> Iterator[type[Subject]]:
    """Give the subjects of these class names, in the order of `RIVALS`, whose libraries are installed.

    A library is imported when it is its turn, so that whoever looks for another one does not pay for it.
    """
    for module, classes in RIVALS.items():
        wanted = [each for each in classes if each in names]
        if not wanted:
            continue
        try:
            adapter = import_module(f"bench.compare.for_{module}")
        except ModuleNotFoundError as error:
            if (error.name or "").startswith("bench"):
                raise
            continue
        for each in wanted:
            yield getattr(adapter, each)
