"""Pipelines whose jobs act for a team by their own signed token: federated credentials."""

from typing import Final

from fastapi import APIRouter, Response

from landform.access import directory
from landform.access.permissions import Permission, Place
from landform.access.service import require
from landform.edge.deps import base_url
from landform.federation import workloads
from landform.federation.workloads import CredentialSettings
from landform.kit.errors import InvalidError
from landform.kit.pagination import Page
from landform.web.forms import OwnForm, refusals_to
from landform.web.pages import redirect
from landform.web.visit import Crumb, InOrganization

router = APIRouter(include_in_schema=False)

_SHOWN: Final = Page(number=1, size=100)
# What jobs of these sign with, and claims that cannot change hands (docs/ci.md): to start from.
EXAMPLES: Final = (
    (
        "GitHub Actions",
        "https://token.actions.githubusercontent.com",
        ("repository_id = 123456", "ref = refs/heads/main"),
    ),
    ("GitLab CI", "https://gitlab.com", ("project_id = 123456", "ref_protected = true")),
    (
        "Azure Pipelines, with the audience api://AzureADTokenExchange",
        "https://vstoken.dev.azure.com/ORGANIZATION-ID",
        ("sub = sc://org/project/connection",),
    ),
)


@router.get("/organizations/{organization}/pipelines")
async def show(visit: InOrganization) -> Response:
    """List the credentials, with when each was last used."""
    rows = await workloads.list_credentials(visit.session, visit.actor, visit.organization.id)
    found = await directory.list_teams(visit.session, visit.actor, visit.organization.id, _SHOWN)
    names = {team.id: team.name for team in found.items}
    return await visit.page(
        "organizations/pipelines.html",
        section="teams",
        follows=("federation",),
        crumbs=[Crumb("Teams", f"{visit.path}/teams"), Crumb("Pipelines")],
        credentials=[(row, names.get(row.team_id, "a secret team")) for row in rows],
        teams=[(team.id, team.name) for team in found.items],
        examples=EXAMPLES,
        audience=base_url(visit.request),
    )


@router.post("/organizations/{organization}/pipelines")
async def change(visit: InOrganization, form: OwnForm) -> Response:
    """Let the jobs of a pipeline act for a team, or no longer."""
    back, session, actor = f"{visit.path}/pipelines", visit.session, visit.actor
    place = Place(organization_id=visit.organization.id)
    await require(session, actor, Permission.MANAGE_TEAMS, place)
    with refusals_to(back):
        if form.line("deed") == "remove":
            await workloads.delete_credential(session, actor, form.line("credential"))
            return redirect(back, say="Its jobs are let in no more, and their tokens are gone.")
        team = await directory.get_team(session, actor, form.line("team"))
        if team.organization_id != visit.organization.id:
            raise InvalidError("The team is of another organization.")
        new = CredentialSettings(
            name=form.line("name"),
            issuer=form.line("issuer"),
            audience=form.line("audience"),
            claims=_claims(form.lines("claims")),
        )
        row = await workloads.create_credential(session, actor, team, new)
    return redirect(back, say=f"Jobs with {row.name}'s claims act for {team.name} now.")


def _claims(lines: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in lines:
        name, equals, value = (part.strip() for part in line.partition("="))
        if not equals or name in found:
            raise InvalidError(
                f"{line[:80]!r} is no claim of its own, as NAME = VALUE is.", pointer="claims"
            )
        found[name] = value
    return found
