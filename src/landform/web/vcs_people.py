"""Whose comments at a provider count as whose here: people, and groups that are teams."""

from collections.abc import Mapping
from typing import Annotated, Final

from fastapi import APIRouter, Query, Response

from landform.access import directory
from landform.access.permissions import Permission
from landform.access.service import require
from landform.identity import users
from landform.kit.errors import InvalidError
from landform.kit.pagination import Page
from landform.vcs import groups, people, queries
from landform.vcs.events import GroupAdmitted, GroupDismissed, PersonForgotten, PersonIntroduced
from landform.vcs.kinds import Kind
from landform.vcs.models import Connection
from landform.web.forms import Form, OwnForm, refusals_to
from landform.web.pages import redirect
from landform.web.present.pages import Pages
from landform.web.visit import CONNECTIONS, Crumb, InOrganization, OrganizationVisit

router = APIRouter(include_in_schema=False)

_HERE: Final = "/organizations/{organization}/vcs/{vcs_id}/people"
_PEOPLE: Final = 100
_HERE_CHANGES: Final = tuple(
    kind.__name__ for kind in (PersonIntroduced, PersonForgotten, GroupAdmitted, GroupDismissed)
)
_TEAMS: Final = Page(number=1, size=200)
_GROUPS: Final = Page(number=1, size=groups.PER_CONNECTION)
_GITHUB: Final = ("permission:write", "team:ORGANIZATION/TEAM")
_GITLAB: Final = ("access-level:maintainer", "group:PATH")
# How a group is written there; of other providers nobody can ask who is in one.
FORMS: Final[Mapping[Kind, tuple[str, ...]]] = {
    Kind.AZURE_DEVOPS: ("team:PROJECT/TEAM",),
    Kind.AZURE_DEVOPS_SERVER: ("team:PROJECT/TEAM",),
    Kind.GITHUB: _GITHUB,
    Kind.GITHUB_ENTERPRISE: _GITHUB,
    Kind.GITLAB: _GITLAB,
    Kind.GITLAB_SELF_MANAGED: _GITLAB,
}
Number = Annotated[int, Query(ge=1, le=100_000)]


@router.get(_HERE)
async def show(visit: InOrganization, vcs_id: str, page: Number = 1) -> Response:
    """List who is known, and which groups are teams."""
    session, actor, row = visit.session, visit.actor, await _find(visit, vcs_id)
    wanted = Page(number=page, size=_PEOPLE)
    known = await people.list_people(session, actor, row, wanted)
    admitted = await groups.list_groups(session, actor, row, _GROUPS)
    names = await users.names_of(session, {each.user_id for each in known.items})
    listed = await directory.list_teams(session, actor, visit.organization.id, _TEAMS)
    teams = {team.id: team.name for team in listed.items}
    here = f"{visit.path}/vcs/{row.id}"
    return await visit.page(
        "vcs/people.html",
        section="vcs",
        follows=(*CONNECTIONS, *_HERE_CHANGES),
        crumbs=[
            Crumb("VCS providers", f"{visit.path}/vcs"),
            Crumb(row.name, here),
            Crumb("People and groups"),
        ],
        connection=row,
        people=[(each, names.get(each.user_id, each.user_id)) for each in known.items],
        groups=[(each, teams.get(each.team_id, "a secret team")) for each in admitted.items],
        teams=list(teams.items()),
        forms=FORMS.get(row.kind, ()),
        may_say=visit.may(Permission.MANAGE_OWNERS),
        pages=Pages(f"{here}/people", {}, wanted, known.total),
    )


@router.post(_HERE)
async def change(visit: InOrganization, vcs_id: str, form: OwnForm) -> Response:
    """Say who somebody is, or which team a group is, or that they are it no longer."""
    row = await _find(visit, vcs_id)
    # Before a name is looked up: who is here is not for everybody to find out.
    await require(visit.session, visit.actor, Permission.MANAGE_OWNERS, row.place)
    here = f"{visit.path}/vcs/{row.id}/people"
    names = {"name": "group"} if form.line("deed") == "admit" else {"user": "username"}
    with refusals_to(here, names=names):
        said = await _do(visit, row, form)
    return redirect(here, say=said)


async def _do(visit: OrganizationVisit, row: Connection, form: Form) -> str:
    session, actor, deed = visit.session, visit.actor, form.line("deed")
    if deed == "introduce":
        name = form.line("username")
        user = await users.by_username(session, name)
        if user is None:
            raise InvalidError(f"There is no user {name[:80]}.", pointer="username")
        person = await people.introduce(
            session,
            actor,
            row,
            person_id=form.line("person_id"),
            name=form.line("name"),
            user_id=user.id,
        )
        return f"Comments of {person.name or person.person_id} are {user.username}'s from now on."
    if deed == "admit":
        group = await groups.admit(
            session,
            visit.process.reach,
            actor,
            row,
            name=form.line("group"),
            team_id=form.line("team"),
        )
        return f"Members of {group.name} count as the team from now on."
    if deed == "forget":
        await people.forget(session, actor, form.line("known"))
        return "Their comments count as nobody's from now on."
    if deed == "dismiss":
        await groups.dismiss(session, actor, form.line("known"))
        return "The group is no team any more."
    raise InvalidError("Say who somebody is, or which team a group is.")


async def _find(visit: OrganizationVisit, vcs_id: str) -> Connection:
    return await queries.get_connection_of(
        visit.session, visit.actor, visit.organization.id, vcs_id
    )
