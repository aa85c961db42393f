"""The application: routers, errors, the gate. Needs no life-cycle events to work."""

from collections.abc import Mapping
from importlib import import_module
from threading import Lock
from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from govcloud import __version__
from govcloud.api.framework import (
    APIRouter,
    FastAPI,
    RequestValidationError,
    without_old_models,
)
from govcloud.api.gate import Gate
from govcloud.api.problems import answer, incident, language, of_http, of_validation
from govcloud.api.services import Services
from govcloud.errors import GovcloudError

AREAS: Final[Mapping[str, frozenset[str]]] = {
    "meta": frozenset({"version", "whoami", "kinds", "schema", "explain"}),
    "doctor": frozenset({"doctor"}),
    "clouds": frozenset({"discovery", "unmanaged", "adoption"}),
    "operations": frozenset({"stop", "start", "reboot", "console-log"}),
    "recover": frozenset({"retry", "rebuild", "confirm", "force", "abandon", "clouds"}),
    "members": frozenset({"kubeconfig", "use"}),
    "objects": frozenset({"objects", "events", "drift"}),
    "requests": frozenset({"requests", "plan", "apply", "delete"}),
    "migrations": frozenset({"migrations"}),
    "quota": frozenset({"quota"}),
    "reports": frozenset({"reports"}),
    "audit": frozenset({"audit"}),
    "tokens": frozenset({"tokens", "users"}),
}
"""Modules with routes, and words of which their paths have one; a name of an object may be one of
them as well, and then an area is taken in too early, which is no harm."""


def create_app(services: Services, *, eager: bool = True) -> ASGIApp:
    """Return the ASGI application on these services.

    A server takes everything in at once. A command calls one route or two: without `eager`, the
    routes of an area are taken in when its first path is called for.

    There are no documentation pages: they would load scripts from elsewhere, and the network may
    be isolated (P5). The OpenAPI document is at `/openapi.json` for every caller with a token.
    """
    app = _bare(services)
    areas = Areas(app)
    if eager:
        areas.take_all()
    return Gate(areas, services)


def routes(services: Services) -> FastAPI:
    """Return the whole application without its gate; for its OpenAPI document."""
    app = _bare(services)
    Areas(app).take_all()
    return app


class Areas:
    """An application that takes in the routes of an area when they are first called for."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app
        self._taken: set[str] = set()
        self._lock = Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        said = frozenset(scope.get("path", "").split("/"))
        wanted = [name for name, words in AREAS.items() if said & words]
        for area in wanted or AREAS:
            self._take(area)
        await self._app(scope, receive, send)

    def take_all(self) -> None:
        """Take in every area."""
        for area in AREAS:
            self._take(area)

    def _take(self, area: str) -> None:
        with self._lock:
            if area not in self._taken:
                with without_old_models():
                    router = import_module(f"govcloud.api.{area}").router
                # As they are: to include the router would make each of them a second time.
                self._app.router.routes.extend(router.routes)
                self._taken.add(area)


def _bare(services: Services) -> FastAPI:
    app = FastAPI(
        title="govcloud",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
        redirect_slashes=False,
        openapi_url="/openapi.json",
        # No environment variable may make it send anything anywhere (P5).
        telemetry={"auto_configure": False},
    )
    app.state.services = services
    app.openapi = lambda: _document(app)  # type: ignore[method-assign]
    app.include_router(_health())
    app.add_exception_handler(GovcloudError, _ours)
    app.add_exception_handler(HTTPException, _of_framework)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(Exception, _unforeseen)
    return app


def _document(app: FastAPI) -> dict[str, Any]:
    from govcloud.api.openapi import document

    return document(app)


def _health() -> APIRouter:
    router = APIRouter()

    @router.get("/healthz", summary="Whether the server answers; needs no token")
    async def healthz() -> JSONResponse:
        return JSONResponse({"status": "ok"})

    return router


async def _ours(request: Request, error: Exception) -> Response:
    assert isinstance(error, GovcloudError)
    return answer(error, language(request))


async def _of_framework(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return answer(of_http(error, request.url.path), language(request))


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    return answer(of_validation(error), language(request))


async def _unforeseen(request: Request, error: Exception) -> Response:
    return answer(incident(error), language(request))
