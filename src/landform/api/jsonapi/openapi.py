"""The OpenAPI document, as it follows from the declarations.

`DocumentedRoute` reads what a route takes and gives off its dependencies; `install_openapi` adds
the schemas of a dialect to what FastAPI makes of that.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import msgspec
from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from msgspec import UNSET
from starlette.responses import Response

from landform.api.jsonapi.dialect import Dialect
from landform.api.jsonapi.errors import MEDIA_TYPE
from landform.api.jsonapi.included import includable
from landform.api.jsonapi.inputs import ActionInput, AnyInput, ListInput
from landform.api.jsonapi.reading import ListQueryReader, QueryReader
from landform.api.jsonapi.shape import Attribute, Link, Shape
