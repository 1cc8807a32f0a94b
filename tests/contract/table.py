"""Makes the page that shows which calls mean the same on which storage, from a run of the contract of providers.

    python -m tests.contract.table

Rule 1: what the page says was seen: a check counts for a storage where it passed there, in all of its forms.
Rule 2: a check counts for each call that it makes, as its text says; so the number of checks of a call is known without
running any, and `test_table` compares it with the page.
"""

import ast
import inspect
import sys
from collections import defaultdict
from collections.abc import Generator, Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Final

import pytest

from aiocache_kit import Provider
from aiocache_kit.storage.base import Capabilities
from aiocache_kit.testing import ProviderContract
from aiocache_kit.testing.provider_contract.case import KEYED, UNKEYED

PAGE: Final = Path(__file__).parents[2] / "docs" / "reference" / "contract.md"
_CONTRACT: Final = "aiocache_kit.testing.provider_contract"
COLUMNS: Final[dict[str, str]] = {
    "memory": "test_in_process.py::TestProviders[memory]",
    "lru": "test_in_process.py::TestProviders[lru]",
    "null": "test_in_process.py::TestProviders[null]",
    "file": "test_file.py::TestProviderOverFiles[owner]",
    "file, shared": "test_file.py::TestProviderOverFiles[shared]",
    "redis": "test_redis.py::TestProviders[multiplexed]",
    "redis, RESP2": "test_redis.py::TestProviders[multiplexed, RESP2]",
    "redis, pooled": "test_redis.py::TestProviders[pooled]",
    "redis, client cache": "test_redis.py::TestProviders[client cache]",
    "cluster": "test_redis.py::TestProviders[cluster]",
    "nodes in memory": "test_distributed.py::TestProviders[three nodes]",
    "Redis nodes": "test_distributed_over_redis.py::TestProviders",
    "memory over files": "test_layered_over_others.py::TestProviderWithMemoryOverFiles[owner]",
    "memory over Redis": "test_layered_over_others.py::TestProviderWithMemoryOverRedis",
}
"""The storages that have a column of their own, and where the contract runs over each."""
_OF_THE_PROVIDER: Final = frozenset(
    (
        "aclose",
        "events",
        "group_keys",
        "group_of",
        "limited",
        "listen",
        "lookup",
        "name_keys",
        "rate_limiter",
        "readings",
        "trace",
    )
)
"""Calls that ask nothing of a storage, or are another's by another name."""
CALLS: Final = tuple(
    name
    for name, _ in inspect.getmembers(Provider, callable)
    if not name.startswith("_") and name not in _OF_THE_PROVIDER
)
_PROVIDERS: Final = frozenset(("cache", "inner", "outer", "tenant", "namespace", "other", "view", "second", "provider"))
"""What providers are called in the checks."""
_ALL: Final = {"KEYED": frozenset(KEYED), "UNKEYED": frozenset(UNKEYED)}
"""Calls that a check makes which goes over one of these."""


def checks() -> dict[str, frozenset[str]]:
    """Give each check of the contract of providers with the calls that it makes, itself or by what it calls."""
    parts = [part for part in ProviderContract.__mro__ if part.__module__.startswith(_CONTRACT)]
    bodies: dict[str, ast.AST] = {}
    for module in sorted({part.__module__ for part in parts}):
        body = ast.parse(inspect.getsource(sys.modules[module])).body
        for node in chain(body, *(part.body for part in body if isinstance(part, ast.ClassDef))):
            if isinstance(node, ast.AsyncFunctionDef | ast.FunctionDef):
                bodies.setdefault(node.name, node)
    names = {name for part in parts for name in vars(part) if name.startswith("test_")}
    return {name: frozenset(_calls(bodies, name, set())) for name in sorted(names)}


def _calls(bodies: Mapping[str, ast.AST], name: str, seen: set[str]) -> Iterator[str]:
    """Give the calls of a function, and of those that it makes use of."""
    seen.add(name)
    for node in ast.walk(bodies[name]):
        used = ""
        if isinstance(node, ast.AsyncWith) and any(_is_provider(each.context_expr) for each in node.items):
            yield "close"
        elif isinstance(node, ast.Attribute) and node.attr in CALLS and _is_provider(node.value):
            yield node.attr
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self":
            used = node.attr
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            used = node.func.id
        elif isinstance(node, ast.Name) and node.id in _ALL:
            yield from _ALL[node.id] & frozenset(CALLS)
        if used in bodies and used not in seen and not used.startswith("test_"):
            yield from _calls(bodies, used, seen)


