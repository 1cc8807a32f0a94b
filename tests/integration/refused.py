"""A process whose directory the system does not let it write to, or read from; told as JSON what comes of each call.

    python -m tests.integration.refused rights|file|mount DIRECTORY [shared]

`rights`: the directories lose the right to be written to while they are in use; `file`: one file loses all rights;
`mount`: DIRECTORY, on a file system of its own, is mounted to be read only before it is opened. Root is asked for
nothing but what the one who starts this lets it do, and must not be above rights.
"""

import asyncio
import json
import subprocess
import sys
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from aiocache_kit import Config, FileConfig, Provider, StorageError, new_provider


async def loaded() -> str:
    """Load."""
    return "loaded"


CALLS: dict[str, Callable[[Provider], Awaitable[Any]]] = {
    "get": lambda cache: cache.get_multi(["a", "b", "n", "tagged"]),
    "set": lambda cache: cache.set("a", "changed"),
    "add": lambda cache: cache.add("new", "changed"),
    "set_multi": lambda cache: cache.set_multi({"a": "changed", "new": "changed"}),
    "increment": lambda cache: cache.increment("n"),
    "update": lambda cache: cache.update("n", lambda value: value + 1),
    "touch": lambda cache: cache.touch("a", 60),
    "expire": lambda cache: cache.expire("a"),
    "delete": lambda cache: cache.delete("a"),
    "pop": lambda cache: cache.pop("a"),
    "delete_multi": lambda cache: cache.delete_multi(["a", "b"]),
    "invalidate_tags": lambda cache: cache.invalidate_tags("t"),
    "clear": lambda cache: cache.clear(),
    "get_or_set": lambda cache: cache.get_or_set("new", loaded),
}


async def outcome(call: Awaitable[Any]) -> Any:  # noqa: ANN401  - what a call gives
    """Give what a call gives, or the name of its error."""
    try:
        return await call
    except StorageError as error:
        return type(error).__name__


@contextmanager
def without_writing(path: Path) -> Generator[None]:
    """Take the right to write away from all directories."""
    modes = {each: each.stat().st_mode for each in (path, *path.rglob("*")) if each.is_dir()}
    for each in modes:
        each.chmod(0o555)
    try:
        yield
    finally:
        for each, mode in modes.items():
            each.chmod(mode)


@contextmanager
def without_reading(path: Path) -> Generator[None]:
    """Take all rights away from the file of "a", the only one of more than a thousand bytes."""
    file = next(each for each in path.glob("??/cache-*") if each.stat().st_size > 1000)
    mode = file.stat().st_mode
    file.chmod(0)
    try:
        yield
    finally:
        file.chmod(mode)


def mount(path: Path) -> None:
    """Put a file system of its own at `path`."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", path], check=True)  # noqa: S607  - wherever it is installed


def remount(path: Path, how: str) -> None:
    """Change how the file system at `path` may be used."""
    subprocess.run(["mount", "-o", f"remount,{how}", path], check=True)  # noqa: S607  - as above


async def main(harm: str, path: Path, *, shared: bool) -> dict[str, Any]:
    """Do what is asked for; give the outcomes of calls before, meanwhile and after."""
    if harm == "mount":
        mount(path)
    config = Config(provider="file", default_ttl=None, file_config=FileConfig(dir=str(path / "cache"), shared=shared))
    said: dict[str, Any] = {}
    cache = new_provider(config)
    await cache.set_multi({"a": "x" * 1000, "b": "there", "n": 1})
    await cache.set("tagged", "there", tags=["t"])
    if harm == "mount":
        await cache.close()
        remount(path, "ro")
        cache = new_provider(config)
        said["meanwhile"] = {name: await outcome(call(cache)) for name, call in CALLS.items()}
        remount(path, "rw")
    else:
        with (without_writing if harm == "rights" else without_reading)(path / "cache"):
            calls = CALLS if harm == "rights" else {"get": CALLS["get"]}
            said["meanwhile"] = {name: await outcome(call(cache)) for name, call in calls.items()}
            said["errors"] = (await cache.stats()).errors
    found: dict[str, Any] = await cache.get_multi(["a", "b", "n", "new"])
    said["after"] = {key: value[:1] if isinstance(value, str) else value for key, value in found.items()}
    said["writes"] = [await outcome(cache.set("a", "again")), await outcome(cache.get("a"))]
    await cache.close()
    return said


if __name__ == "__main__":
    told = asyncio.run(main(sys.argv[1], Path(sys.argv[2]), shared="shared" in sys.argv[3:]))
    print(json.dumps(told))  # noqa: T201  - that is what it is for
