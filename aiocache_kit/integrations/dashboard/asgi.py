"""The bridge between ASGI servers and what answers requests as values.

Rule 1: where the application is mounted is told by ``root_path``; servers differ in whether ``path`` still has it.
Rule 2: a client that goes away while it sends leaves nothing behind and gets no answer.
"""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Protocol, TypeAlias

from aiocache_kit.integrations.dashboard.http import MOST_BODY, Answer, Request

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]


class _GoneError(Exception):
    """Raised when the client goes away before it has said everything."""


class Answering(Protocol):
    """What answers requests."""

    async def answer(self, request: Request) -> Answer:
        """Answer one."""
        ...

    async def close(self) -> None:
        """Let go of everything."""
        ...


async def serve(answering: Answering, scope: Scope, receive: Receive, send: Send) -> None:
    """Serve one connection: a request, the life of a server that runs this application alone, or a refusal."""
    if scope["type"] == "lifespan":
        await _live(answering, receive, send)
    elif scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1000})
    else:
        try:
            request = await _request_of(scope, receive)
        except _GoneError:
            return
        await _send(request, await answering.answer(request), send)


async def _live(answering: Answering, receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        if message["type"] == "lifespan.shutdown":
            await answering.close()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


async def _request_of(scope: Scope, receive: Receive) -> Request:
    mount: str = scope.get("root_path", "").rstrip("/")
    path: str = scope["path"]
    if mount and (path == mount or path.startswith(f"{mount}/")):
        path = path[len(mount) :]
    return Request(
        method=scope["method"],
        path=path,
        mount=mount,
        query=scope.get("query_string", b"").decode("latin-1"),
        headers={name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]},
        body=await _body_of(receive),
    )


async def _body_of(receive: Receive) -> bytes | None:
    """Read the body to its end; give None where there is too much of it, of which no more than one part is held."""
    parts, length = list[bytes](), 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _GoneError
        part: bytes = message.get("body", b"")
        length += len(part)
        if length <= MOST_BODY:
            parts.append(part)
        else:
            parts.clear()
        if not message.get("more_body", False):
            return b"".join(parts) if length <= MOST_BODY else None


async def _send(request: Request, answer: Answer, send: Send) -> None:
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.complete_headers]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if request.method == "HEAD" else answer.body})
