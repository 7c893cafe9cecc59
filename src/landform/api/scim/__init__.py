"""SCIM 2.0 (RFC 7643, RFC 7644), as Microsoft Entra ID and Okta send it."""

from fastapi import APIRouter

from landform.api.scim import discovery, groups, people

router = APIRouter(include_in_schema=False)
for each in (discovery, people, groups):
    router.include_router(each.router)
