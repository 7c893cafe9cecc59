"""Who is a member of a GitLab's project or group.

Facts: docs.gitlab.com, Members API: `members/all/:user_id` counts what is inherited and invited
too; access levels 30 Developer, 40 Maintainer, 50 Owner; only members that are `active` are.
"""

from typing import Final

from landform.kit.errors import InvalidError
from landform.vcs.changes import Person
from landform.vcs.errors import NoSuchRepositoryError
from landform.vcs.facts import Repository
from landform.vcs.group_names import read_group
from landform.vcs.providers.gitlab.api import GitLabApi
from landform.vcs.providers.gitlab.looking import of
from landform.vcs.providers.gitlab.urls import quoted

_KINDS: Final = {"access-level": "LEVEL", "group": "PATH"}
_LEVELS: Final = {"developer": 30, "maintainer": 40, "owner": 50}
_DEVELOPER: Final = 30


def check_group(group: str) -> str:
    """See VcsProvider."""
    kind, name = read_group(group, _KINDS, provider="GitLab")
    if kind == "access-level" and name not in _LEVELS:
        raise InvalidError(f"An access level is one of {', '.join(_LEVELS)}.", pointer="name")
    return f"{kind}:{name}"


async def is_in_group(api: GitLabApi, repository: Repository, person: Person, group: str) -> bool:
    """See VcsProvider. Of a group, whoever is Developer in it or more."""
    kind, name = read_group(group, _KINDS, provider="GitLab")
    if not person.id.isdecimal():
        return False
    members = ("members", "all", person.id)
    path = (
        of(repository, *members) if kind == "access-level" else "/groups/" + quoted(name, *members)
    )
    try:
        said = (await api.get(path)).said
    except NoSuchRepositoryError:
        return False  # no such group or member
    wanted = _LEVELS[name] if kind == "access-level" else _DEVELOPER
    is_member = said.get("state") == "active" and str(said.get("id")) == person.id
    return is_member and int(said.get("access_level") or 0) >= wanted
