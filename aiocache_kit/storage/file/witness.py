"""The witness: a small sealed file by which a start knows whether it has the secrets of what lies in the directory.

    file = magic:4 sealed checksum:4            `sealed` is the digest of a fixed text, under the seal of the codec

Without it, a start with other secrets would take every item for a damaged one, and sweep them all.

Rule 1: it says nothing of serializer, compression and bounds. It fits whoever names and seals files as its writer did.
Rule 2: a witness of other secrets refuses the directory, before anything in it is changed. One that is damaged says
nothing, and is made anew.
Rule 3: where there is none, items speak for it: the directory is refused if there are some of other secrets, and none
that can be read.
Rule 4: it is sealed with the newest secret, so that older ones can be dropped one day.
"""

import errno
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from struct import Struct
from typing import Final
from zlib import crc32

from aiocache_kit.errors import CorruptPayloadError, StorageAccessError
from aiocache_kit.serializers.keyring import KEY_ID_SIZE
from aiocache_kit.storage.file.files import NAMES, Files, Place

NAME: Final = "witness"
"""What its name ends with, after the prefix of the names of items."""
_MAGIC: Final = b"AKW\x01"
_CHECK: Final = Struct(">I")
_LONGEST: Final = 1024
_TEXT: Final = "witness: longer than what may stay readable of a key that is hashed, so that this counts as well"
_UNDER: Final = 3 + KEY_ID_SIZE
"""What a sealed text begins with: the kind of seal, and the fingerprint of the secret if there is one."""
_MOST_LOOKS: Final = 1000
"""Items that are looked at, at most, where there is no witness."""
_PLANTED: Final = frozenset({errno.ENOENT, errno.ELOOP, errno.EISDIR, errno.ENXIO, errno.EINVAL})


def check_witness(files: Files) -> None:
    """Look whether the open directory of `files` is one of our secrets, and leave a witness that it is.

    Raises `StorageAccessError` where it is not, and `OSError` where the witness cannot be read. One that cannot be
    written, as on a full disk, is left for another time.
    """
    with files.directory.alone():
        sealed = _read(files)
        if sealed is None:
            if _is_of_others(files):
                raise _refusal()
        elif not _fits(files, sealed):
            raise _refusal()
        newest = files.codec.vouch(_TEXT, _content(files))
        if sealed is None or sealed[:_UNDER] != newest[:_UNDER]:
            _write(files, newest)


def _content(files: Files) -> bytes:
    return files.digest(_TEXT).encode()


def _read(files: Files) -> bytes | None:
    """Give what the witness holds; None: there is none, or it is damaged."""
    try:
        data = files.directory.content(files.prefix + NAME, _LONGEST)
    except OSError as error:
        if error.errno not in _PLANTED:
            raise
        return None
    sealed, check = data[len(_MAGIC) : -_CHECK.size], data[-_CHECK.size :]
    is_whole = data.startswith(_MAGIC) and check == _CHECK.pack(crc32(data[: -_CHECK.size]))
    return sealed if is_whole else None


def _fits(files: Files, sealed: bytes) -> bool:
    try:
        return files.codec.vouched(_TEXT, sealed) == _content(files)
    except CorruptPayloadError:
        return False


def _write(files: Files, sealed: bytes) -> None:
    data = _MAGIC + sealed
    try:
        files.directory.put(files.prefix + NAME, (data, _CHECK.pack(crc32(data))), as_item=True)
    except OSError:
        return


def _is_of_others(files: Files) -> bool:
    """Whether some items are of other secrets, and none of those that are looked at can be read."""
    others = False
    for place in islice(_items(files), _MOST_LOOKS):
        is_ours = files.is_ours(place)
        if is_ours:
            return False
        others = others or is_ours is False
    return others


def _items(files: Files) -> Iterator[Place]:
    for number in range(len(NAMES)):
        with suppress(OSError):  # whoever needs what is in there says so
            yield from files.listed(number)


def _refusal() -> StorageAccessError:
    return StorageAccessError(
        "the directory holds what was written under other secrets: give these as well, or use another directory"
    )
