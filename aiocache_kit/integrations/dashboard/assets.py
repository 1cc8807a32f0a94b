"""The files of the page, which lie in the package: nothing is fetched from anywhere else.

Rule: they are read once, in a thread, when the first of them is asked for.
"""

import asyncio
import hashlib
from importlib.resources import files
from typing import Final

from aiocache_kit.integrations.dashboard.http import Answer, Headers, Request

_KINDS: Final = {
    "index.html": "text/html; charset=utf-8",
    "dashboard.css": "text/css; charset=utf-8",
    "icon.svg": "image/svg+xml",
    **dict.fromkeys(
        ("actions.js", "charts.js", "dashboard.js", "elements.js", "figures.js", "sections.js"),
        "text/javascript; charset=utf-8",
    ),
}


class Assets:
    """The files by the path under which the page asks for them."""

    __slots__ = ("_read",)

    def __init__(self) -> None:
        """Read nothing yet."""
        self._read: dict[str, Answer] = {}

    async def answer(self, request: Request) -> Answer | None:
        """Give a file, or that it has not changed since it was given before; None where there is none of that path."""
        name = request.path.removeprefix("/") or "index.html"
        if name not in _KINDS:
            return None
        if not self._read:
            self._read = await asyncio.to_thread(_read_all)
        found = self._read[name]
        etag = dict(found.headers)["etag"]
        if etag in request.headers.get("if-none-match", ""):
            return Answer(304, found.headers)
        return found


def _read_all() -> dict[str, Answer]:
    page = files("aiocache_kit.integrations.dashboard") / "page"
    return {name: _of_file(kind, (page / name).read_bytes()) for name, kind in _KINDS.items()}


def _of_file(kind: str, content: bytes) -> Answer:
    etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    headers: Headers = (("content-type", kind), ("cache-control", "no-cache"), ("etag", etag))
    return Answer(200, headers, content)
