import os
import time
from pathlib import Path

import pytest
from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncSession

from landform.identity.actor import SYSTEM, Actor
from landform.identity.users import actor_of
from landform.kit.errors import InvalidError, NotFoundError
from landform.kit.ids import new_id
from landform.kit.pagination import Page
from landform.organizations.models import Organization
from landform.workspaces import queries
from landform.workspaces.models import TagBinding, Workspace
from landform.workspaces.queries import WorkspaceFilter
from tests.factories import (
    grant,
    make_actor,
    make_organization,
    make_owner,
    make_project,
    make_team,
    make_user,
    make_workspace,
)


async def _names(
    session: AsyncSession,
    actor: Actor,
    organization: Organization,
    wanted: WorkspaceFilter = queries.ALL,
    *,
    sort: str = "name",
) -> list[str]:
    found = await queries.list_workspaces(
        session, actor, organization, wanted, sort=sort, page=Page(size=100)
    )
    assert found.total == len(found.items)
    return [row.name for row in found.items]


async def test_a_workspace_is_found_by_id_and_by_name_in_any_case(
    session: AsyncSession,
) -> None:
    organization = await make_organization(session, "Acme")
    workspace = await make_workspace(session, organization, "Net")
    reader = await make_actor(session, workspace, "read")
    assert await queries.get(session, reader, workspace.id) is workspace
    assert await queries.by_name(session, reader, "acme", "nET") is workspace


async def test_a_workspace_one_may_not_read_is_not_there(session: AsyncSession) -> None:
    organization = await make_organization(session, "acme")
    workspace = await make_workspace(session, organization, "net")
    neighbour = await make_actor(session, await make_workspace(session, organization), "admin")
    for actor in (neighbour, actor_of(await make_user(session))):
        with pytest.raises(NotFoundError, match=f"There is no workspace {workspace.id}"):
            await queries.get(session, actor, workspace.id)
        with pytest.raises(NotFoundError, match="There is no workspace net in organization acme"):
            await queries.by_name(session, actor, "acme", "net")


@pytest.mark.parametrize(("organization", "name"), [("acme", "x"), ("x", "net"), ("acme", "n\0")])
async def test_a_name_nobody_has_is_not_there(
    session: AsyncSession, organization: str, name: str
) -> None:
    await make_workspace(session, await make_organization(session, "acme"), "net")
    with pytest.raises(NotFoundError):
        await queries.by_name(session, SYSTEM, organization, name)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (WorkspaceFilter(search_name="pre-"), ["pre-a", "pre-b"]),
        (WorkspaceFilter(search_name="E-B"), ["pre-b"]),
        (WorkspaceFilter(search_name="%"), []),
        (WorkspaceFilter(search_name="_"), ["x_y"]),
        (WorkspaceFilter(wildcard_name="pre*"), ["pre-a", "pre-b"]),
        (WorkspaceFilter(wildcard_name="*-B"), ["pre-b"]),
        (WorkspaceFilter(wildcard_name="*re-*"), ["pre-a", "pre-b"]),
        (WorkspaceFilter(wildcard_name="pre"), []),
        (WorkspaceFilter(wildcard_name="x?y"), []),
        (WorkspaceFilter(wildcard_name="x_y"), ["x_y"]),
        (WorkspaceFilter(wildcard_name="pre__"), []),
        (WorkspaceFilter(wildcard_name="%"), []),
    ],
)
async def test_names_are_searched_as_written(
    session: AsyncSession, wanted: WorkspaceFilter, found: list[str]
) -> None:
    organization = await make_organization(session)
    for name in ("pre-a", "pre-b", "other", "x_y", "xzy"):
        await make_workspace(session, organization, name)
    owner = await make_owner(session, organization)
    assert await _names(session, owner, organization, wanted) == found


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (WorkspaceFilter(search_tags=["prod"]), ["both", "prod"]),
        (WorkspaceFilter(search_tags=["prod", "eu"]), ["both"]),
        (WorkspaceFilter(search_tags=["team"]), ["net", "own", "shelved"]),
        (WorkspaceFilter(search_tags=["none"]), []),
        (WorkspaceFilter(exclude_tags=["prod"]), ["net", "own", "plain", "shelved"]),
        (WorkspaceFilter(search_tags=["prod"], exclude_tags=["eu"]), ["prod"]),
        (WorkspaceFilter(exclude_tags=["prod", "team"]), ["plain"]),
        (WorkspaceFilter(tagged=[("team", None)]), ["net", "own", "shelved"]),
        (WorkspaceFilter(tagged=[("team", "net")]), ["net"]),
        (WorkspaceFilter(tagged=[("team", "shelf")]), ["shelved"]),
        (WorkspaceFilter(tagged=[("team", "mine")]), ["own"]),
        (WorkspaceFilter(tagged=[("prod", ""), ("eu", None)]), ["both"]),
        (WorkspaceFilter(tagged=[("team", "net")], search_tags=["team"]), ["net"]),
    ],
)
async def test_tags_are_matched_all_at_once_with_those_a_project_lends(
    session: AsyncSession, wanted: WorkspaceFilter, found: list[str]
) -> None:
    organization = await make_organization(session)
    shelf = await make_project(session, organization)
    session.add(TagBinding(project_id=shelf.id, key="team", value="shelf"))
    await make_workspace(session, organization, "plain")
    await make_workspace(session, organization, "prod", tags={"prod": ""})
    await make_workspace(session, organization, "both", tags={"prod": "", "eu": ""})
    await make_workspace(session, organization, "net", tags={"team": "net"})
    await make_workspace(session, organization, "shelved", project=shelf)
    await make_workspace(session, organization, "own", project=shelf, tags={"team": "mine"})
    owner = await make_owner(session, organization)
    assert await _names(session, owner, organization, wanted) == found


