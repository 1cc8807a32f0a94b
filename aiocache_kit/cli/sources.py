"""From what was typed to a cache: a URL, a file, environment variables, layers, nodes, or an object of a program.

Rule 1: whoever looks in from outside must change nothing by that. So a directory is not trimmed to bounds, what cannot
be read in it is not swept (a single owner removes what his secrets do not open), and one that is not there is not made.
Failures are raised instead of being misses.
Rule 2: what lies in another process's memory cannot be looked at, and that is said instead of showing an empty cache.
Rule 3: everything here happens before the event loop runs: files are read, and a program's module is imported.
"""

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Literal, TypeAlias, cast

from aiocache_kit.config import Config
from aiocache_kit.config.config import MOST_ENTRIES
from aiocache_kit.errors import (
    CacheError,
    ConfigError,
    InvalidArgumentError,
    StorageUnavailableError,
    UnsupportedError,
)
from aiocache_kit.factory import new_distributed, new_layered, new_provider
from aiocache_kit.provider import Provider

Backplane: TypeAlias = Literal["auto", "pubsub", "streams", "none"]
IN_PROCESS: Final = frozenset({"memory", "lru", "null", "custom"})
"""Providers of which another process sees nothing."""
_NEVER: Final = 30 * 86_400.0
"""Seconds: longer than any command runs."""
_WAYS: Final = "--url, --config, --app, --layer or --node"


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """What was typed to say which cache is meant."""

    url: str | None = None
    config: str | None = None
    """A TOML or JSON file."""
    table: str = "aiocache_kit"
    app: str | None = None
    """``module:attribute`` of a program."""
    layers: tuple[str, ...] = ()
    """URLs, the nearest first."""
    backplane: Backplane = "auto"
    nodes: tuple[str, ...] = ()
    """URLs, each after a name and ``=``."""
    replicas: int = 1
    env_prefix: str = "AIOCACHE_KIT_"
    namespaces: tuple[str, ...] = ()
    """Namespaces, the outer ones first."""


@dataclass(frozen=True, slots=True)
class Place:
    """One storage of a cache that was described by a configuration."""

    name: str
    """What it is called beside others: ``layer 1``, or the name of a node; "" where it is the only one."""
    config: Config = field(repr=False)
    is_copy: bool = False
    """Whether it holds copies of what another one holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cache:
    """A cache that was named."""

    kind: str
    """The provider of its configuration, ``layered``, ``distributed``, or ``custom`` for a program's own object."""
    places: tuple[Place, ...] = ()
    """Its storages, where they are known."""
    has_backplane: bool = True
    """Of layers: whether processes tell one another of changes."""
    build: Callable[[Callable[[Config], Config]], Provider] = field(repr=False)
    """Make a provider of the configurations as a function changes them."""
    namespaces: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """What it is, for a question: without secrets."""
        where = " and ".join(_words(place.config) for place in self.truths) or "the provider of the program"
        inner = f", namespace {'/'.join(self.namespaces)}" if self.namespaces else ""
        return f"{where}{inner}"

    @property
    def truths(self) -> tuple[Place, ...]:
        """The storages that hold no copies."""
        return tuple(place for place in self.places if not place.is_copy)

    def to_look_at(self, *, strict: bool = False) -> Provider:
        """Make a provider for looking in from outside; `strict`: what cannot be read is an error and no miss.

        Raises `UnsupportedError` where there is nothing to be seen, `StorageUnavailableError` for a directory that is
        not there, and what `new_provider` raises.
        """
        for place in self.truths:
            _check_visible(place.config)
        return self._within(lambda config: _from_outside(config, strict=strict))

    def part(self, place: Place) -> Provider:
        """Make a provider over one of its places, for looking in from outside; raises as `to_look_at`."""
        _check_visible(place.config)
        return new_provider(_from_outside(place.config, strict=False))

    def to_try(self) -> Provider:
        """Make a provider for a value of one's own: that of a process, or one that looks in from outside."""
        return self._within(
            lambda config: config if config.provider in IN_PROCESS else _from_outside(config, strict=config.strict)
        )

    def to_measure(self, name: str) -> tuple[Provider, tuple[str, ...]]:
        """Make a provider as it is configured, and give the directories that are to be removed afterwards.

        A directory is not measured itself, since one process may have it: one of this `name` is, beside it.
        """
        made: list[str] = []

        def aside(config: Config) -> Config:
            if config.provider in IN_PROCESS:
                return config
            if config.provider != "file":
                return _from_outside(config, strict=config.strict)
            made.append(f"{os.path.abspath(cast('str', config.file_config.dir))}.{name}-{len(made)}")  # noqa: PTH100  - a text
            return replace(config, file_config=replace(config.file_config, dir=made[-1]))

        return self._within(aside), tuple(made)

    def _within(self, changed: Callable[[Config], Config]) -> Provider:
        provider = self.build(changed)
        for name in self.namespaces:
            provider = provider.namespace(name)
        return provider


