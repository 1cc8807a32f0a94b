"""What a key may hold, in the eyes of the only task that changes it.

Rule 1: a change that was answered is certain; one that failed may have been made, and may still be on its way for as
long as a server that stands still keeps what it was sent.
Rule 2: what was lost with a server may be gone, where the storage says so; it may not be replaced by anything else.
Rule 3: where copies of a server take its place (a cluster), what it was told in the last seconds may be undone.
"""

from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias, cast

from aiocache_kit import MISSING

State: TypeAlias = int | None
"""The number of a value; None: nothing is there."""

ON_ITS_WAY: Final = 15.0
"""Seconds for which a change that failed may still be made."""
UNDONE: Final = 6.0
"""Seconds before a fail-over that it may undo."""


def value_of(key: str, number: int, fill: int) -> dict[str, Any]:
    """Give a value that says what it is."""
    return {"key": key, "number": number, "fill": "x" * fill, "length": fill}


def number_in(key: str, value: object) -> State:
    """Give the number of a value that was read; raise `ValueError` where it is not whole, or of another key."""
    if value is MISSING:
        return None
    text = str(value)[:80]
    found = cast("dict[str, Any]", value) if isinstance(value, dict) else {}
    if found.get("key") != key or len(found["fill"]) != found["length"]:
        raise ValueError(f"{key} holds {text}")
    return int(found["number"])


@dataclass(slots=True)
class Register:
    """One key."""

    may_vanish: bool
    """Whether nothing need be there: the storage evicts, or its server forgets."""
    sure: State = None
    unsure: list[tuple[float, State]] = field(default_factory=list[tuple[float, State]])
    """What may have been stored, each with the instant until which it may come."""
    past: list[tuple[float, State]] = field(default_factory=list[tuple[float, State]])
    """What was certain, with the instant at which that ended."""

    def done(self, now: float, state: State) -> None:
        """Know that the key was changed."""
        self.past = [(then, old) for then, old in self.past if now - then < UNDONE + ON_ITS_WAY]
        self.past.append((now, self.sure))
        self.unsure = [(until, each) for until, each in self.unsure if until > now]
        self.sure = state

    def failed(self, now: float, state: State) -> None:
        """Know that a change was tried."""
        self.unsure.append((now + ON_ITS_WAY, state))

    def undone(self, begun: float) -> None:
        """Know that a server was lost whose copy takes its place, which began then."""
        for then, old in self.past:
            if begun - then < UNDONE:
                self.unsure.append((begun + ON_ITS_WAY, old))

    def allows(self, state: State) -> bool:
        """Whether a read may give this."""
        if state == self.sure or (state is None and self.may_vanish):
            return True
        return any(state == each for _, each in self.unsure)
