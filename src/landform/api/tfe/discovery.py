"""What Terraform asks a host first (tfe_api.md §1.1, §1.2)."""

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from landform.edge.deps import base_url
from landform.toolchain import cli_config

router = APIRouter(include_in_schema=False)

# 2.6 is what a client needs for every feature it looks for; "HCP Terraform" is what makes it ask
# for structured output without looking for a TFE release number.
PING_HEADERS = {"TFP-API-Version": "2.6", "TFP-AppName": "HCP Terraform"}


@router.get("/.well-known/terraform.json")
async def services(request: Request) -> Response:
    """Say where each service is."""
    return JSONResponse(cli_config.services(base_url(request)))


@router.get("/api/v2/ping")
async def ping() -> Response:
    """Answer with the versions a client looks for."""
    return Response(status_code=204, headers=PING_HEADERS)
