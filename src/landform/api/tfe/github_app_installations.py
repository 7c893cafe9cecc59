"""TFE's GitHub App installations: connections that sign in as an app, where it is installed.

Facts: go-tfe's github_app_installation.go, tfe_openapi.json. They are listed for whoever asks, over
all organizations; a workspace names one in `vcs-repo.github-app-installation-id`. In TFE the app is
the platform's own; here each connection has its app, so that an id is the connection's with another
beginning.
"""

from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Final

from fastapi import Depends, Response

from landform.api.jsonapi import Attributes, ListQuery, Query, Resource, reads
from landform.api.jsonapi.seen import seen
from landform.api.tfe.dialect import TFE, Context, CurrentContext, new_router
from landform.kit.errors import NotFoundError
from landform.vcs import installations
from landform.vcs.models import Connection

router = new_router()

PREFIX: Final = "ghain-"
_CLIENT: Final = "oc-"


def installation_id(row: Connection) -> str:
    """Return the id of a connection's installation."""
    return PREFIX + row.id.removeprefix(_CLIENT)


def connection_id(given: str) -> str:
    """Return the id of an installation's connection."""
    return _CLIENT + given.removeprefix(PREFIX)


def _of(row: Connection, name: str) -> Any:
    return (row.installation or {}).get(name) or None


async def _by_ids(ids: Sequence[str], context: Context) -> Iterable[Connection]:
    return await seen(lambda each: _find(context, each), ids)


class InstallationAttributes(Attributes[Connection]):
    """Where an app is installed; `name` is the account's."""

    name: str | None = reads(lambda row: _of(row, "account"))
    installation_id: int | None = reads(lambda row: _of(row, "id"))
    icon_url: str | None = reads(lambda row: _of(row, "icon-url"))
    installation_type: str | None = reads(lambda row: _of(row, "type"))
    installation_url: str | None = reads(lambda row: _of(row, "url"))


INSTALLATIONS = Resource[Connection, Context](
    TFE,
    "github-app-installations",
    InstallationAttributes,
    key=installation_id,
    by_ids=_by_ids,
    filters=("filter[name]", "filter[installation_id]"),
)
One = Annotated[Query, Depends(INSTALLATIONS.query)]
Listed = Annotated[ListQuery, Depends(INSTALLATIONS.list_query)]


@router.get("/github-app/installations")
async def list_all(query: Listed, context: CurrentContext) -> Response:
    found = await installations.list_installed(
        context.session,
        context.actor,
        query.page,
        account=query.text("filter[name]"),
        number=query.text("filter[installation_id]"),
    )
    return await INSTALLATIONS.many(found.items, query, context, total=found.total)


@router.get("/github-app/installation/{github_app_installation_id}")
async def read(github_app_installation_id: str, query: One, context: CurrentContext) -> Response:
    row = await _find(context, github_app_installation_id)
    return await INSTALLATIONS.one(row, query, context)


async def _find(context: Context, given: str) -> Connection:
    missing = NotFoundError(f"There is no GitHub App installation {given}.")
    if not given.startswith(PREFIX):
        raise missing
    found = await installations.find_installed(context.session, context.actor, connection_id(given))
    if found is None:
        raise missing
    return found
