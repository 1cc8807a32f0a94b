"""`Vary`: which of several responses of one address a request gets (RFC 9111, 4.1).

Under the key of an address lies either its one response, or an *index*: the names of the fields that its responses vary
by, and the responses there are, by what was asked for. Each of those lies under a key of its own.

Rule 1: the names of an index only grow, until it is gone; so whatever a response varies by is part of its key.
Rule 2: an index has an identity, drawn at random, which is part of those keys. Without the index none of them is found.
Rule 3: no more variants are kept of one address than the options say; the oldest goes.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Final, cast

from aiocache_kit.integrations.http.fields import Header, value

FORM: Final = "aiocache-kit index 1"
_LENGTH: Final = 4
MOST_NAMES: Final = 16
"""Fields that the responses of one address may vary by."""


@dataclass(frozen=True, slots=True)
class Index:
    """The variants of one address."""

    identity: str
    names: tuple[str, ...]
    variants: tuple[str, ...] = ()
    """What each was asked with, as a digest; the newest last."""

    def packed(self) -> list[object]:
        """Give the form in which it is stored, which every serializer knows."""
        return [FORM, self.identity, list(self.names), list(self.variants)]

    def variant_for(self, headers: Iterable[Header]) -> str:
        """Give the digest of what a request with these headers asks for."""
        return digest(self.names, headers)

    def key_of(self, key: str, variant: str) -> str:
        """Give the key of a variant of the address with this `key`."""
        return f"{key} {self.identity}{variant}"

    def widened(self, names: Iterable[str]) -> "Index":
        """Vary by `names` as well; what was there before cannot be found any more if they are new."""
        known = set(self.names)
        if known.issuperset(names):
            return self
        return replace(self, names=tuple(sorted(known.union(names))), variants=())

    def with_variant(self, variant: str, most: int) -> tuple["Index", tuple[str, ...]]:
        """Add a variant, and give those that had to go for it."""
        kept = [*(each for each in self.variants if each != variant), variant]
        gone = tuple(kept[: max(len(kept) - most, 0)])
        return replace(self, variants=tuple(kept[len(gone) :])), gone


def unpacked(stored: object) -> Index | None:
    """Read the stored form; None for anything else."""
    if type(stored) is not list:
        return None
    parts = cast("list[object]", stored)
    if len(parts) != _LENGTH or parts[0] != FORM:
        return None
    _, identity, names, variants = parts
    if type(identity) is not str or not _are_texts(names) or not _are_texts(variants):
        return None
    return Index(identity, tuple(cast("list[str]", names)), tuple(cast("list[str]", variants)))


def _are_texts(value: object) -> bool:
    return type(value) is list and {str}.issuperset(map(type, cast("list[object]", value)))


def digest(names: Iterable[str], headers: Iterable[Header]) -> str:
    """Sum up what a request says in the fields of these names, absent ones told from empty ones."""
    pairs = list(headers)
    hashed = blake2b(digest_size=16)
    for name in names:
        said = value(pairs, name.encode("latin-1"))
        text = f"{name}\n" if said is None else f"{name}:{_plain(said)}\n"
        hashed.update(text.encode("latin-1"))
    return hashed.hexdigest()


def _plain(said: str) -> str:
    """Take away the white space that means nothing."""
    return ",".join(part.strip(" \t") for part in said.split(",")) if '"' not in said else said.strip(" \t")