def _is_provider(receiver: ast.AST) -> bool:
    """Whether a check says something to a provider here, and not to an event, say."""
    return any(
        isinstance(node, ast.Attribute | ast.Name) and _name_of(node) in _PROVIDERS for node in ast.walk(receiver)
    )


def _name_of(node: ast.Attribute | ast.Name) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id


def counts(passed: Iterable[str]) -> dict[str, int]:
    """Give the number of checks by call, of those that `passed`."""
    made = checks()
    number = dict.fromkeys(CALLS, 0)
    for call in chain.from_iterable(made[check] for check in passed):
        number[call] += 1
    return number


# --- within pytest ---------------------------------------------------------------------------------------------------

_outcomes: Final[dict[str, dict[str, bool]]] = defaultdict(dict)
"""Whether a check passed, by where it ran and its name."""
_able: Final[dict[str, list[str]]] = {}
"""What the storage says that it can, by where checks ran."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Let the report say what the storage says of itself."""
    report = yield
    cache: object = getattr(getattr(item, "instance", None), "cache", None)
    if report.when == "call" and isinstance(cache, Provider):
        able = [name for name, has in cache.capabilities._asdict().items() if has]
        report.user_properties.append(("able", " ".join(able)))
    return report


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Note what came of a check."""
    if report.when != "call" or "::Test" not in report.nodeid:
        return
    path, _, rest = report.nodeid.partition("::")
    group, _, name = rest.partition("::")
    check, _, form = name.removesuffix("]").partition("[")
    # A check may come in forms of its own: its storage is what the class was asked to choose, and that comes first.
    where = f"{path.rpartition('/')[2]}::{group}{f'[{form}]' if form else ''}"
    _outcomes[where][check] = _outcomes[where].get(check, True) and report.passed
    for key, value in report.user_properties:
        if key == "able":
            _able[where] = str(value).split()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the page, in the process that has seen everything."""
    if not hasattr(session.config, "workerinput"):
        PAGE.write_text("\n".join(page(_outcomes, _able)), "utf-8")


# --- the page --------------------------------------------------------------------------------------------------------


INTRODUCTION: Final = """\
# One meaning on every storage

`ProviderContract` (in `aiocache_kit.testing`) has {number} checks of what a provider promises. They run over every
storage whenever the tests run, and this page is written by such a run (`python -m tests.contract.table`): it shows what
was seen. To check a storage of your own, see [Write a storage](../how-to/write-a-storage.md).

## Calls by storages

The number of checks that make a call and passed. Where the number is the same in all columns, the call means the same
on all of these storages.
"""
ABILITIES: Final = """
## What storages can do beyond that

What not all can do, a storage says itself (`Provider.capabilities`), and the contract checks that it is so, and that
what it does not say is not so: that a call it cannot answer is refused with `UnsupportedError`, that what it says to
share is seen by another provider and nothing else is, that what it says to keep is there after a restart and nothing
else is, and that its bounds hold.
"""
EVERYWHERE: Final = """
## Everywhere it ran

The same {number} checks, with storages in other shapes and within namespaces. The name is that of the class in
`tests/contract`, and what it was told to take.
"""


def page(seen: Mapping[str, Mapping[str, bool]], able: Mapping[str, Iterable[str]]) -> Iterator[str]:
    """Give the lines of the page."""
    known = checks()
    passed = {where: {check for check, well in each.items() if well} & known.keys() for where, each in seen.items()}
    numbers = {column: counts(passed.get(where, ())) for column, where in COLUMNS.items()}
    yield INTRODUCTION.format(number=len(known))
    yield from _table(
        ["call", *COLUMNS], ([f"`{call}`", *(str(each[call]) for each in numbers.values())] for call in CALLS)
    )
    yield ABILITIES
    yield from _table(
        ["", *COLUMNS],
        (
            [f"`{field}`", *("yes" if field in able.get(where, ()) else "no" for where in COLUMNS.values())]
            for field in Capabilities._fields
        ),
    )
    yield EVERYWHERE.format(number=len(known))
    yield from _table(
        ["over", "passed", "failed"],
        (
            [f"`{where}`", str(len(well)), str(len(known) - len(well))]
            for where, well in sorted(passed.items())
            if seen[where].keys() >= known.keys()
        ),
    )
    yield ""


def _table(columns: list[str], rows: Iterable[list[str]]) -> Iterator[str]:
    yield f"| {' | '.join(columns)} |"
    yield f"| --- |{' ---: |' * (len(columns) - 1)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"


if __name__ == "__main__":
    of_providers = ["-k", "Provider or Namespaces"]
    options = ["-q", "-n", "auto", "-p", "tests.contract.table", *of_providers]
    sys.exit(pytest.main(["tests/contract", *options, *sys.argv[1:]]))
