"""What processes tell one another: which keys were changed, tags invalidated, prefixes cleared; never a value.

    sealed( [form, sender, number, instant, action, [names]] )      in msgpack

Rule 1: `number` counts the messages of one sender from 1, so that a lost one is noticed when the next one comes. A
heartbeat is no message of its own: it has the number of the last one.
Rule 2: a message is at most `MOST_BYTES` long and has `MOST_NAMES` names; more names are more messages.
Rule 3: where the codec signs or encrypts, messages are sealed in the same way, for this purpose alone. What does not
open, or is no message of this form, is junk: nobody acts on it.
"""

from collections.abc import Callable, Iterable, Iterator
from enum import IntEnum
from typing import Final, NamedTuple, cast

from aiocache_kit.errors import CorruptPayloadError
from aiocache_kit.serializers.seal import Seal
from aiocache_kit.storage.records import load_msgpack

FORM: Final = 1
MOST_BYTES: Final = 32 * 1024
MOST_NAMES: Final = 500
_BOUND: Final = b"aiocache_kit backplane"
_SENDER: Final = 8
_PARTS: Final = 6


class Action(IntEnum):
    """What has happened."""

    HEARTBEAT = 0
    """Nothing."""
    CHANGED = 1
    """The items under these keys were written, removed or expired."""
    INVALIDATED = 2
    """These tags were invalidated."""
    CLEARED = 3
    """All items whose keys begin with one of these were removed; the empty one means all."""


class Message(NamedTuple):
    """One message."""

    sender: bytes
    number: int
    instant: float
    """When it was made, by the sender's wall clock: for people."""
    action: Action
    names: tuple[str, ...] = ()


class JunkError(Exception):
    """Raised for bytes that are no message."""


class Language:
    """Writes and reads messages."""

    def __init__(self, seal: Seal | None = None) -> None:
        """Seal messages by `seal`; None: they are written as they are."""
        msgpack = load_msgpack()
        self._seal = seal
        self._packer = msgpack.Packer(strict_types=True, unicode_errors="surrogatepass")
        self._unpacker: Callable[[], _Unpacker] = lambda: cast(
            "_Unpacker",
            msgpack.Unpacker(
                raw=False,
                use_list=True,
                unicode_errors="surrogatepass",
                max_buffer_size=2 * MOST_BYTES,
                max_map_len=0,
                max_ext_len=0,
            ),
        )

    def write(self, message: Message) -> bytes:
        """Give the bytes of a message."""
        body = cast("bytes", self._packer.pack([FORM, *message[:3], int(message.action), list(message.names)]))
        return body if self._seal is None else self._seal.seal(body, _BOUND)

    def read(self, data: bytes) -> Message:
        """Give the message; raise `JunkError` where there is none."""
        if len(data) > 2 * MOST_BYTES:
            raise JunkError
        try:
            body = data if self._seal is None else self._seal.open(data, _BOUND)
            return _message(self._parts(body))
        except CorruptPayloadError:
            raise JunkError from None
        except (ValueError, RecursionError, TypeError, OverflowError) as error:
            raise JunkError from error
        except Exception as error:  # what msgpack raises for bytes that end too early has no base of its own
            if type(error).__module__.startswith("msgpack"):
                raise JunkError from error
            raise

    def _parts(self, body: bytes) -> object:
        unpacker = self._unpacker()
        unpacker.feed(body)
        parts = unpacker.unpack()
        return parts if unpacker.tell() == len(body) else None


class _Unpacker:
    """What is used of msgpack's, which has no types."""

    feed: Callable[[bytes], None]
    unpack: Callable[[], object]
    tell: Callable[[], int]


def _message(parts: object) -> Message:
    if not isinstance(parts, list):
        raise JunkError
    given = cast("list[object]", parts)
    if len(given) != _PARTS or given[0] != FORM:
        raise JunkError
    _, sender, number, instant, action, names = given
    if not (
        isinstance(sender, bytes)
        and len(sender) == _SENDER
        and type(number) is int
        and number >= 0
        and isinstance(instant, float)
        and type(action) is int
        and isinstance(names, list)
    ):
        raise JunkError
    texts = tuple(name for name in cast("list[object]", names) if isinstance(name, str))
    if len(texts) != len(cast("list[object]", names)):
        raise JunkError
    return Message(sender, number, instant, Action(action), texts)


def portions(names: Iterable[str]) -> Iterator[tuple[str, ...] | None]:
    """Divide names so that each portion fits into a message; None for a name that fits into none."""
    portion: list[str] = []
    size = 0
    for name in names:
        length = len(name.encode("utf-8", "surrogatepass")) + 5
        if length > MOST_BYTES - 256:
            yield None
            continue
        if portion and (size + length > MOST_BYTES - 256 or len(portion) >= MOST_NAMES):
            yield tuple(portion)
            portion, size = [], 0
        portion.append(name)
        size += length
    if portion:
        yield tuple(portion)
