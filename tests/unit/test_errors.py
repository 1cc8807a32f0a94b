import copy
import inspect
import pickle
import re

import pytest

from aiocache_kit import errors
from aiocache_kit.errors import (
    CacheError,
    ConfigError,
    InvalidKeyError,
    LockLostError,
    LockTimeoutError,
    MissingDependencyError,
    NotFoundError,
    ProviderClosedError,
    RecursiveLoadError,
    StorageError,
    StorageUnavailableError,
)

ALL = [kind for _, kind in inspect.getmembers(errors, inspect.isclass)]
_LINE = re.compile(r"^ {4}([|+ -]*)([A-Z]\w+)(?: \((\w+)\))?", re.MULTILINE)


def made(kind: type[Exception]) -> Exception:
    """Make an error as its constructor wants it."""
    arguments: dict[str, tuple[object, ...]] = {
        "BatchLoaderClosedError": (),
        "ConfigError": ("memory_config.shard_count", "must be a power of two: not 3"),
        "LoadTimeoutError": (),
        "MissingDependencyError": ("msgspec", "typed"),
        "OverloadedError": (),
        "PartialFailureError": ({"a": 1}, {"b", "c"}),
        "ProviderClosedError": (),
        "RateLimitedError": (1.5,),
        "RecursiveLoadError": (),
    }
    return kind(*arguments.get(kind.__name__, ("what was wrong",)))


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    """The module's docstring draws every class, below its own parent, with the built-in error that it is as well."""
    drawn: dict[str, tuple[str | None, str | None]] = {}
    path: list[tuple[int, str]] = []
    for lead, name, builtin in _LINE.findall((errors.__doc__ or "").split("Rule 1")[0]):
        while path and path[-1][0] >= len(lead):
            path.pop()
        drawn[name] = (path[-1][1] if path else None, builtin or None)
        path.append((len(lead), name))

    assert set(drawn) == {kind.__name__ for kind in ALL}
    for kind in ALL:
        parent, builtin = drawn[kind.__name__]
        bases = [base.__name__ for base in kind.__bases__ if base is not Exception]
        assert bases == [name for name in (parent, builtin) if name], kind


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: str(kind.__name__))
def test_errors_travel(kind: type[Exception]) -> None:
    """Each error is a `CacheError` and survives pickle, copy and deepcopy with its text and attributes."""
    error = made(kind)
    assert isinstance(error, CacheError)
    for other in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):  # noqa: S301  - our own
        assert type(other) is kind
        assert str(other) == str(error)
        assert vars(other) == vars(error)


@pytest.mark.parametrize(
    ("error", "builtin"),
    [
        (InvalidKeyError("x"), ValueError),
        (NotFoundError("x"), KeyError),
        (ProviderClosedError(), RuntimeError),
        (LockTimeoutError("x"), TimeoutError),
        (StorageUnavailableError("x"), OSError),
        (MissingDependencyError("p", "e"), ImportError),
    ],
    ids=lambda each: type(each).__name__ if isinstance(each, Exception) else "",
)
def test_errors_are_caught_as_what_they_are(error: Exception, builtin: type[Exception]) -> None:
    """Code that knows nothing of the package catches the built-in error of the same meaning."""
    with pytest.raises(builtin):
        raise error


def test_relations_that_programs_use() -> None:
    """Locks have a root of their own, and what may pass by itself is told from what is broken."""
    assert issubclass(LockTimeoutError, errors.LockError)
    assert issubclass(LockLostError, errors.LockError)
    assert not issubclass(LockLostError, TimeoutError)
    assert issubclass(StorageUnavailableError, StorageError)


def test_a_configuration_error_names_the_field() -> None:
    """`field` is the dotted name, and the sentence begins with it."""
    error = ConfigError("redis_config.port", "must be below 65536, not 70000")

    assert error.field == "redis_config.port"
    assert str(error) == "redis_config.port must be below 65536, not 70000"


def test_not_found_keeps_the_key_to_itself() -> None:
    """The key is an attribute; the text, which ends up in logs, does not hold it, unlike that of a `KeyError`."""
    error = NotFoundError("user:secret")

    assert error.key == "user:secret"
    assert "secret" not in str(error)
    assert str(error) == "nothing is stored under this key, or its time is over"


def test_errors_without_arguments_say_one_sentence() -> None:
    """What has nothing to add says by itself what to do."""
    assert str(ProviderClosedError()) == "this provider is closed: make a new one"
    assert str(RecursiveLoadError()) == "a loader asked for the key it is loading, or for one whose load waits for it"


def test_a_missing_dependency_says_what_to_install() -> None:
    """The message is the command, and package and extra are attributes."""
    error = MissingDependencyError("msgspec", "typed")

    assert str(error) == "msgspec is not installed: run pip install 'aiocache-kit[typed]'"
    assert (error.package, error.extra) == ("msgspec", "typed")
