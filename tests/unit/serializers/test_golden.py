"""The envelope, byte for byte: payloads of every kind that were kept, and each way of damaging them."""

import struct

import pytest
from google.protobuf import wrappers_pb2

from aiocache_kit import CorruptPayloadError, Item
from aiocache_kit.serializers.parts import Parts
from tests.unit.serializers.goldens import items, payloads
from tests.unit.serializers.samples import KEY, codec, item

ITEMS = items()
PAYLOADS = payloads()
each = pytest.mark.parametrize("name", sorted(ITEMS))


def test_every_golden_payload_is_known_and_kept() -> None:
    """No payload was dropped from the file, and none was added to the list without being kept."""
    assert sorted(PAYLOADS) == sorted(ITEMS)


@each
def test_what_was_written_once_is_read(name: str) -> None:
    """A payload that was kept gives the item that it was written from, types included."""
    kind, written = ITEMS[name]
    read = codec(kind).decode(KEY, PAYLOADS[name])

    if isinstance(read.value, Parts):
        assert read.value.read_as(wrappers_pb2.StringValue) == written.value
    else:
        assert (read, type(read.value)) == (written, type(written.value))


@each
def test_what_is_written_now_is_what_was_written(name: str) -> None:
    """Where no chance is in it, the same item gives the same bytes as ever; where there is, as many."""
    kind, written = ITEMS[name]
    now = codec(kind).encode(written)

    if "gcm" in name or "chacha" in name:
        assert len(now) == len(PAYLOADS[name]) or "/z" in name
    elif "/" not in kind.partition("/")[2] and "pickle" not in name:
        assert now == PAYLOADS[name]
    assert now[:44] == PAYLOADS[name][:44]


@each
def test_every_changed_byte_is_found(name: str) -> None:
    """A payload of which any single byte is another one is not read."""
    reader, payload = codec(ITEMS[name][0]), PAYLOADS[name]
    for place in range(len(payload)):
        for change in (0x01, 0x80, 0xFF):
            changed = bytearray(payload)
            changed[place] ^= change
            with pytest.raises(CorruptPayloadError):
                reader.decode(KEY, bytes(changed))


@each
def test_every_cut_is_found(name: str) -> None:
    """A payload that ends too early or too late, or lost its beginning, is not read."""
    reader, payload = codec(ITEMS[name][0]), PAYLOADS[name]
    for place in range(len(payload)):
        with pytest.raises(CorruptPayloadError):
            reader.decode(KEY, payload[:place])
    for wrong in (payload + b"\0", payload + payload, payload[1:], b"\0" + payload, b""):
        with pytest.raises(CorruptPayloadError):
            reader.decode(KEY, wrong)


@each
def test_a_payload_belongs_to_its_key(name: str) -> None:
    """Under another key, of the same namespace or another one, a payload is not read."""
    reader = codec(ITEMS[name][0])
    for key in (KEY[:-1], KEY + "4", "@people:user:123", "user:123", "x"):
        with pytest.raises(CorruptPayloadError):
            reader.decode(key, PAYLOADS[name])


@pytest.mark.parametrize("kind", sorted({kind for kind, _ in ITEMS.values()}))
def test_a_payload_does_not_choose_how_it_is_read(kind: str) -> None:
    """No codec reads what one with another serializer, seal or compression wrote, unless that left no trace in it."""
    reader = codec(kind)
    serializer, seal, *_ = kind.split("/")
    for name, (other, written) in ITEMS.items():
        other_serializer, other_seal, *other_compression = other.split("/")
        passes = written.value is None or isinstance(written.value, int | float | str | bytes)
        if (
            seal == other_seal
            and (passes or serializer == other_serializer)
            and (kind == other or not other_compression)
        ):
            assert reader.decode(KEY, PAYLOADS[name]).version == written.version
        else:
            with pytest.raises(CorruptPayloadError):
                reader.decode(KEY, PAYLOADS[name])


def test_another_compression_is_not_tried() -> None:
    """What another algorithm packed is refused by its name, before anything tries to unpack it."""
    for mine, other in (("gzip", "zlib"), ("zlib", "zstd"), ("zstd", "lz4"), ("lz4", "gzip")):
        with pytest.raises(CorruptPayloadError, match="compressed in another way than is configured"):
            codec(f"json/checksum/{mine}").decode(KEY, PAYLOADS[f"json/checksum/{other}"])


def test_a_later_version_is_not_read() -> None:
    """An envelope of a format that is not known yet is refused, whatever else is in it."""
    payload = PAYLOADS["json/checksum dict"]
    with pytest.raises(CorruptPayloadError, match="another version of the format"):
        codec("json/checksum").decode(KEY, payload[:1] + b"\x02" + payload[2:])


def test_the_version_of_an_item_compares_as_bytes_do() -> None:
    """Eight bytes at offset 4 are the version, big-endian, under any seal: a script in the store can compare them."""
    for kind in ("json/checksum", "json/aes-256-gcm"):
        writer = codec(kind)
        versions = [0, 1, 255, 256, 2**32, 2**63, 2**64 - 1]
        found = [writer.encode(Item(key=KEY, value=1, version=version))[4:12] for version in versions]

        assert found == sorted(found)
        assert [struct.unpack(">Q", data)[0] for data in found] == versions


def test_no_envelope_begins_as_a_number_does() -> None:
    """The first byte tells an envelope from a bare integer."""
    assert {payload[0] for payload in PAYLOADS.values()} == {0xAC}
    assert bytes((0xAC,)) not in b"-0123456789"


def test_an_item_is_read_as_it_was_written() -> None:
    """Everything about an item but its staleness, which is a matter of time, is in its payload."""
    for kind in ("json/checksum", "json/hmac-sha256", "json/chacha20-poly1305/zlib"):
        written = item({"text": "x" * 100})
        read = codec(kind).decode(KEY, codec(kind).encode(written))

        assert read == written
