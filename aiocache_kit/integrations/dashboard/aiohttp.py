"""The dashboard in an aiohttp application: ``app.add_subapp("/internal/cache", dashboard_app(Dashboard(cache)))``.

Rule: it only carries requests and answers over; this file is where the dashboard needs the extra ``aiohttp``.
"""

from aiocache_kit.errors import MissingDependencyError
from aiocache_kit.integrations.dashboard.dashboard import Dashboard
from aiocache_kit.integrations.dashboard.http import MOST_BODY, Request

try:
    from aiohttp import web
    from multidict import CIMultiDict
except ImportError as error:
    raise MissingDependencyError("aiohttp", "aiohttp") from error

__all__ = ["dashboard_app"]


def dashboard_app(dashboard: Dashboard) -> web.Application:
    """Give an application that serves `dashboard`, to be added to another one by `add_subapp`.

    What it listens to ends with the application. Each dashboard is served by one application.
    """

    async def serve(request: web.Request) -> web.Response:
        path = f"/{request.match_info['path']}" if "path" in request.match_info else ""
        asked = Request(
            method=request.method,
            path=path,
            mount=request.path.removesuffix(path),
            query=request.query_string,
            headers={name.lower(): value for name, value in request.headers.items()},
            body=await _body_of(request),
        )
        answer = await dashboard.answer(asked)
        return web.Response(status=answer.status, headers=CIMultiDict(answer.complete_headers), body=answer.body)

    async def close(app: web.Application) -> None:
        del app
        await dashboard.close()

    app = web.Application()
    app.router.add_route("*", "", serve)
    app.router.add_route("*", "/{path:.*}", serve)
    app.on_cleanup.append(close)
    return app


async def _body_of(request: web.Request) -> bytes | None:
    # Not by `request.read`: its limit is that of the outermost application.
    body = bytearray()
    async for part in request.content.iter_any():
        body += part
        if len(body) > MOST_BODY:
            return None
    return bytes(body)
