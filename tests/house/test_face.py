"""What a user sees of the package: its public names, their documentation, and what importing it costs."""

import inspect
import re
import types
from collections.abc import Callable, Iterator

import pytest

import aiocache_kit
from aiocache_kit import errors

LOADED_ON_DEMAND = {
    *("aiofiles", "anyio", "hiredis", "msgpack", "orjson", "redis"),  # needed by some storages and serializers only
    *(
        "click",
        "cryptography",
        "fastapi",
        "google",
        "lz4",
        "msgspec",
        "pydantic",
        "rich",
        "starlette",
        "zstandard",
    ),  # extras
    *("multiprocessing", "pickle", "sqlite3", "tomllib", "typing_extensions"),  # heavy, or not ours to need
}


def public() -> Iterator[tuple[str, object]]:
    """Give each public name with what it names."""
    for name in aiocache_kit.__all__:
        yield name, getattr(aiocache_kit, name)


def test_all_is_sorted_and_complete() -> None:
    """`__all__` lists once, classes and constants apart, whatever of ours the package holds or loads when asked."""
    listed = list(aiocache_kit.__all__)
    for name in listed:
        assert getattr(aiocache_kit, name) is not None
    ours = {
        name
        for name, value in vars(aiocache_kit).items()
        if not name.startswith("_") and getattr(value, "__module__", "").startswith("aiocache_kit")
    }

    assert ours <= set(listed)
    assert len(listed) == len(set(listed))
    assert listed == sorted(listed, key=lambda name: (not name.isupper(), not name[0].isupper(), name))


def test_an_unknown_name_is_said_to_be_unknown() -> None:
    """Loading names late does not change what happens for one that is not there."""
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = aiocache_kit.nothing


def test_public_names_are_our_own() -> None:
    """Nothing of the standard library or of a dependency is passed off as ours."""
    foreign = [
        name for name, value in public() if not getattr(value, "__module__", "aiocache_kit").startswith("aiocache_kit")
    ]

    assert foreign == []


def test_public_objects_are_documented() -> None:
    """Every public class and function, and every public method of those classes, has a docstring."""
    missing: list[str] = []
    for name, value in public():
        if not isinstance(value, type | types.FunctionType):
            continue
        missing.extend([] if value.__doc__ else [name])
        for member, method in inspect.getmembers(value, callable) if isinstance(value, type) else []:
            if not member.startswith("_") and not inspect.getdoc(method):
                missing.append(f"{name}.{member}")

    assert missing == []


def test_errors_are_drawn_as_they_are() -> None:
    """The tree in the docstring of `errors` shows each error once, under its base and with its standard class."""
    drawn: dict[str, tuple[str, ...]] = {}
    path: list[str] = []
    for bars, name, others in re.findall(
        r"^    ([|+ -]*)(\w+Error)(?: \((\w+)\))?", errors.__doc__ or "", re.MULTILINE
    ):
        depth = len(bars) // 4
        path[depth:] = [name]
        assert name not in drawn
        drawn[name] = (path[depth - 1] if depth else "Exception", *filter(None, [others]))
    defined = {
        name: tuple(base.__name__ for base in value.__bases__)
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, Exception)
    }

    assert drawn == defined


def test_errors_are_public() -> None:
    """Whatever the package raises by itself can be imported from where everything else is."""
    hidden = [
        name for name, value in vars(errors).items() if isinstance(value, type) and value.__module__ == errors.__name__
    ]

    assert set(hidden) <= set(aiocache_kit.__all__)


@pytest.mark.parametrize("statement", ["import aiocache_kit", "from aiocache_kit import *"])
def test_import_loads_no_dependency(tool: Callable[..., str], statement: str) -> None:
    """Importing the package loads nothing that was not named, and no name needs what single storages or extras need."""
    before = tool("-c", "import sys, asyncio; print(*sys.modules)").split()
    after = tool("-c", f"import sys, asyncio; {statement}; print(*sys.modules)").split()

    assert ("aiocache_kit.provider" in after) == ("*" in statement)
    assert LOADED_ON_DEMAND.intersection(after) - set(before) == set()
