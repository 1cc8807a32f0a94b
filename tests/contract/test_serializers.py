"""The contract of serializers: the built-in ones keep it, and ones with a mistake each do not."""

import datetime as dt
import json
import pickle
from collections.abc import Iterable, Mapping
from typing import Any, cast

import pytest

from aiocache_kit.serializers import Serializer
from aiocache_kit.serializers.registry import new_serializer
from aiocache_kit.testing import SerializerContract
from tests.unit.serializers.samples import Person, Point

PLAIN: list[object] = [{}, [], {"a": [1, 2.5, None, True, "text"]}, [[[]]], [(1, {2}), b"bytes", {3: 4}]]
PERSON = Person("Ada", dt.date(1815, 12, 10))


class TestJson(SerializerContract):
    def serializer(self) -> Serializer:
        return new_serializer("json")

    def values(self) -> Iterable[object]:
        return PLAIN

    def typed(self) -> Mapping[type[Any], object]:
        return {Person: PERSON, Point: Point(1, 2)}


class TestMsgpack(TestJson):
    def serializer(self) -> Serializer:
        return new_serializer("msgpack")


class TestPickle(TestJson):
    def serializer(self) -> Serializer:
        return new_serializer("pickle")


class _Mistaken:
    """json of the standard library, as it is."""

    name = "mistaken"
    runs_code = False

    def encode(self, value: object) -> bytes:
        return json.dumps(value).encode()

    def decode(self, data: bytes, type: type[object] | None = None) -> object:
        return json.loads(data) if type is None else None


class _Badly(_Mistaken):
    name = "A Name"


class _AsText(_Mistaken):
    def encode(self, value: object) -> bytes:
        return json.dumps(value)  # type: ignore[return-value]  # pyright: ignore[reportReturnType]  - the mistake


class _Anything(_Mistaken):
    def encode(self, value: object) -> bytes:
        return json.dumps(value, default=repr).encode()


class _Changes(_Mistaken):
    def encode(self, value: object) -> bytes:
        data = super().encode(value)
        if isinstance(value, list):
            cast("list[object]", value).append(5)
        return data


class _Exits(_Mistaken):
    def decode(self, data: bytes, type: type[object] | None = None) -> object:
        try:
            return super().decode(data, type)
        except ValueError:
            raise SystemExit from None


class _Forgets(_Mistaken):
    runs_code = True

    def decode(self, data: bytes, type: type[object] | None = None) -> object:
        return pickle.loads(data) if type is not None else []  # noqa: S301  - never reached


@pytest.mark.parametrize(
    ("mistake", "found"),
    [
        (_Mistaken, "hard_values_come_back_or_are_refused"),
        (_Badly, "it_has_a_name_and_says_whether_it_runs_code"),
        (_AsText, "values_come_back"),
        (_Anything, "a_stranger_is_refused"),
        (_Changes, "values_are_left_as_they_were"),
        (_Exits, "damaged_bytes_are_a_value_or_an_error"),
        (_Forgets, "values_come_back"),
        (_Forgets, "items_come_back_through_a_codec"),
        (_Mistaken, "types_that_are_named_are_read"),
    ],
)
def test_each_mistake_is_found(mistake: type[_Mistaken], found: str) -> None:
    """A serializer with one mistake fails the check that is named after it."""

    class Checked(SerializerContract):
        def serializer(self) -> Serializer:
            return mistake()

        def values(self) -> Iterable[object]:
            return [{"a": 1}, ["b"]]

        def typed(self) -> Mapping[type[Any], object]:
            return {dict: {"a": 1}}

    with pytest.raises((AssertionError, SystemExit)):
        getattr(Checked(), f"test_{found}")()
