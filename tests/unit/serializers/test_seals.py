"""Seals: secrets that are right or refused, numbers used once, lengths that tell nothing, keys that tell nothing."""

import hashlib
import hmac
import itertools
import secrets
import subprocess
import sys
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiocache_kit import ConfigError, CorruptPayloadError, Item, keys
from aiocache_kit.serializers.codec import Codec
from aiocache_kit.serializers.encryption import Encryption
from aiocache_kit.serializers.key_hashing import KeyHasher
from aiocache_kit.serializers.keyring import fingerprint
from aiocache_kit.serializers.nonces import SIZE, Nonces
from aiocache_kit.serializers.registry import new_serializer
from aiocache_kit.serializers.seal import Seal
from aiocache_kit.serializers.signing import Signing
from tests.unit.serializers.samples import KEY, NEW, OLD, codec, item

SEALS: dict[str, Callable[[list[bytes | str]], Seal]] = {
    "hmac-sha256": Signing,
    "blake2b": lambda ring: Signing(ring, "blake2b"),
    "aes-256-gcm": Encryption,
    "chacha20-poly1305": lambda ring: Encryption(ring, "chacha20-poly1305"),
}
seals = pytest.mark.parametrize("name", sorted(SEALS))


@seals
@given(body=st.binary(max_size=100), bound=st.binary(max_size=50))
def test_a_body_comes_back_for_what_it_belongs_to(name: str, body: bytes, bound: bytes) -> None:
    """A sealed body opens with what it is bound to, and not where a byte moved between the two."""
    seal = SEALS[name]([OLD])
    sealed = seal.seal(body, bound)

    assert seal.open(sealed, bound) == body
    for other in (bound + b"\0", bound[:-1] if bound else b"x", bound + body[:1] + b"x"):
        with pytest.raises(CorruptPayloadError):
            seal.open(sealed, other)


@seals
def test_an_error_tells_nothing(name: str) -> None:
    """The text for a false seal is the same whatever is wrong, without secret, body or the seal that would fit."""
    seal = SEALS[name]([OLD])
    sealed = seal.seal(b"the body", b"key")
    texts = set[str]()
    for wrong in (
        sealed[:-1],
        b"",
        sealed[:4],
        b"\0" * 100,
        sealed[:4] + b"\0" * 60,
        SEALS[name]([NEW]).seal(b"", b""),
    ):
        with pytest.raises(CorruptPayloadError) as caught:
            seal.open(wrong, b"key")
        texts.add(str(caught.value))
        assert caught.value.__cause__ is None

    assert len(texts) == 1
    assert "the body" not in texts.pop()


@pytest.mark.parametrize("algorithm", ["hmac-sha256", "blake2b"])
def test_signatures_are_those_of_the_standards(algorithm: str) -> None:
    """A signature is what HMAC-SHA256 or keyed BLAKE2b give over fingerprint, length, bound and body."""
    message = fingerprint(OLD) + (5).to_bytes(4, "big") + b"bound" + b"body"
    expected = {
        "hmac-sha256": hmac.new(OLD, message, hashlib.sha256).digest(),
        "blake2b": hashlib.blake2b(message, key=OLD, digest_size=32, person=b"aiocache_kit mac").digest(),
    }

    assert Signing([OLD], algorithm).seal(b"body", b"bound") == fingerprint(OLD) + expected[algorithm] + b"body"


