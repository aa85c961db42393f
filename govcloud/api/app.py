"""The application: routers, errors, the gate. Needs no life-cycle events to work."""

from typing import Final

from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp

from govcloud import __version__
from govcloud.api import audit, doctor, meta, objects, quota, recover, reports, requests, tokens
from govcloud.api.gate import Gate
from govcloud.api.problems import answer, incident, language, of_http, of_validation
from govcloud.api.services import Services
from govcloud.errors import GovcloudError

ROUTERS: Final = (
    meta.router,
    doctor.router,
    objects.router,
    recover.router,
    requests.router,
    quota.router,
    reports.router,
    audit.router,
    tokens.router,
)


def create_app(services: Services) -> ASGIApp:
    """Return the ASGI application on these services.

    There are no documentation pages: they would load scripts from elsewhere, and the network may
    be isolated (P5). The OpenAPI document is at `/openapi.json` for every caller with a token.
    """
    return Gate(routes(services), services)


def routes(services: Services) -> FastAPI:
    """Return the application without its gate; for its OpenAPI document."""
    app = FastAPI(
        title="govcloud",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
        redirect_slashes=False,
        openapi_url="/openapi.json",
    )
    app.state.services = services
    for router in ROUTERS:
        app.include_router(router)
    app.include_router(_health())
    app.add_exception_handler(GovcloudError, _ours)
    app.add_exception_handler(HTTPException, _of_framework)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(Exception, _unforeseen)
    return app


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
