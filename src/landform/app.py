"""Composition root of a server: the API and the pages on one ASGI application."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Final

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from landform import __version__
from landform.access.errors import DeniedError, HiddenError
from landform.api.agent import PREFIX as AGENT_PREFIX
from landform.api.agent import error_response as agent_error
from landform.api.agent import router as agent
from landform.api.hooks import router as hooks
from landform.api.issuer import router as issuer
from landform.api.jsonapi import error_response, install_openapi, kebab
from landform.api.scim import router as scim
from landform.api.scim.dialect import PREFIX as SCIM_PREFIX
from landform.api.scim.dialect import error_response as scim_error
from landform.api.terrakube import router as terrakube
from landform.api.terrakube.dialect import PREFIX as TERRAKUBE_PREFIX
from landform.api.terrakube.dialect import TERRAKUBE, attribute
from landform.api.tfe import router as tfe
from landform.api.tfe.dialect import TFE
from landform.api.token_exchange import router as token_exchange
from landform.audit.service import Upkeep, keep_forever
from landform.audit.sinks import make_sinks
from landform.dispatch.service import AGENTS_CHANNEL, ORDERS_CHANNEL
from landform.edge.allowances import Allowances
from landform.edge.brief import authenticated_briefly
from landform.edge.deps import WITHIN_A_BATCH, authenticated, process_of
from landform.edge.origin import NoteOrigin
from landform.edge.paths import RefuseControlCharacters
from landform.edge.process import Process
from landform.edge.rate_limit import LimitRate
from landform.edge.signed_urls import PREFIX as SIGNED
from landform.edge.signed_urls import UrlSigner
from landform.fleet.models import Kind
from landform.fleet.service import Beat, keep_present
from landform.kit.errors import LandformError, TooManyError
from landform.kit.events import CHANNEL as CHANGES
from landform.kit.notify import Listener
from landform.kit.scratch import remove_abandoned
from landform.logs.service import CHANNEL as LOGS
from landform.runs.attempts import Platform
from landform.runs.moves import CHANNEL as RUNS
from landform.runs.sweep import sweep_forever
from landform.settings import Settings
from landform.web import router as web
from landform.web import static
from landform.web.health import Measure
from landform.web.pages import failure_page
from landform.wiring import make_federation, make_mail, make_reach

_FOR_CLIENTS: Final = (
    *("/api/", "/.well-known/", f"{SIGNED}/", "/hooks/", "/webhook/"),
    *("/oauth/token", "/openapi.json", "/tfstate/v1/", "/tfoutput/v1/"),
    *("/pat/v1", "/access-token/v1/"),
)
_LIMITED: Final = (
    "/api/",
    "/tfstate/v1/",
    "/tfoutput/v1/",
    "/pat/v1",
    "/access-token/v1/",
    "/oauth/token",
    f"{SCIM_PREFIX}/",
)

_FAILURES: Final = (LandformError, HTTPException, RequestValidationError, Exception)


def build(process: Process) -> FastAPI:
    """Wire the app; nothing below this line reads the environment."""

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await process.listener.start()
        await asyncio.to_thread(remove_abandoned)
        sessions, store = process.platform.sessions, process.platform.store
        keyring = process.platform.keyring
        beat = Beat(Kind.SERVER, process.sweep_s)
        chores = [
            asyncio.create_task(
                sweep_forever(
                    sessions,
                    store,
                    every_s=process.sweep_s,
                    lease_s=process.platform.limits.lease_s,
                )
            ),
            asyncio.create_task(keep_present(sessions, keyring, beat)),
            asyncio.create_task(keep_forever(sessions, keyring, process.upkeep)),
        ]
        try:
            yield
        finally:
            for chore in chores:
                chore.cancel()
            await asyncio.gather(*chores, return_exceptions=True)
            await process.listener.stop()
            await process.reach.close()

    app = FastAPI(
        title="Landform", version=__version__, lifespan=lifespan, docs_url=None, redoc_url=None
    )
    app.state.process = process
    install_failures(app)
    # Laid beside each other, as dialects and pages lay theirs: FastAPI looks for a request in what
    # is included once more at each level, and makes its routes anew. A prefix or limit needs that.
    app.router.routes.extend(tfe.routes)
    app.include_router(agent)
    app.router.routes.extend(terrakube.routes)
    app.include_router(scim)
    app.include_router(hooks)
    app.include_router(issuer)
    app.include_router(token_exchange)
    app.include_router(web)
    app.mount("/static", static, name="static")
    app.add_middleware(LimitRate, below=_LIMITED, free=(f"{AGENT_PREFIX}/",), refuse=_refuse)
    app.add_middleware(Measure)
    app.add_middleware(RefuseControlCharacters)
    app.add_middleware(NoteOrigin)
    install_openapi(app, TFE, TERRAKUBE)
    app.state.within_a_batch = _within_a_batch(app)
    app.state.pages = _pages_alone(app)
    return app


def _within_a_batch(app: FastAPI) -> FastAPI:
    """Return an application for the single requests of a batch, which are one transaction.

    It is asked in this process only, by who has authenticated and counted the whole.
    """
    inner = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    inner.state = app.state
    inner.dependency_overrides = {
        **WITHIN_A_BATCH,
        authenticated_briefly: WITHIN_A_BATCH[authenticated],
    }
    install_failures(inner)
    inner.include_router(terrakube)
    return inner


def _pages_alone(app: FastAPI) -> FastAPI:
    """Return an application by which pages that somebody follows are read again in this process.

    A page that its reader may not see any more is no attempt of theirs, and goes into no trail.
    """
    inner = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    inner.state = app.state
    for kind in _FAILURES:
        inner.add_exception_handler(kind, failure_page)
    inner.include_router(web)
    return inner


def install_failures(app: FastAPI) -> None:
    """Answer failures in the form of whoever asked: a document to a client, a page to a person."""

    async def answer(request: Request, failure: Exception) -> Response:
        if isinstance(failure, DeniedError | HiddenError):
            await _tell(request, failure)
        path = request.url.path
        if path.startswith(f"{SCIM_PREFIX}/"):
            return await scim_error(request, failure)
        if path.startswith(f"{AGENT_PREFIX}/"):
            return await agent_error(request, failure)
        if path.startswith(_FOR_CLIENTS):
            wire = attribute if path.startswith(TERRAKUBE_PREFIX) else kebab
            return await error_response(request, failure, wire=wire)
        return await failure_page(request, failure)

    for kind in _FAILURES:
        app.add_exception_handler(kind, answer)


async def _refuse(request: Request, failure: TooManyError) -> Response:
    path = request.url.path
    if path.startswith(f"{AGENT_PREFIX}/"):
        return await agent_error(request, failure)
    is_scim = path.startswith(f"{SCIM_PREFIX}/")
    return await (scim_error if is_scim else error_response)(request, failure)


async def _tell(request: Request, failure: DeniedError | HiddenError) -> None:
    """Record the attempt; what goes wrong with that changes nothing for whoever made it."""
    actor = getattr(request.state, "actor", None)
    if actor is None:
        return
    process = process_of(request)
    with contextlib.suppress(LandformError):
        await process.denials.tell(
            process.platform.sessions,
            actor,
            failure,
            method=request.method,
            path=request.url.path,
        )


def make_process(settings: Settings, platform: Platform) -> Process:
    """Return what a server process holds.

    Raises:
        InvalidError: a setting cannot be.
    """
    reach = make_reach(settings, platform.sessions, platform.keyring)
    return Process(
        platform=platform,
        reach=reach,
        federation=make_federation(reach),
        listener=Listener(
            settings.database_url.get_secret_value(),
            [LOGS, RUNS, CHANGES, ORDERS_CHANNEL, AGENTS_CHANNEL],
        ),
        signer=UrlSigner(lambda: platform.keyring.derive("signed-urls")),
        public_url=settings.public_url.rstrip("/"),
        max_configuration_bytes=settings.max_configuration_mb * 2**20,
        max_state_bytes=settings.max_state_mb * 2**20,
        sweep_s=settings.sweep_s,
        allowances=Allowances(settings.api_requests_per_second),
        mail=make_mail(settings),
        upkeep=Upkeep(
            sinks=make_sinks(
                settings.audit_syslog,
                settings.audit_webhook,
                settings.audit_webhook_token.get_secret_value(),
            ),
            retention_days=settings.audit_retention_days,
        ),
    )
