"""The command line in the process of the test itself, and caches that it looks at."""

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple, Protocol

import pytest

from aiocache_kit import Config, Provider, new_provider
from aiocache_kit.cli import main


class Outcome(NamedTuple):
    """How a command ended, and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:  # noqa: ANN401  - whatever it wrote
        return json.loads(self.out)

    @property
    def checks(self) -> dict[str, str]:
        """The severities that doctor gave, by check."""
        return {finding["check"]: finding["severity"] for finding in self.json["findings"]}


class Run(Protocol):
    """Does what would be done by a command with these arguments."""

    def __call__(self, *arguments: object) -> Outcome:
        """Do it."""
        ...


@pytest.fixture(autouse=True)
def no_settings_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the tests may have variables of his own."""
    for name in ("AIOCACHE_URL", "AIOCACHE_KIT_PROVIDER", "COLUMNS", "NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def aiocache_kit(capsys: pytest.CaptureFixture[str]) -> Run:
    """Give the command line."""

    def run(*arguments: object) -> Outcome:
        capsys.readouterr()
        code = main([str(each) for each in arguments])
        written = capsys.readouterr()
        return Outcome(code, written.out, written.err)

    return run


def patient(url: str) -> Config:
    """Give the configuration of `url` for what surrounds a check, which is not to fail because a machine is busy."""
    config = Config.from_url(url)
    return replace(config, redis_config=replace(config.redis_config, dial_timeout=20.0, read_timeout=20.0))


def fill(url: str, values: Mapping[str, object], *, namespace: str = "", tags: tuple[str, ...] = ()) -> None:
    """Store values as a program would."""

    async def store(cache: Provider) -> None:
        async with cache:
            space = cache.namespace(namespace) if namespace else cache
            for key, value in values.items():
                await space.set(key, value, tags=tags)

    asyncio.run(store(new_provider(patient(url))))


def found(url: str, key: str) -> object:
    """Give what a program would find."""

    async def read(cache: Provider) -> object:
        async with cache:
            return await cache.get(key)

    return asyncio.run(read(new_provider(patient(url))))


Address = Callable[..., str]


@pytest.fixture
def url(redis_server: Any, fresh_prefix: str) -> str:  # noqa: ANN401  - the server's class is of another package
    """A URL of a prefix that nobody else has, on a server that others use as well."""
    return f"redis://127.0.0.1:{redis_server.port}/0?key_prefix={fresh_prefix}"
