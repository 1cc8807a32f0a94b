"""Calls of many keys of which a cluster could reach some only.

A channel tells by names in Redis what it found and what it could not reach; callers know keys.
"""

from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager

from aiocache_kit.errors import PartialFailureError, StorageUnavailableError


class Unreached:
    """The keys that could not be reached, gathered part by part; the other parts go on."""

    __slots__ = ("_cause", "_keys")

    def __init__(self) -> None:
        """Begin with none."""
        self._keys: list[str] = []
        self._cause: BaseException | None = None

    def note(self, error: PartialFailureError, names: Sequence[bytes], keys: Sequence[str]) -> list[object]:
        """Note which of `keys`, with their `names`, are missing; give what was found for each, None for those."""
        texts = [name_text(name) for name in names]
        self.add((key for text, key in zip(texts, keys, strict=True) if text in error.failed), error)
        return [error.found.get(text) for text in texts]

    def add(self, keys: Iterable[str], error: BaseException) -> None:
        """Note keys that nothing can be said of, because of `error`."""
        self._keys.extend(keys)
        self._cause = error

    def check(self, found: Mapping[str, object]) -> None:
        """Raise `PartialFailureError` with what was `found`, if there were any."""
        if self._keys:
            raise PartialFailureError(found, self._keys) from self._cause


@contextmanager
def as_a_whole() -> Generator[None]:
    """Let what could be done in part be a failure of the whole, without names that mean nothing to callers."""
    try:
        yield
    except PartialFailureError as partial:
        raise StorageUnavailableError("some nodes of the cluster cannot be reached") from partial


def name_text(name: bytes) -> str:
    """Give a name as a `PartialFailureError` of a channel holds it."""
    return name.decode("utf-8", "surrogatepass")
