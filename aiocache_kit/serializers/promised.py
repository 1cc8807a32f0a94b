"""What a value will be taken for by who reads it, as far as that is known while it is written.

A function that declares its result is all there is to say of what class the parts of an object are. Where it says too
little, as ``dict[str, Any]`` or a class above that of the object does, they would come back as something else.

Rule 1: who takes objects apart asks. No other value, and no format that names classes by itself, pays for this.
Rule 2: it is known of the values of one write, until that is over, whatever tasks it has begun.
"""

from collections.abc import Generator, Iterable
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

from aiocache_kit.serializers.typed import Declared


class _Promise:
    """What is known of the values of one write."""

    __slots__ = ("declared", "of")

    def __init__(self, declared: Declared, values: Iterable[object]) -> None:
        self.declared: Final = declared
        self.of: Final = set(map(id, values))


_promise: Final[ContextVar[_Promise | None]] = ContextVar("aiocache_kit.promise", default=None)


@contextmanager
def promised(kind: object, values: Iterable[object]) -> Generator[None]:
    """Let `values`, which are written within the block, be read as `kind` says, where that is `Declared`."""
    if not isinstance(kind, Declared):
        yield
        return
    promise = _Promise(kind, values)
    before = _promise.set(promise)
    try:
        yield
    finally:
        promise.of.clear()
        _promise.reset(before)


def kind_of(value: object) -> Any:  # noqa: ANN401  - whatever is declared
    """Give what the very object `value` will be read as; None where nobody has said so."""
    promise = _promise.get()
    return promise.declared.kind() if promise is not None and id(value) in promise.of else None
