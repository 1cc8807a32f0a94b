import traceback
from enum import Enum

import pytest

from aiocache_kit.errors import WrongTypeError
from aiocache_kit.serializers.typed import convert


class Colour(Enum):
    RED = "red"


def test_a_value_that_does_not_fit_stays_out_of_logs() -> None:
    """The whole trace of a `WrongTypeError`, as a log would print it, does not show the value."""
    value = "a-secret"  # not in the line that a trace shows
    with pytest.raises(WrongTypeError) as caught:
        convert(value, Colour)

    assert value not in "".join(traceback.format_exception(caught.value))
