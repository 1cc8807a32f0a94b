"""What the dashboard understands of HTTP: a request comes in as a value, and an answer goes out as one.

So the rules of the dashboard know no web framework, and each framework needs one small bridge.

Rule 1: every answer carries `SECURITY`: a page that runs its own files only, talks to its own server only, and is shown
in no frame of another page.
Rule 2: what depends on data is never kept by a cache; what does not is asked for again by its `ETag`.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final

Headers = tuple[tuple[str, str], ...]

MOST_BODY: Final = 65_536
"""Bytes of a request's body that are read; a longer one is refused."""
_POLICY: Final = (
    "default-src 'none'",
    *(f"{kind}-src 'self'" for kind in ("script", "style", "img", "connect")),
    *(f"{what} 'none'" for what in ("base-uri", "form-action", "frame-ancestors", "trusted-types")),
    "require-trusted-types-for 'script'",
)
SECURITY: Final[Headers] = (
    ("content-security-policy", "; ".join(_POLICY)),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("referrer-policy", "no-referrer"),
    ("x-content-type-options", "nosniff"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request, as far as the dashboard looks at it."""

    method: str
    path: str
    """What comes after the place where the dashboard is mounted: ``"/figures"``, or ``""`` without a slash."""
    mount: str = ""
    """The place itself, without a slash at its end."""
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    """By name in lower case."""
    body: bytes | None = b""
    """None where it is longer than `MOST_BODY`."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, whole."""

    status: int
    headers: Headers
    body: bytes = b""

    @property
    def complete_headers(self) -> Headers:
        """Give all headers to send, the length of the body included where there may be one."""
        length = () if self.status == HTTPStatus.NOT_MODIFIED else (("content-length", str(len(self.body))),)
        return (*self.headers, *SECURITY, *length)


def of_json(text: str, status: int = 200, headers: Headers = ()) -> Answer:
    """Give what is written as JSON already, in ASCII, so that nobody keeps it."""
    fixed = (("content-type", "application/json"), ("cache-control", "no-store"))
    return Answer(status, (*fixed, *headers), text.encode("ascii"))


def of_data(data: object, status: int = 200, headers: Headers = ()) -> Answer:
    """Give `data`, made of plain values, as JSON that nobody keeps."""
    return of_json(json.dumps(data, allow_nan=False), status, headers)


def of_refusal(status: int, reason: str, headers: Headers = ()) -> Answer:
    """Say in one sentence why a request is refused."""
    return of_data({"error": reason}, status, headers)
