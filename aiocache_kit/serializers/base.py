"""What a serializer is: one format, objects above it and bytes below.

Rule 1: what `decode` gives equals what `encode` took and is of the same types, or `encode` refuses it.
Rule 2: an object whose class only the reader knows comes back as `Parts`, and never by a name in the bytes.
Rule 3: bytes that `encode` cannot have written are a `CorruptPayloadError`, and cost no more than their length allows.
"""

from typing import Protocol


class Serializer(Protocol):
    """One format. Built-in ones are in files of their names; users register theirs (`register_serializer`)."""

    @property
    def name(self) -> str:
        """The word for it in a configuration; what was written under another name is not read."""
        ...

    @property
    def runs_code(self) -> bool:
        """Whether reading bytes that somebody else wrote may run code: such a one is used under a seal only."""
        ...

    def encode(self, value: object) -> bytes:
        """Write `value`; raise `SerializationError`, which names the type in the way, where it would not come back."""
        ...

    def decode(self, data: bytes, type: type[object] | None = None) -> object:
        """Read what `encode` wrote, as a `type` where one is given.

        Without a `type`, objects of classes come back as `Parts`. Raises `CorruptPayloadError` for other bytes, and
        `WrongTypeError` where the value does not fit the `type`.
        """
        ...
