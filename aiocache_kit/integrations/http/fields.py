"""Header fields: finding them, taking lists apart, and reading dates.

A header is ASGI's pair of bytes, the name in lower case. Text is Latin-1, which is what bytes of a field are.

Rule: what is not as the grammar has it is read as the value that lets the cache do less.
"""

import re
from calendar import timegm
from collections.abc import Iterable, Sequence
from typing import Final, TypeAlias

Header: TypeAlias = tuple[bytes, bytes]
Headers: TypeAlias = Sequence[Header]

HOP_BY_HOP: Final = frozenset(
    (
        *(b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade"),
        *(b"proxy-authenticate", b"proxy-authentication-info", b"proxy-authorization", b"authentication-info"),
    )
)
"""Fields that concern one connection or one user's credentials, and are never stored (RFC 9111, 3.1)."""
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH: Final = "|".join(_MONTHS)
_TIME: Final = r"(?P<hour>[01]\d|2[0-3]):(?P<minute>[0-5]\d):(?P<second>[0-5]\d|60)"
_DATES: Final = tuple(
    re.compile(form, re.IGNORECASE)
    for form in (
        rf"[a-z]{{3}}, (?P<day>\d\d) (?P<month>{_MONTH}) (?P<year>\d{{4}}) {_TIME} GMT",
        rf"[a-z]{{6,9}}, (?P<day>\d\d)-(?P<month>{_MONTH})-(?P<year>\d\d) {_TIME} GMT",
        rf"[a-z]{{3}} (?P<month>{_MONTH}) (?P<day>[ \d]\d) {_TIME} (?P<year>\d{{4}})",
    )
)
"""The three forms of RFC 9110, 5.6.7."""
_MEMBER: Final = re.compile(r'(?:[^",]|"(?:[^"\\]|\\.)*"?)+')
_CLOSED: Final = re.compile(r'(?:[^"]++|"(?:[^"\\]|\\.)*+")*+')
"""A text in which each quote that is opened is closed. It never looks back: a request would hold the loop by that."""
_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_LATEST_DAY: Final = 31
_LONGEST_TIME: Final = 2**31


def values(headers: Iterable[Header], name: bytes) -> list[str]:
    """Give the values of every line of that name, in order."""
    return [value.decode("latin-1") for found, value in headers if found == name]


def value(headers: Iterable[Header], name: bytes) -> str | None:
    """Give the value of all lines of that name together, None where there is none."""
    found = values(headers, name)
    return ", ".join(found) if found else None


def members(text: str) -> list[str]:
    """Take a list apart at its commas, apart from those in quotes that are closed; empty members are left out."""
    parts = _MEMBER.findall(text) if '"' in text and _CLOSED.fullmatch(text) else text.split(",")
    return [part.strip(" \t") for part in parts if part.strip(" \t")]


def names(text: str) -> tuple[str, ...]:
    """Give the field names of a list such as `Vary`, in lower case, each once, sorted."""
    return tuple(sorted({member.lower() for member in members(text)}))


def is_name(text: str) -> bool:
    """Whether a text can be the name of a field."""
    return _NAME.fullmatch(text) is not None


def seconds(text: str | None) -> int | None:
    """Give a delta-seconds, at most 2**31; None for anything but digits (RFC 9111, 1.2.2)."""
    if text is None or not text.isascii() or not text.isdigit():
        return None
    return min(int(text), _LONGEST_TIME) if len(text) <= 10 else _LONGEST_TIME  # noqa: PLR2004  - digits of the limit


def instant(text: str | None, now: float) -> float | None:
    """Give a date in any of its three forms as seconds since the epoch; None for anything else.

    `now` is what a year of two digits is read by: one that would lie more than 50 years ahead is the last with them.
    """
    for form in _DATES if text is not None else ():
        found = form.fullmatch(text or "")
        if found is None:
            continue
        year, day = int(found["year"]), int(found["day"])
        if not 1 <= day <= _LATEST_DAY:
            return None
        if len(found["year"]) == 2:  # noqa: PLR2004  - the digits of RFC 850
            year += 2000
            if year > 1970 + now / 31_556_952 + 50:
                year -= 100
        month = _MONTHS.index(found["month"].lower()) + 1
        return float(timegm((year, month, day, int(found["hour"]), int(found["minute"]), int(found["second"]))))
    return None
