"""Who may do what at a GitHub, and is in which team.

Facts: docs.github.com, REST: "Get a user using their ID", "Get repository permissions for a user",
"Get team membership for a user" (which counts members of child teams, too). Names change hands, so
that the name asked for is the one that the account's number has now, and an answer about another
number counts for nothing.
"""

from typing import Final

from landform.kit.errors import InvalidError
from landform.vcs.changes import Person
from landform.vcs.errors import NoSuchRepositoryError
from landform.vcs.facts import Repository
from landform.vcs.group_names import read_group
from landform.vcs.providers.github.api import GitHubApi
from landform.vcs.providers.github.looking import of
from landform.vcs.providers.github.urls import quoted

_KINDS: Final = {"permission": "LEVEL", "team": "ORGANIZATION/TEAM"}
# `read` is no group: of a public repository it is everybody.
_LEVELS: Final = ("triage", "write", "maintain", "admin")


def check_group(group: str) -> str:
    """See VcsProvider."""
    kind, name = read_group(group, _KINDS, provider="GitHub")
    if kind == "permission" and name not in _LEVELS:
        raise InvalidError(f"A permission is one of {', '.join(_LEVELS)}.", pointer="name")
    if kind == "team" and (name.count("/") != 1 or not all(name.split("/"))):
        raise InvalidError(
            "A team is written ORGANIZATION/TEAM, as in its address.", pointer="name"
        )
    return f"{kind}:{name}"


async def is_in_group(api: GitHubApi, repository: Repository, person: Person, group: str) -> bool:
    """See VcsProvider."""
    kind, name = read_group(group, _KINDS, provider="GitHub")
    if not person.id.isdecimal():
        return False
    try:
        login = str((await api.get(f"/user/{person.id}")).said["login"])
        if kind == "team":
            organization, _, team = name.partition("/")
            path = "/orgs/" + quoted(organization, "teams", team, "memberships", login)
            return str((await api.get(path)).said.get("state")) == "active"
        path = of(repository, "collaborators", login, "permission")
        said = (await api.get(path)).said
    except NoSuchRepositoryError:
        return False  # no such account, team or member
    if str((said.get("user") or {}).get("id")) != person.id:
        return False
    known = [each for each in (said.get("role_name"), said.get("permission")) if each in _LEVELS]
    return bool(known) and _LEVELS.index(str(known[0])) >= _LEVELS.index(name)
