"""How a distributed storage is to work: checked once, and then only read."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Final, Literal

from aiocache_kit.errors import InvalidArgumentError
from aiocache_kit.management.circuit_breaker import CircuitBreaker
from aiocache_kit.storage.distributed.member import Member, Node
from aiocache_kit.storage.distributed.ring import VIRTUAL_NODES

_LONGEST_WAIT: Final = 30.0
OnFailure = Literal["raise", "miss"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What `DistributedStorage` takes besides its nodes, and means by it; `InvalidArgumentError` for what cannot be."""

    replicas: int = 1
    """Copies of each item, on as many nodes."""
    virtual_nodes: int = VIRTUAL_NODES
    """Virtual nodes of a node of weight 1; the ring checks it."""
    ketama: bool = False
    """Whether to place nodes and keys as libketama does, instead of more evenly."""
    on_failure: OnFailure = "raise"
    """Whether plain reads and writes raise where all owners of a key are out, or are a miss."""
    timeout: float = 0.5
    """Seconds that a node may take for an answer."""
    failures: int = 3
    """Failures in a row after which a node is left out."""
    probe_after: float = 1.0
    """Seconds until a node that is out is first asked for a sign of life; two timeouts at least."""
    balance: float | None = None
    """How many times its fair share of the reads under way a node may have; None: the first owner has them all."""
    random: Random | None = None
    """What spreads the times of asking."""

    def __post_init__(self) -> None:
        problems = {
            "replicas": (type(self.replicas) is int and self.replicas >= 1, "an int from 1 up"),
            "on_failure": (self.on_failure in {"raise", "miss"}, "'raise' or 'miss'"),
            "timeout": (_is_positive(self.timeout), "a number of seconds above 0"),
            "failures": (type(self.failures) is int and self.failures >= 1, "an int from 1 up"),
            "probe_after": (_is_positive(self.probe_after), "a number of seconds above 0"),
            "balance": (
                self.balance is None or (_is_positive(self.balance) and self.balance > 1 and self.replicas > 1),
                "None, or a number above 1 where there are several replicas",
            ),
        }
        for name, (holds, allowed) in problems.items():
            if not holds:
                raise InvalidArgumentError(f"{name} must be {allowed}, not {getattr(self, name)!r:.40}")

    def member(self, node: Node, on_trouble: Callable[[Member], None]) -> Member:
        """Put `node` to work."""
        wait = max(self.probe_after, 2 * self.timeout)  # calls under way have ended when the node is asked again
        breaker = CircuitBreaker(
            failures=self.failures, wait=wait, longest_wait=max(_LONGEST_WAIT, wait), random=self.random
        )
        return Member(node, timeout=self.timeout, breaker=breaker, on_trouble=on_trouble)


def _is_positive(number: object) -> bool:
    return isinstance(number, int | float) and not isinstance(number, bool) and 0 < number < math.inf
