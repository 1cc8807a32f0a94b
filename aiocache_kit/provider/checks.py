"""Checks of what providers are given, where no part of theirs has checks of its own.

Rule: one sentence for each mistake, which names the argument, what it must be and what it was.
"""

import math
from typing import cast

from aiocache_kit.errors import InvalidArgumentError, InvalidTTLError
from aiocache_kit.management.expiration import life_of
from aiocache_kit.management.rate_limit import check_whole
from aiocache_kit.management.slots import Slots


def slots_for(most: object, most_waiting: object) -> Slots | None:
    """Give room for `most` loads at a time, None: for any number of them."""
    check_whole("max_waiting_loads", most_waiting, least=0)
    return None if most is None else Slots(check_whole("max_loads", most), cast("int", most_waiting))


def seconds_to_wait(timeout: object) -> float:
    """Give how long to wait: infinity for None, 0.0 for not at all."""
    if timeout == 0 and not isinstance(timeout, bool):
        return 0.0
    try:
        return life_of(timeout)
    except InvalidTTLError as error:
        is_short = isinstance(timeout, float | str) or (isinstance(timeout, int) and abs(timeout) < 2**63)
        given = timeout if is_short else type(timeout).__name__
        raise InvalidArgumentError(
            f"timeout must be seconds from 0 up, a timedelta, text, or None to wait for ever, not {given}"
        ) from error


def check_interval(name: str, seconds: object, *, may_be_zero: bool) -> None:
    """Raise unless it is a finite number of seconds."""
    number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
    if not number or not 0 <= cast("float", seconds) < math.inf or (seconds == 0 and not may_be_zero):
        least = "from 0 up" if may_be_zero else "above 0"
        raise InvalidArgumentError(f"{name} must be a number of seconds {least}, not {seconds!r:.40}")


def check_int(name: str, number: object) -> None:
    """Raise unless it is an int, of any sign."""
    if isinstance(number, bool) or not isinstance(number, int):
        raise InvalidArgumentError(f"{name} must be an int, not {type(number).__name__}")
