"""Where others find the keys of what we sign (OpenID Connect Discovery 1.0)."""

from typing import Final

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from landform.edge.deps import Session, base_url
from landform.identity import issuer

router = APIRouter(include_in_schema=False)

_CACHED: Final = {"Cache-Control": "public, max-age=300"}


@router.get("/.well-known/openid-configuration")
async def configuration(request: Request) -> Response:
    return JSONResponse(issuer.configuration(base_url(request)), headers=_CACHED)


@router.get("/.well-known/jwks")
async def keys(session: Session) -> Response:
    return JSONResponse({"keys": await issuer.public_keys(session)}, headers=_CACHED)