@pytest.mark.parametrize("algorithm", ["hmac-sha256", "blake2b"])
def test_signatures_are_compared_in_constant_time(algorithm: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether a signature fits is asked of `hmac.compare_digest`, and its answer is what counts."""
    asked: list[tuple[bytes, bytes]] = []

    def compare(one: bytes, other: bytes) -> bool:
        asked.append((one, other))
        return False

    signing = Signing([OLD], algorithm)
    sealed = signing.seal(b"body", b"bound")
    monkeypatch.setattr(hmac, "compare_digest", compare)
    with pytest.raises(CorruptPayloadError):
        signing.open(sealed, b"bound")

    assert asked == [(sealed[4:36], sealed[4:36])]


@seals
def test_an_older_payload_of_the_same_key_still_opens(name: str) -> None:
    """What no seal can prevent, and the page on security says so: an old payload that is put back is believed."""
    codecs = codec(f"json/{name}")
    old = codecs.encode(item("old"))
    codecs.encode(item("new"))

    assert codecs.decode(KEY, old) == item("old")


@seals
def test_tenants_with_secrets_of_their_own_do_not_meet(name: str) -> None:
    """Under another secret the same key is another one: neither believes, or reads, what the other wrote."""
    mine, theirs = (Codec(new_serializer("json"), seal=SEALS[name]([secret])) for secret in (OLD, NEW))
    with pytest.raises(CorruptPayloadError):
        mine.decode(KEY, theirs.encode(item("theirs")))
    assert mine.decode_value(KEY.encode(), mine.encode(Item(key=KEY, value="mine"))) == ("mine", None, None)
    with pytest.raises(CorruptPayloadError):
        mine.decode_value(KEY.encode(), theirs.encode(Item(key=KEY, value="theirs")))


WRONG_SECRETS: dict[str, object] = {
    "none": [],
    "a str": "0" * 64,
    "bytes": OLD,
    "an empty one": [b""],
    "a short one": [OLD[:31]],
    "a short text": [OLD[:31].hex()],
    "no hexadecimal text": ["a secret of my own, which is long enough"],
    "all zeros": [bytes(32)],
    "a pattern": [b"abcd" * 8],
    "the same twice": [OLD, OLD.hex()],
    "a number": [5],
    "None": [None],
}


@seals
@pytest.mark.parametrize("what", sorted(WRONG_SECRETS))
def test_a_wrong_secret_is_refused_at_once(name: str, what: str) -> None:
    """The error names the field and what is allowed, and does not show what was given."""
    with pytest.raises(ConfigError) as caught:
        SEALS[name](WRONG_SECRETS[what])  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  - that is it
    assert caught.value.field in {"encryption_keys", "signing_keys"}
    for shown in ("of my own", OLD[:31].hex(), "abcd"):
        assert shown not in str(caught.value)


def test_encryption_takes_exactly_32_bytes() -> None:
    """A longer secret is no key for AES-256, and is not cut in silence; to sign, it is welcome."""
    long = secrets.token_bytes(100)
    with pytest.raises(ConfigError, match="32 bytes"):
        Encryption([long])
    for algorithm in ("hmac-sha256", "blake2b"):
        signing = Signing([long], algorithm)
        assert signing.open(signing.seal(b"body", b"key"), b"key") == b"body"
        with pytest.raises(CorruptPayloadError):
            Signing([long[:64] + bytes(36)], algorithm).open(signing.seal(b"body", b"key"), b"key")


def test_an_unknown_algorithm_is_refused() -> None:
    """There are two of each, and no payload can ask for a third."""
    with pytest.raises(ConfigError, match="aes-256-gcm, chacha20-poly1305"):
        Encryption([OLD], "aes-128-ecb")
    with pytest.raises(ConfigError, match="hmac-sha256, blake2b"):
        Signing([OLD], "md5")


def test_text_and_bytes_are_the_same_secret() -> None:
    """What one process reads from its environment as text opens what another one wrote with bytes."""
    assert Encryption([OLD.hex()]).open(Encryption([OLD]).seal(b"body", b""), b"") == b"body"


def test_a_fingerprint_tells_nothing_of_its_secret() -> None:
    """Four bytes that are no part of the secret, and other ones for another secret."""
    found = {fingerprint(secrets.token_bytes(32)) for _ in range(100)}

    assert len(found) == 100
    assert fingerprint(OLD) not in OLD


def test_no_nonce_is_used_twice() -> None:
    """A hundred thousand encryptions of one value have as many nonces, and as many ciphertexts."""
    seal = Encryption([OLD])
    sealed = {seal.seal(b"the same", b"") for _ in range(100_000)}

    assert len(sealed) == 100_000
    assert len({data[4:16] for data in sealed}) == 100_000


def test_nonces_go_round_at_their_end() -> None:
    """A counter that starts at the largest number goes on with the smallest, in twelve bytes each."""
    nonces = Nonces()
    nonces._count = itertools.count(2**96 - 1)

    assert [nonces.next() for _ in range(3)] == [b"\xff" * 12, bytes(12), bytes(11) + b"\1"]
    assert SIZE == 12


FORK = """
import os
from aiocache_kit.serializers.nonces import NONCES
ours, theirs = os.pipe()
if os.fork() == 0:
    os.write(theirs, b"".join(NONCES.next() for _ in range(100)))
    os._exit(0)
os.wait()
found = os.read(ours, 1200)
mine = {NONCES.next() for _ in range(1000)}
print(len(found), len(mine & {found[place : place + 12] for place in range(0, 1200, 12)}))
"""


def test_processes_do_not_share_nonces() -> None:
    """A forked process does not go on where its parent does."""
    done = subprocess.run([sys.executable, "-c", FORK], capture_output=True, text=True, check=True)

    assert done.stdout == "1200 0\n"


def test_the_length_of_a_small_value_tells_nothing() -> None:
    """Encrypted, None, flags, numbers and short text take the same room."""
    encrypting = codec("json/aes-256-gcm")
    values = [None, True, False, 0, 10**12, 0.5, "", "no", "a short text", b"x", {"a": 1}, [1, 2, 3]]
    lengths = {len(encrypting.encode(item(value))) for value in values}

    assert len(lengths) == 1


def test_what_is_encrypted_cannot_be_seen() -> None:
    """Neither value, tags nor cost can be found in the payload; dates and version can."""
    data = codec("json/aes-256-gcm").encode(item({"name": "Ada Lovelace"}))

    assert b"Ada" not in data
    assert b"users" not in data
    assert (2**63 + 5).to_bytes(8, "big") in data


# --- keys that tell nothing -------------------------------------------------------------------------------------------


def test_hashed_keys_tell_nothing_but_their_namespace() -> None:
    """The key is replaced, its namespaces stay, and what is to stay readable does."""
    hasher = KeyHasher(OLD)
    stored = keys.stored(keys.namespace_prefix(keys.namespace_prefix("", "app"), "users"), "ada@example.org")

    assert hasher.hashed(stored).startswith("@app:@users:#")
    assert "ada" not in hasher.hashed(stored)
    assert KeyHasher(OLD, readable=3).hashed(stored).startswith("@app:@users:ada#")
    assert hasher.hashed("x" * 100_000).startswith("#")
    assert len(hasher.hashed("x" * 100_000)) == 41


@given(st.text(min_size=1), st.text(min_size=1))
def test_hashed_keys_are_the_same_everywhere_and_differ(one: str, other: str) -> None:
    """One key has one digest wherever the secret is known, no two keys share one, another secret gives others."""
    assert KeyHasher(OLD).hashed(one) == KeyHasher(OLD.hex()).hashed(one)
    assert KeyHasher(OLD).hashed(one) != KeyHasher(NEW).hashed(one)
    assert (KeyHasher(OLD).hashed(one) == KeyHasher(OLD).hashed(other)) is (one == other)


@pytest.mark.parametrize("wrong", [b"", b"short", "zz", bytes(32)])
def test_a_wrong_secret_for_keys_is_refused(wrong: bytes | str) -> None:
    """Without a good secret, hashing keys would be a promise that does not hold."""
    with pytest.raises(ConfigError, match="key_hash_secret"):
        KeyHasher(wrong)
    with pytest.raises(ConfigError, match="key_hash_readable"):
        KeyHasher(OLD, readable=-1)
    assert "0 readable" in repr(KeyHasher(OLD))
