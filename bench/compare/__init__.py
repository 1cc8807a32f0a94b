"""One adapter a library, so that all of them are given the same work.

`RIVALS` names them by module and class; `load` gives those whose library is installed.
"""

from importlib import import_module
from typing import Final

from bench.compare.subject import Subject

RIVALS: Final = {
    "cashews": ("Cashews",),
    "aiocache": ("Aiocache", "AiocacheDefault"),
    "async_lru": ("AsyncLru",),
    "cachetools": ("Cachetools",),
    "cachebox": ("Cachebox", "CacheboxVariable"),
    "theine": ("Theine",),
}


def load() -> list[type[Subject]]:
    """Give the subjects made of the libraries that are installed, in the order of `RIVALS`."""
    found: list[type[Subject]] = []
    for module, names in RIVALS.items():
        try:
            adapter = import_module(f"bench.compare.{module}")
        except ModuleNotFoundError as error:
            if (error.name or "").startswith("bench"):
                raise
            continue
        found += [getattr(adapter, name) for name in names]
    return found
