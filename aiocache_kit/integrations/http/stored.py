"""The form of a stored response: a list of plain values, which every serializer and every snapshot knows.

Headers are one text of names and values in turn, a line each. A body outside of ASCII is the text of the same code
points where it stays in this process, and base64 where it leaves it; either way it comes back the same.

Rule: what is read is checked for its form, because whoever can write to the storage can write something else there.
"""

from base64 import b64decode, b64encode
from typing import Final, NamedTuple, cast

from aiocache_kit.integrations.http.fields import Header, Headers

FORM: Final = "aiocache-kit response 1"
FOR_ALL: Final = 1
"""The response says itself that it may be given to whoever asks."""
REVALIDATED: Final = 2
"""It says `must-revalidate`, which permits to share what was asked for with `Authorization` (RFC 9111, 3.5)."""
NO_CACHE: Final = 4
"""It must be validated each time."""
NEVER_STALE: Final = 8
"""It must not be given once it is stale, whoever allows it."""
OWN_ETAG: Final = 16
"""Its `ETag` was made here: the application does not know it."""
UNREADABLE: Final = (ValueError, OverflowError)
"""What may be raised by reading a response that somebody else has written in our form."""
_TEXT: Final = "text"
_BASE64: Final = "base64"
_LENGTH: Final = 11


class Stored(NamedTuple):
    """A stored response. Instants are seconds since the epoch, durations are seconds."""

    status: int
    block: str
    """The headers, a name and a value in turn, each on a line."""
    encoding: str
    text: str
    """The body."""
    born: float
    """When it was made, so that its age is the time since then."""
    lifetime: float
    """How long it is fresh from its birth."""
    revalidate_for: float
    """How much longer it may be given while a new one is made."""
    stand_in_for: float
    """How much longer it may be given where the application fails."""
    flags: int
    tags: list[str]

    @property
    def headers(self) -> list[Header]:
        """Give the headers, in order."""
        parts = self.block.encode("latin-1").split(b"\n") if self.block else []
        return list(zip(parts[::2], parts[1::2], strict=True))

    @property
    def body(self) -> bytes:
        """Give the body."""
        return self.text.encode("latin-1") if self.encoding == _TEXT else b64decode(self.text, validate=True)

    def packed(self) -> list[object]:
        """Give the form in which it is stored."""
        return [FORM, *self]


def block_of(headers: Headers) -> str | None:
    """Give the text that headers are stored as; None where one holds a line end and cannot be."""
    block = b"\n".join(part for header in headers for part in header)
    return None if block.count(b"\n") != max(2 * len(headers) - 1, 0) or b"\r" in block else block.decode("latin-1")


def text_of(body: bytes, *, leaves: bool) -> tuple[str, str]:
    """Give encoding and text of a body; `leaves`: it will not stay in this process."""
    if leaves and not body.isascii():
        return _BASE64, b64encode(body).decode("ascii")
    return _TEXT, body.decode("latin-1")


def unpacked(value: object) -> Stored | None:
    """Read the stored form; None for anything else."""
    if type(value) is not list:
        return None
    parts = cast("list[object]", value)
    if len(parts) != _LENGTH or parts[0] != FORM:
        return None
    stored = Stored._make(parts[1:])  # looked at in the next line
    return stored if _is_sound(*parts[1:]) else None


def _is_sound(*parts: object) -> bool:
    status, block, encoding, text, born, lifetime, revalidate_for, stand_in_for, flags, tags = parts
    return (
        type(block) is type(text) is type(encoding) is str
        and type(status) is type(flags) is int
        and type(tags) is list
        and type(born) is type(lifetime) is type(revalidate_for) is type(stand_in_for) is float
        and encoding in (_TEXT, _BASE64)
    )
