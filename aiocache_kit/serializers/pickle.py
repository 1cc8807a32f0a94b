"""pickle: any Python object, for readers that trust the writer.

Reading a pickle runs what its writer wanted. So this serializer is used under encryption or a signature only, and reads
nothing before that was checked: the codec sees to it.
"""

from typing import Final

from aiocache_kit.errors import CorruptPayloadError, SerializationError
from aiocache_kit.serializers.typed import convert

_PROTOCOL: Final = 5
"""The newest of Python 3.11, so that older and newer processes share a cache."""


class PickleSerializer:
    """Writes and reads pickles."""

    __slots__ = ()

    name = "pickle"
    runs_code = True

    def encode(self, value: object) -> bytes:
        """Write `value`; raise `SerializationError` where pickle cannot."""
        import pickle  # noqa: PLC0415  - needed by those alone who use it

        try:
            return pickle.dumps(value, protocol=_PROTOCOL)
        except Exception as error:  # noqa: BLE001  - objects have a say in how they are pickled
            name = type(value).__name__
            text = f"pickle cannot write a value of type {name} ({type(error).__name__}): store its parts"
            raise SerializationError(text) from None  # its own message may show the value

    def decode(self, data: bytes, type: type[object] | None = None) -> object:
        """Read what `encode` wrote, as a `type` where one is given; raise `CorruptPayloadError` for other bytes.

        That a class is gone, or has changed so that it cannot be made, is such a case.
        """
        import pickle  # noqa: PLC0415  - as above

        try:
            value: object = pickle.loads(data)  # noqa: S301  - only what our own secret has sealed comes here
        except Exception as error:  # noqa: BLE001  - as above
            name = error.__class__.__name__
            raise CorruptPayloadError(f"the payload cannot be unpickled ({name})") from None
        return value if type is None else convert(value, type)
