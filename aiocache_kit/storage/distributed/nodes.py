"""The nodes of a storage, and which of them to ask first.

Rule 1: all owners of a key are asked in the order of the ring, but that nodes which may lack items that others have
come last. The first one that may answer decides what is conditional; everybody asks it first, so what is read is what
was decided.
Rule 2: where reads are spread, they go to the first owner that is not over its fair share of what is under way
(consistent hashing with bounded loads, among the owners; Mirrokni et al. 2016). A key whose conditional write came with
another node's version is read where it is decided from then on, or its writer would never get ahead.
"""

import math
from collections.abc import Collection, Sequence
from typing import Final

from aiocache_kit.errors import StorageUnavailableError
from aiocache_kit.storage.distributed.member import Member
from aiocache_kit.storage.distributed.ring import Ring
from aiocache_kit.storage.observer import Observer

RESERVED: Final = "@:nodes:"
"""What the keys begin with under which nodes keep what they are told of one another (`generations`); no key of a
provider does."""
_MOST_STEADY: Final = 1024


class Nodes:
    """Members by name, on a ring."""

    __slots__ = ("_cold", "_observer", "_steady", "_together", "balance", "members", "replicas", "ring")

    def __init__(self, ring: Ring, members: dict[str, Member], replicas: int, balance: float | None) -> None:
        """Use `members`, one for each name on `ring`; `balance` is how much over its share a node may be, None: any."""
        self.ring: Ring = ring
        self.members: Final = members
        self.replicas: Final = replicas
        self.balance: Final = balance
        self._together: dict[tuple[str, ...], tuple[Member, ...]] = {}
        self._cold = False
        self._observer: Observer | None = None
        self._steady: dict[str, None] = {}

    def observe(self, observer: Observer) -> None:
        """Tell `observer` of each node by its name from now on, those included that `welcome` takes in later."""
        self._observer = observer
        for member in self.members.values():
            member.observe(observer.part(member.name))

    def welcome(self, member: Member) -> None:
        """Know one more member, which the ring does not know yet."""
        self.members[member.name] = member
        if self._observer is not None:
            member.observe(self._observer.part(member.name))

    def place(self, ring: Ring) -> None:
        """Go by another ring from now on, which knows only members."""
        self.ring = ring
        self._together = {}

    def note_cold(self) -> None:
        """Look again at which members are cold."""
        self._cold = any(member.is_cold for member in self.members.values())

    def live(self) -> list[Member]:
        """Give the members that are in."""
        return [member for member in self.members.values() if member.is_in]

    def owners(self, key: str) -> Sequence[Member]:
        """Give the owners of `key`, the one that decides, if it may answer, first."""
        names = self.ring.owners(key, self.replicas)
        owners = self._together.get(names)
        if owners is None:
            owners = self._together[names] = tuple(self.members[name] for name in names)
        if self._cold and len(owners) > 1:
            return sorted(owners, key=lambda member: member.is_cold)
        return owners

    def to_read(self, key: str) -> Sequence[Member]:
        """Give the owners of `key` in the order in which to ask them for it."""
        owners = self.owners(key)
        if self.balance is None or len(owners) == 1 or key in self._steady or self._cold:
            return owners
        under_way = 1 + sum(member.in_flight for member in self.members.values())
        total = sum(self.ring.weights.values())
        for place, member in enumerate(owners):
            share = self.ring.weights[member.name] / total
            if member.may_answer(key) and member.in_flight < math.ceil(self.balance * under_way * share):
                return (member, *owners[:place], *owners[place + 1 :])
        return sorted(owners, key=lambda member: member.in_flight)

    def decider(self, key: str) -> Member:
        """Give the owner that decides; `StorageUnavailableError` where all are out.

        One that may not answer for this key decides only where no other one is in.
        """
        owners = self.owners(key)
        for member in owners:
            if member.may_answer(key):
                return member
        for member in owners:
            if member.is_in:
                return member
        raise unavailable()

    def keep_steady(self, key: str) -> None:
        """Read `key` where it is decided, for as long as not too many other keys need that too."""
        self._steady[key] = None
        if len(self._steady) > _MOST_STEADY:
            del self._steady[next(iter(self._steady))]

    def are_enough(self, failed: Collection[Member]) -> bool:
        """Whether each key has an owner that did not fail."""
        return len(failed) < min(self.replicas, len(self.ring))


def unavailable() -> StorageUnavailableError:
    """Make the error of a call that no owner of its key answered."""
    return StorageUnavailableError("no node that holds the key can be reached now")