def find(named: Named, environ: Mapping[str, str] | None = None) -> Cache:
    """Give the cache that is meant. `environ` None: the variables of this process.

    Raises `InvalidArgumentError` where none or several were named, and `ConfigError`.
    """
    given = [way for way in (named.url, named.config, named.app, named.layers, named.nodes) if way]
    if len(given) > 1:
        raise InvalidArgumentError(f"only one of {_WAYS} can say which cache is meant")
    if named.app is not None:
        return _of_program(named.app, named.namespaces)
    if named.layers:
        return _of_layers(named)
    if named.nodes:
        return _of_nodes(named)
    return _of_config(_config(named, os.environ if environ is None else environ), named.namespaces)


def _config(named: Named, environ: Mapping[str, str]) -> Config:
    if named.url is not None:
        return Config.from_url(named.url)
    if named.config is not None:
        return _from_file(named.config, named.table)
    if not any(name.startswith(named.env_prefix) for name in environ):
        raise InvalidArgumentError(f"which cache? Give {_WAYS}, or set variables that begin with {named.env_prefix}")
    return Config.from_env(named.env_prefix, environ)


def _of_config(config: Config, namespaces: tuple[str, ...]) -> Cache:
    return Cache(
        kind=config.provider,
        places=(Place("", config),),
        build=lambda changed: new_provider(changed(config)),
        namespaces=namespaces,
    )


def _of_layers(named: Named) -> Cache:
    configs = [Config.from_url(url) for url in named.layers]
    last = len(configs) - 1
    backplane = None if named.backplane == "none" else named.backplane
    return Cache(
        kind="layered",
        places=tuple(Place(f"layer {number + 1}", each, number < last) for number, each in enumerate(configs)),
        has_backplane=backplane is not None and (backplane != "auto" or configs[last].provider == "redis"),
        build=lambda changed: new_layered(*map(changed, configs), backplane=backplane, on_failure="raise"),
        namespaces=named.namespaces,
    )


def _of_nodes(named: Named) -> Cache:
    from aiocache_kit.storage.distributed import Node  # noqa: PLC0415  - needed by those alone who have nodes

    nodes: list[tuple[str, Config]] = []
    for text in named.nodes:
        name, mark, url = text.partition("=")
        if not mark or not name or "://" in name:
            raise InvalidArgumentError("--node must be a name, = and a URL, as in one=redis://10.0.0.1:6379")
        nodes.append((name, Config.from_url(url)))
    return Cache(
        kind="distributed",
        places=tuple(Place(name, config) for name, config in nodes),
        build=lambda changed: new_distributed(
            *(Node(name, changed(config)) for name, config in nodes), replicas=named.replicas
        ),
        namespaces=named.namespaces,
    )


def _words(config: Config) -> str:
    if config.provider == "file":
        return f"the directory {config.file_config.dir}"
    if config.provider != "redis":
        return f"the provider {config.provider}"
    part = config.redis_config
    place = part.addr if part.unix_socket is None else str(part.unix_socket)
    if part.sentinel is not None:
        place = part.sentinel.service_name
    elif part.cluster:
        place = f"the cluster of {part.cluster_addrs[0]}"
    return f"redis at {place}, prefix {part.key_prefix!r}"


# --- from outside ---------------------------------------------------------------------------------------------------


def _check_visible(config: Config) -> None:
    if config.provider in IN_PROCESS:
        raise UnsupportedError(_hidden(config.provider))
    directory = config.file_config.dir
    if config.provider == "file" and directory is not None and not os.path.isdir(directory):  # noqa: PTH112  - a text
        raise StorageUnavailableError(
            "the directory does not exist: nothing was stored yet, or file_config.dir is wrong"
        )


def _hidden(kind: str) -> str:
    if kind == "null":
        return "the provider null keeps nothing, so there is nothing to look at"
    if kind == "custom":
        return "the provider custom is a storage that only a program can make: name the program by --app"
    return f"what the provider {kind} holds lies in the process that made it, and no other process can look in"


def _from_outside(config: Config, *, strict: bool) -> Config:
    part = replace(config.redis_config, on_unavailable="raise", client_cache=None, breaker_failures=None)
    if config.provider != "file":
        return replace(config, redis_config=part, strict=strict)
    return replace(
        config,
        strict=strict,
        max_entries=MOST_ENTRIES,
        max_size=None,
        sync_interval=0.0,
        cleanup_interval=_NEVER,
        file_config=replace(config.file_config, shared=True, janitor_interval=_NEVER),
    )


