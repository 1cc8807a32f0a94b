"""The kinds of fields that there are: each function makes the rule of one.

Rule: a wrong value is refused and never mended: no clipping, no rounding, no `bool` where a number belongs.
"""

import os
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Final, cast

from aiocache_kit.config.rules import Part, Rule
from aiocache_kit.errors import InvalidArgumentError, InvalidTTLError
from aiocache_kit.management.expiration import life_of
from aiocache_kit.management.freshness import CHECKS
from aiocache_kit.serializers.registry import serializer_names

_TRUE: Final = frozenset({"true", "yes", "on", "1"})
_FALSE: Final = frozenset({"false", "no", "off", "0"})
_WHOLE: Final = re.compile(r"[+-]?\d{1,18}", re.ASCII)
_DECIMAL: Final = re.compile(r"\d{1,15}(?:\.\d{1,15})?", re.ASCII)
_OCTAL: Final = re.compile(r"(?:0o)?([0-7]{3,4})")
_SIZE: Final = re.compile(r"(\d{1,15})(?:\.(\d{1,9}))?\s*(|[kmgt]i?)b?", re.ASCII | re.IGNORECASE)
_POWERS: Final = ("", "k", "m", "g", "t")
_NOTHING: Final = re.compile(r"0+(?:\.0+)?\s*(?:ms|[smhdw])?", re.IGNORECASE)
_ADDRESS: Final = re.compile(r"(?:\[(?P<six>[^\[\]\s]+)\]|(?P<name>[^\[\]\s:/@?#%]+))(?::(?P<port>\d{1,5}))?", re.ASCII)
_MOST_PORT: Final = 65_535
_OTHERS_WRITE: Final = 0o002
_ALL_PERMISSIONS: Final = 0o777


def whole(least: int, most: int | None = None, *, none: str = "") -> Rule:
    """Allow an int of at least `least` and at most `most`; `none` says what None means, where it is allowed."""

    def check(value: object) -> int:
        number = _number(value)
        if number < least or (most is not None and number > most):
            raise ValueError
        return number

    bounds = f"of at least {least}" if most is None else f"from {least} to {most}"
    return Rule(allowed=f"a whole number {bounds}{_or(none)}", check=check, read=_read_whole, optional=bool(none))


