"""A moment whose zone is less than a second from UTC came back as one in UTC, and was not refused."""

import datetime as dt

import pytest

from aiocache_kit import Item, SerializationError
from aiocache_kit.serializers.codec import Codec
from aiocache_kit.serializers.json import JsonSerializer
from aiocache_kit.serializers.msgpack import MsgpackSerializer

NEAR = (dt.timedelta(microseconds=1), -dt.timedelta(microseconds=999_999))
FURTHER = (dt.timedelta(seconds=1, microseconds=1), -dt.timedelta(hours=1, microseconds=1), dt.timedelta(0))


@pytest.mark.parametrize("codec", [Codec(JsonSerializer()), Codec(MsgpackSerializer())], ids=["json", "msgpack"])
@pytest.mark.parametrize("offset", [*NEAR, *FURTHER], ids=str)
def test_it_is_refused_or_comes_back(codec: Codec, offset: dt.timedelta) -> None:
    """Some Pythons read such an offset as none: with those it is refused, and what is further off comes back."""
    zone = dt.timezone(offset)
    for moment in (dt.datetime(2020, 1, 1, tzinfo=zone), dt.time(12, 30, tzinfo=zone)):
        if type(moment).fromisoformat(moment.isoformat()).utcoffset() != offset:
            assert offset in NEAR
            with pytest.raises(SerializationError, match="less than a second from UTC"):
                codec.encode(Item(key="key", value=moment))
        else:
            value = codec.decode("key", codec.encode(Item(key="key", value=moment))).value
            assert isinstance(value, dt.datetime | dt.time)
            assert (value, value.utcoffset()) == (moment, offset)