async def test_too_many_tags_are_refused(session: AsyncSession) -> None:
    organization = await make_organization(session)
    with pytest.raises(InvalidError, match="At most 50 tags"):
        await _names(session, SYSTEM, organization, WorkspaceFilter(search_tags=["a"] * 51))


async def test_a_list_is_of_one_project_when_asked(session: AsyncSession) -> None:
    organization = await make_organization(session)
    shelf = await make_project(session, organization)
    await make_workspace(session, organization, "a")
    await make_workspace(session, organization, "b", project=shelf)
    wanted = WorkspaceFilter(project_id=shelf.id)
    assert await _names(session, SYSTEM, organization, wanted) == ["b"]


async def test_lists_sort_both_ways(session: AsyncSession) -> None:
    organization = await make_organization(session)
    for name in ("b", "A", "c"):
        await make_workspace(session, organization, name)
    assert await _names(session, SYSTEM, organization, sort="name") == ["A", "b", "c"]
    assert await _names(session, SYSTEM, organization, sort="-name") == ["c", "b", "A"]
    assert await _names(session, SYSTEM, organization, sort="created-at") == ["b", "A", "c"]
    with pytest.raises(InvalidError, match="sort by name"):
        await _names(session, SYSTEM, organization, sort="moon")


async def test_a_list_shows_what_the_actor_may_read_and_counts_no_more(
    session: AsyncSession,
) -> None:
    organization, other = await make_organization(session), await make_organization(session)
    shelf = await make_project(session, organization)
    user = await make_user(session)
    team = await make_team(session, organization, members=[user])
    for name in ("a", "b"):
        await make_workspace(session, organization, name, project=shelf)
    await grant(session, team, shelf, "read")
    own = await make_workspace(session, organization, "c")
    await grant(session, team, own, "read")
    await make_workspace(session, organization, "hidden")
    await make_workspace(session, other, "foreign")
    assert await _names(session, actor_of(user), organization) == ["a", "b", "c"]
    with pytest.raises(NotFoundError):
        await _names(session, actor_of(user), other)


async def test_ten_thousand_workspaces_are_paged_in_a_moment(session: AsyncSession) -> None:
    organization = await make_organization(session)
    count, size = 10_000, 100
    ids = [new_id("ws") for _ in range(count)]
    await session.execute(
        insert(Workspace),
        [
            {
                "id": id_,
                "organization_id": organization.id,
                "project_id": organization.default_project_id,
                "name": f"ws-{number:05}",
            }
            for number, id_ in enumerate(ids)
        ],
    )
    await session.execute(
        insert(TagBinding),
        [
            {"workspace_id": id_, "key": "tier", "value": str(number % 10)}
            for number, id_ in enumerate(ids)
        ],
    )
    user = await make_user(session)
    team = await make_team(session, organization, members=[user])
    for id_ in ids[:20]:
        await grant(session, team, await session.get_one(Workspace, id_), "read")
    owner = await make_owner(session, organization)
    cases = [
        (owner, queries.ALL, count),
        (owner, WorkspaceFilter(search_name="ws-0999"), 10),
        (owner, WorkspaceFilter(wildcard_name="*99"), 100),
        (owner, WorkspaceFilter(tagged=[("tier", "3")]), count // 10),
        (owner, WorkspaceFilter(search_tags=["tier"], exclude_tags=["none"]), count),
        (actor_of(user), queries.ALL, 20),
    ]
    for actor, wanted, total in cases:
        began_s = await _worked_s(session)
        found = await queries.list_workspaces(
            session, actor, organization, wanted, page=Page(number=1, size=size)
        )
        took_s = await _worked_s(session) - began_s
        assert found.total == total
        assert took_s < 1.0, f"{wanted} took {took_s:.2f} s"


async def _worked_s(session: AsyncSession) -> float:
    """Return how long this process and the session's in the database have worked, not waited."""
    pid = await session.scalar(text("SELECT pg_backend_pid()"))
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return time.process_time() + (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")
