"""Payloads that were written once and must be readable for ever: which there are, and a program that adds new ones.

    python -m tests.unit.serializers.goldens

writes those that `tests/golden/v1.json` does not have yet. One that it has is never written again.
"""

import json
from dataclasses import replace
from pathlib import Path
from typing import Final, cast

from google.protobuf import wrappers_pb2

from aiocache_kit.item import Item, Validators
from tests.unit.serializers.samples import KEY, SEALS, codec, item

FILE: Final = Path(__file__).parents[2] / "golden" / "v1.json"
_PLAIN: Final[dict[str, object]] = {
    "none": None,
    "true": True,
    "false": False,
    "int": -(2**70),
    "float": 0.1,
    "str": "häß\ud800",
    "bytes": bytes(range(256)),
    "dict": {"id": 1, "name": "Ada", "ratio": 0.5, "on": True, "off": None, "list": [1, [2, {}]]},
}
_TEXT: Final = {"text": "to be compressed, " * 20}


def items() -> dict[str, tuple[str, Item[object]]]:
    """Give each golden payload's codec and item, by name."""
    found: dict[str, tuple[str, Item[object]]] = {}
    for name, value in _PLAIN.items():
        found[f"json/checksum {name}"] = ("json/checksum", item(value))
    found["json/checksum without dates"] = ("json/checksum", Item(key=KEY, value=[1]))
    found["json/checksum tagged"] = ("json/checksum", item({"t": (1, {2}), 3: b"x"}))
    found["msgpack/checksum dict"] = ("msgpack/checksum", item({"a": [1.5, b"x"], 2: None}))
    found["msgpack/checksum tagged"] = ("msgpack/checksum", item((1, frozenset({2}))))
    found["protobuf/checksum"] = ("protobuf/checksum", item(wrappers_pb2.StringValue(value="Ada")))
    said = Validators('"v1"', "Tue, 14 Nov 2023 22:13:20 GMT")
    for name, validators in {"etag": said._replace(last_modified=None), "both validators": said}.items():
        found[f"json/checksum {name}"] = ("json/checksum", replace(item({"id": 1}), validators=validators))
    dated: Item[object] = Item(key=KEY, value=1, validators=said._replace(etag=None))
    found["json/checksum last_modified"] = ("json/checksum", dated)
    for seal in SEALS:
        found[f"json/{seal}"] = (f"json/{seal}", item(_PLAIN["dict"]))
        if seal != "checksum":
            found[f"pickle/{seal}"] = (f"pickle/{seal}", item({1, (2, 3)}))
    for compression in ("gzip", "zlib", "zstd", "lz4"):
        found[f"json/checksum/{compression}"] = (f"json/checksum/{compression}", item(_TEXT))
        found[f"json/aes-256-gcm/{compression}"] = (f"json/aes-256-gcm/{compression}", item(_TEXT))
    return found


def payloads() -> dict[str, bytes]:
    """Read the golden payloads, by name."""
    if not FILE.exists():
        return {}
    texts = cast("dict[str, str]", json.loads(FILE.read_text("utf-8")))
    return {name: bytes.fromhex(text) for name, text in texts.items()}


def main() -> None:
    """Write the payloads that are not there yet."""
    there = payloads()
    new = {name: codec(kind).encode(item) for name, (kind, item) in items().items() if name not in there}
    texts = {name: payload.hex() for name, payload in (there | new).items()}
    FILE.write_text(json.dumps(texts, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
