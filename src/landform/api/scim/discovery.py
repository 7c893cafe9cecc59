"""What this SCIM can do (RFC 7643 §5-§7): clients look before they push."""

from typing import Any, Final

from fastapi import APIRouter, Request, Response

from landform.api.scim.dialect import (
    GROUP,
    MOST,
    PREFIX,
    USER,
    CurrentSource,
    answer,
    listed,
    place_of,
)
from landform.kit.errors import NotFoundError

router = APIRouter(prefix=PREFIX)

_TYPE: Final = "urn:ietf:params:scim:schemas:core:2.0:ResourceType"
_CONFIG: Final = "urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"
_SCHEMA: Final = "urn:ietf:params:scim:schemas:core:2.0:Schema"
_NO: Final = {"supported": False}


def _attribute(name: str, kind: str = "string", **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "type": kind,
        "multiValued": False,
        "required": False,
        "caseExact": False,
        "mutability": "readWrite",
        "returned": "default",
        "uniqueness": "none",
        **more,
    }


_VALUE: Final = _attribute("value")
_SCHEMAS: Final = {
    USER: (
        "User",
        [
            _attribute("userName", required=True, uniqueness="server"),
            _attribute("displayName"),
            _attribute("active", "boolean"),
            _attribute("emails", "complex", multiValued=True, subAttributes=[_VALUE]),
        ],
    ),
    GROUP: (
        "Group",
        [
            _attribute("displayName", required=True, uniqueness="server"),
            _attribute("members", "complex", multiValued=True, subAttributes=[_VALUE]),
        ],
    ),
}


@router.get("/ServiceProviderConfig")
async def config(request: Request, _: CurrentSource) -> Response:
    return answer(
        request,
        {
            "schemas": [_CONFIG],
            "patch": {"supported": True},
            "bulk": {**_NO, "maxOperations": 0, "maxPayloadSize": 0},
            "filter": {"supported": True, "maxResults": MOST},
            "changePassword": _NO,
            "sort": _NO,
            "etag": _NO,
            "authenticationSchemes": [
                {
                    "type": "oauthbearertoken",
                    "name": "Bearer token",
                    "description": "The token that was shown when the directory was made.",
                    "primary": True,
                }
            ],
        },
    )


@router.get("/ResourceTypes")
async def types(request: Request, _: CurrentSource) -> Response:
    rows = [
        {
            "schemas": [_TYPE],
            "id": name,
            "name": name,
            "endpoint": f"/{name}s",
            "schema": key,
            "meta": {
                "resourceType": "ResourceType",
                "location": place_of(request, "ResourceTypes", name),
            },
        }
        for key, (name, _attributes) in _SCHEMAS.items()
    ]
    return listed(rows, total=len(rows), skip=0)


@router.get("/Schemas")
async def schemas(_: CurrentSource) -> Response:
    rows = [_schema(key) for key in _SCHEMAS]
    return listed(rows, total=len(rows), skip=0)


@router.get("/Schemas/{schema_id}")
async def schema(request: Request, _: CurrentSource, schema_id: str) -> Response:
    if schema_id not in _SCHEMAS:
        raise NotFoundError("There is no such schema.")
    return answer(request, _schema(schema_id))


def _schema(key: str) -> dict[str, Any]:
    name, attributes = _SCHEMAS[key]
    return {"schemas": [_SCHEMA], "id": key, "name": name, "attributes": attributes}
