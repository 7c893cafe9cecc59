"""Who is in a team of an Azure DevOps project.

Facts: learn.microsoft.com, "Teams - Get Team Members With Extended Properties": `$top`, `$skip`,
and `identity.id`, which is the id that hooks have of people. It takes the scope *Project and team
(read)*. People who are in a team through a group within it are not listed.
"""

from typing import Final

from landform.kit.errors import InvalidError
from landform.vcs.changes import Person
from landform.vcs.errors import NoSuchRepositoryError, ProviderAwayError
from landform.vcs.facts import Repository
from landform.vcs.group_names import read_group
from landform.vcs.providers.azure_devops.api import AzureApi

_KINDS: Final = {"team": "PROJECT/TEAM"}
_PAGE: Final = 100
_PAGES: Final = 20


def check_group(group: str) -> str:
    """See VcsProvider."""
    _, name = read_group(group, _KINDS, provider="Azure DevOps")
    if name.count("/") != 1 or not all(part.strip() for part in name.split("/")):
        raise InvalidError("A team is written PROJECT/TEAM.", pointer="name")
    return f"team:{name}"


async def is_in_group(api: AzureApi, repository: Repository, person: Person, group: str) -> bool:
    """See VcsProvider."""
    _, name = read_group(group, _KINDS, provider="Azure DevOps")
    project, _, team = name.partition("/")
    path = ("_apis", "projects", project.strip(), "teams", team.strip(), "members")
    for page in range(_PAGES):
        query = {"$top": _PAGE, "$skip": page * _PAGE}
        try:
            reply = await api.get(path, query, organization=repository.organization)
        except NoSuchRepositoryError:
            return False  # there is no such team
        rows = reply.said["value"]
        ids = {str((each.get("identity") or {}).get("id", "")).lower() for each in rows}
        if person.id.lower() in ids:
            return bool(person.id)
        if len(rows) < _PAGE:
            return False
    raise ProviderAwayError(f"The team {name} has more members than are read.")