def _number(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError
    return int(value)


def _or(none: str) -> str:
    return f", or None {none}" if none else ""


def _read_whole(text: str) -> object:
    compact = text.strip().replace("_", "")
    return int(compact) if _WHOLE.fullmatch(compact) else text


def seconds(*, zero: str = "", none: str = "") -> Rule:
    """Allow a duration; `zero` and `none` say what 0 and None mean, where they are allowed."""

    def check(value: object) -> float:
        if value is None:
            raise ValueError
        if zero and not isinstance(value, bool) and _is_zero(value):
            return 0.0
        try:
            return life_of(value)
        except InvalidTTLError:
            raise ValueError from None

    allowed = 'a positive number of seconds, a timedelta, text such as "1h30m"'
    endings = [f"0 {zero}"] * bool(zero) + [f"None {none}"] * bool(none)
    return Rule(
        allowed=f"{allowed}, or {' or '.join(endings)}" if endings else allowed.replace(", text", " or text"),
        check=check,
        optional=bool(none),
    )


def _is_zero(value: object) -> bool:
    if isinstance(value, str):
        return bool(_NOTHING.fullmatch(value.strip()))
    return isinstance(value, int | float | timedelta) and not value


def policy(option: str, allowed: str, read: Callable[[str], object] | None = str) -> Rule:
    """Allow what the option of that name may be at a call, said in words; None where it is None that is allowed."""

    def check(value: object) -> object:
        try:
            return CHECKS[option](option, value)
        except InvalidArgumentError:
            raise ValueError from None

    return Rule(allowed=allowed, check=check, read=read)


def lasting(option: str, *, none: str) -> Rule:
    """Allow the duration of an option, of which 0 is one; `none` says what None means. Infinity is None again."""
    rule = policy(option, f'0, a positive number of seconds, a timedelta, text such as "1h30m", or None {none}')

    def check(value: object) -> object:
        if isinstance(value, str) and _is_zero(value):
            return 0.0
        return rule.check(value)

    return replace(rule, check=check, optional=True)


def share(option: str, allowed: str, *, none: str = "") -> Rule:
    """Allow a number of an option."""
    return replace(policy(option, f"{allowed}{_or(none)}", read_number), optional=bool(none))


def read_number(text: str) -> object:
    """Give the number that a text stands for, or the text itself."""
    return float(text) if _DECIMAL.fullmatch(text.strip()) else text


def power_of_two(most: int, *, none: str) -> Rule:
    """Allow 1, 2, 4 and so on up to `most`."""

    def check(value: object) -> int:
        number = _number(value)
        if not 1 <= number <= most or number & (number - 1):
            raise ValueError
        return number

    return Rule(
        allowed=f"a power of two from 1 to {most}{_or(none)}", check=check, read=_read_whole, optional=bool(none)
    )


def choice(*names: str, none: str = "") -> Rule:
    """Allow one of `names`."""

    def check(value: object) -> str:
        if not isinstance(value, str) or value not in names:
            raise ValueError
        return value

    return Rule(allowed=f"one of {', '.join(names)}{_or(none)}", check=check, optional=bool(none))


def serializer() -> Rule:
    """Allow the name of a serializer: a built-in one, or one that was registered before."""

    def check(value: object) -> str:
        if not isinstance(value, str) or value not in serializer_names():
            raise ValueError
        return value

    return Rule(allowed="one of json, msgpack, pickle, protobuf, or the name of a registered serializer", check=check)


def flag() -> Rule:
    """Allow True and False."""

    def check(value: object) -> bool:
        if not isinstance(value, bool):
            raise TypeError
        return value

    return Rule(allowed="True or False", check=check, read=_read_flag)


def _read_flag(text: str) -> object:
    word = text.strip().lower()
    return True if word in _TRUE else False if word in _FALSE else text


def text(*, none: str = "", secret: bool = False) -> Rule:
    """Allow a `str` that is not empty."""

    def check(value: object) -> str:
        if not isinstance(value, str) or not value:
            raise ValueError
        return value

    return Rule(
        allowed=f"a str that is not empty{_or(none)}", check=check, optional=bool(none), free=True, secret=secret
    )


def path(*, none: str = "") -> Rule:
    """Allow a path as a `str` or `os.PathLike`; its form is a `str`."""

    def check(value: object) -> str:
        name = os.fspath(cast("os.PathLike[str]", value)) if isinstance(value, os.PathLike) else value
        if not isinstance(name, str) or not name or "\0" in name:
            raise ValueError
        return name

    return Rule(allowed=f"a path as a str or os.PathLike{_or(none)}", check=check, optional=bool(none), free=True)


def matching(pattern: str, allowed: str) -> Rule:
    """Allow a `str` that matches `pattern` as a whole; `allowed` says so in words."""

    def check(value: object) -> str:
        if not isinstance(value, str) or not re.fullmatch(pattern, value):
            raise ValueError
        return value

    return Rule(allowed=allowed, check=check)


def size(*, most: int | None = None, none: str = "") -> Rule:
    """Allow a number of bytes: an int, or text with a unit (kB, MB, GB, TB by 1000; KiB, MiB, GiB, TiB by 1024)."""

    def check(value: object) -> int:
        amount = _bytes_of(value) if isinstance(value, str) else _number(value)
        if amount < 1 or (most is not None and amount > most):
            raise ValueError
        return amount

    bounds = "at least 1" if most is None else f"from 1 to {most}"
    return Rule(
        allowed=f'a number of bytes, {bounds}, as an int or text such as "64MB" or "64MiB"{_or(none)}',
        check=check,
        optional=bool(none),
    )


def _bytes_of(text: str) -> int:
    found = _SIZE.fullmatch(text.strip())
    if not found:
        raise ValueError
    number, fraction, unit = found[1], found[2] or "", found[3].lower()
    base = 1024 if unit.endswith("i") else 1000
    amount, rest = divmod(int(number + fraction) * base ** _POWERS.index(unit[:1]), 10 ** len(fraction))
    if rest:
        raise ValueError
    return int(amount)


def permissions(needed: int) -> Rule:
    """Allow the permission bits of a file or directory that have those of `needed` and let nobody else write."""

    def check(value: object) -> int:
        bits = _number(value)
        if not 0 <= bits <= _ALL_PERMISSIONS or bits & needed != needed or bits & _OTHERS_WRITE:
            raise ValueError
        return bits

    def read(text: str) -> object:
        found = _OCTAL.fullmatch(text.strip())
        return int(found[1], 8) if found else text

    return Rule(
        allowed=f"permissions of at least 0o{needed:o}, at most 0o777, that do not let others write (0o002)",
        check=check,
        read=read,
    )


def function(signature: str, *, none: str, sample: Callable[[Callable[..., object]], object] | None = None) -> Rule:
    """Allow a callable; `sample` calls it once, and what that gives must be an int."""

    def check(value: object) -> object:
        if not callable(value):
            raise TypeError
        if sample is not None and not _gives_int(sample, value):
            raise ValueError
        return value

    return Rule(allowed=f"a function {signature}{_or(none)}", check=check, read=None, optional=True)


def _gives_int(sample: Callable[[Callable[..., object]], object], call: Callable[..., object]) -> bool:
    try:
        result = sample(call)
    except Exception:  # noqa: BLE001  - whatever it raises, it is not the function that is needed
        return False
    return isinstance(result, int)


def address(default_port: int) -> Rule:
    """Allow ``host``, ``host:port``, ``[IPv6]`` and ``[IPv6]:port``; its form has the port."""
    return Rule(
        allowed=f'an address such as "localhost:{default_port}", or "[::1]:{default_port}" for IPv6',
        check=lambda value: _address(value, default_port),
    )


def addresses(default_port: int) -> Rule:
    """Allow a collection of addresses; its form is a tuple of them."""

    def check(value: object) -> tuple[str, ...]:
        if not isinstance(value, list | tuple):
            raise TypeError
        return tuple(_address(each, default_port) for each in cast("list[object]", value))

    return Rule(
        allowed=f'a list or tuple of addresses such as "localhost:{default_port}"',
        check=check,
        read=lambda text: [part.strip() for part in text.split(",")],
    )


def _address(value: object, default_port: int) -> str:
    found = _ADDRESS.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError
    port = int(found["port"] or default_port)
    if not 1 <= port <= _MOST_PORT:
        raise ValueError
    if found["six"] is None:
        return f"{found['name']}:{port}"
    import ipaddress  # noqa: PLC0415  - needed by those alone who have such an address

    return f"[{ipaddress.IPv6Address(found['six'])}]:{port}"


def part(kind: type[Part], *, none: str = "", flagged: str = "") -> Rule:
    """Allow a `kind`; `none` says what None means, and `flagged` what True and False do, where they are allowed."""

    def check(value: object) -> object:
        if isinstance(value, kind) or (flagged and isinstance(value, bool)):
            return value
        raise ValueError

    return Rule(
        allowed=f"{flagged}a {kind.__name__}{_or(none)}",
        check=check,
        read=_read_flag if flagged else None,
        optional=bool(none),
        part=kind,
    )


def secret(field: str, *, none: str) -> Rule:
    """Allow one secret, as bytes or hexadecimal text; its form is bytes."""

    def check(value: object) -> bytes:
        from aiocache_kit.serializers.keyring import read_key  # noqa: PLC0415  - needed by those alone who have one

        return read_key(field, cast("bytes", value))

    return Rule(allowed=f"a secret{_or(none)}", check=check, optional=True, secret=True)


def secrets(field: str, *, exactly: int | None = None) -> Rule:
    """Allow a list of secrets, each as bytes or hexadecimal text, `exactly` so many bytes; its form is a tuple."""

    def check(value: object) -> tuple[bytes, ...]:
        if not isinstance(value, list | tuple):
            raise TypeError
        if not value:
            return ()
        from aiocache_kit.serializers.keyring import read_keys  # noqa: PLC0415  - as above

        return tuple(key.secret for key in read_keys(field, cast("list[bytes | str]", value), exactly=exactly))

    return Rule(
        allowed="a list or tuple of secrets",
        check=check,
        read=lambda text: [part.strip() for part in text.split(",")],
        secret=True,
    )