# --- files ----------------------------------------------------------------------------------------------------------


def _from_file(path: str, table: str) -> Config:
    try:
        if path.lower().endswith(".json"):
            return Config.build(_read_json(path, table))
        return Config.from_toml(path, table)
    except ConfigError as error:
        if error.field not in {"path", "table"}:
            raise
        option = "--config" if error.field == "path" else "--table"
        raise ConfigError(option, str(error)[len(error.field) + 1 :]) from error


def _read_json(path: str, table: str) -> dict[str, object]:
    import json  # noqa: PLC0415  - needed by those alone who have such a file
    from pathlib import Path  # noqa: PLC0415  - as above

    try:
        document: object = json.loads(Path(path).read_text("utf-8"))
    except OSError as error:
        raise ConfigError("path", f"leads to no file that can be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise ConfigError("path", f"leads to a file that is not JSON ({type(error).__name__})") from error
    if isinstance(document, dict) and isinstance(document.get(table), dict):  # pyright: ignore[reportUnknownMemberType]  - of any keys
        return cast("dict[str, object]", document[table])
    if not isinstance(document, dict):
        raise ConfigError("path", "leads to a file that holds no JSON object")
    return cast("dict[str, object]", document)


def token(path: str | None, environ: Mapping[str, str]) -> str | None:
    """Give the token of a dashboard: from a file, or from its variable; None where there is none."""
    from pathlib import Path  # noqa: PLC0415  - as in `_read_json`

    name, found = "AIOCACHE_DASHBOARD_TOKEN", environ.get("AIOCACHE_DASHBOARD_TOKEN", "")
    if path is not None:
        name = "--token-file"
        try:
            found = Path(path).read_text("utf-8", "replace").strip()
        except OSError as error:
            raise ConfigError(name, f"leads to no file that can be read ({type(error).__name__})") from None
    if (path is not None and not found) or not (found.isascii() and found.isprintable()) or " " in found:
        raise ConfigError(name, "holds no token: that is one word of ASCII characters")
    return found or None


# --- programs -------------------------------------------------------------------------------------------------------


def _of_program(path: str, namespaces: tuple[str, ...]) -> Cache:
    from aiocache_kit.integrations.app_cache import AppCache  # noqa: PLC0415  - needed for a program's object alone

    kinds = (Config, Provider, AppCache)
    found = _called(_imported(path), kinds)
    if isinstance(found, AppCache):
        namespaces = (*found.namespaces, *namespaces)
        found = _called(found.source, kinds)
    if isinstance(found, str):
        found = Config.from_url(found)
    if isinstance(found, Config):
        return _of_config(found, namespaces)
    if not isinstance(found, Provider):
        wanted = "a Provider, an AppCache, a Config, a URL, or a function that gives one"
        raise InvalidArgumentError(f"--app must lead to {wanted}, not {type(found).__name__}")
    provider, can = found, found.capabilities

    def build(_: object) -> Provider:
        if not can.stores:
            raise UnsupportedError(_hidden("null"))
        if not can.shared and not can.persistent:
            raise UnsupportedError(_hidden("of this program"))
        return provider

    return Cache(kind="custom", build=build, namespaces=namespaces)


def _called(given: object, kinds: tuple[type, ...]) -> object:
    """Give what was given, or what it gives where it is a function and none of `kinds`."""
    if not callable(given) or isinstance(given, kinds):
        return given
    try:
        found: object = given()
    except CacheError:
        raise
    except Exception as error:
        raise InvalidArgumentError(f"--app leads to a function that raised {type(error).__name__}") from error
    if hasattr(found, "__await__"):
        close = getattr(found, "close", None)
        if callable(close):
            close()
        raise InvalidArgumentError("--app leads to an async function: give one that makes the provider without await")
    return found


def _imported(path: str) -> object:
    from importlib import import_module  # noqa: PLC0415  - needed for a program's object alone

    name, mark, attributes = path.partition(":")
    if not mark or not name or not attributes:
        raise InvalidArgumentError("--app must be a module, : and a name in it, as in service.caches:users")
    if "" not in sys.path and os.getcwd() not in sys.path:  # noqa: PTH109  - as Python itself does with -m
        sys.path.insert(0, os.getcwd())  # noqa: PTH109  - as above
    try:
        found: object = import_module(name)
    except ModuleNotFoundError as error:
        raise InvalidArgumentError(f"--app names a module that is not there, or needs one: {error.name}") from error
    except Exception as error:
        raise InvalidArgumentError(f"--app names a module that raised {type(error).__name__} on import") from error
    for attribute in attributes.split("."):
        try:
            found = getattr(found, attribute)
        except AttributeError:
            raise InvalidArgumentError(f"--app names {attribute}, which is not there") from None
    return found
