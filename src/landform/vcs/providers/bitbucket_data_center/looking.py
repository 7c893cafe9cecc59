"""What a Bitbucket Data Center holds, page by page. Facts: vcs_providers.md §5."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from landform.kit.errors import NotFoundError
from landform.vcs.changes import PullRequest
from landform.vcs.errors import NoSuchRepositoryError, ProviderAwayError
from landform.vcs.facts import Commit, Listing, Ref, Repository
from landform.vcs.providers.bitbucket_data_center.api import CHANGES, DataCenterApi
from landform.vcs.providers.bitbucket_data_center.deliveries import identity_of, pull_request_of
from landform.vcs.providers.bitbucket_data_center.urls import GIT, quoted

_IN_ORDER: Final = {"orderBy": "ALPHABETICAL"}
_GONE: Final = "OFFLINE"


def repository_of(said: Mapping[str, Any], *, web: str, default_branch: str = "") -> Repository:
    """Read a repository as the API has it, which does not say its default branch."""
    identity = identity_of(said)
    project, _, slug = identity.partition("/")
    of = (
        f"users/{quoted(project[1:].lower())}"
        if project.startswith("~")
        else f"projects/{quoted(project)}"
    )
    clone = (said.get("links") or {}).get("clone") or []
    ssh = [each for each in clone if each.get("name") == "ssh"]
    return Repository(
        id=identity,
        name=str(said["name"]),
        identifier=identity,
        clone_url=f"{web}/{GIT}/{quoted(project.lower(), slug)}.git",
        ssh_url=str(ssh[0].get("href") or "") if ssh else "",
        web_url=f"{web}/{of}/repos/{quoted(slug)}",
        default_branch=default_branch,
        project_id=project,
        project_name=str(said["project"].get("name") or ""),
        is_private=not (said.get("public") or said["project"].get("public")),
        is_disabled=said.get("state") == _GONE,
    )


def of(repository: Repository, *path: str) -> str:
    """Return the path of something of a repository."""
    project, _, slug = repository.identifier.partition("/")
    return f"/projects/{quoted(project)}/repos/{quoted(slug, *path)}"


async def find_repository(api: DataCenterApi, path: str, *, web: str) -> Repository:
    """Return a repository, with its default branch unless it is empty."""
    said = await api.read(path)
    branch = ""
    # The first is since 7.5, and the second gone since 9.
    for name in ("default-branch", "branches/default"):
        try:
            found = await api.read(f"{path}/{name}")
        except NoSuchRepositoryError:
            continue
        branch = str((found or {}).get("displayId") or "")
        break
    return repository_of(said, web=web, default_branch=branch)


async def list_repositories(
    api: DataCenterApi, project: str, *, web: str, search: str, page: str
) -> Listing[Repository]:
    """List by page, those of a project or all."""
    if project:
        found = await api.page(f"/projects/{quoted(project)}/repos", page)
    else:
        found = await api.page("/repos", page, {"name": search} if search else None)
    items = [repository_of(each, web=web) for each in found.rows]
    wanted = [each for each in items if search.lower() in each.name.lower()]
    return Listing(items=wanted, following=found.following)


async def list_refs(
    api: DataCenterApi, repository: Repository, kind: str, *, search: str, page: str
) -> Listing[Ref]:
    """List `branches` or `tags`, which come peeled."""
    query = _IN_ORDER | ({"filterText": search} if search else {})
    found = await api.page(of(repository, kind), page, query)
    return Listing(items=[_ref_of(each) for each in found.rows], following=found.following)


async def find_ref(api: DataCenterApi, repository: Repository, kind: str, name: str) -> Ref | None:
    """Return the ref of exactly this name among `branches` or `tags`, a tag peeled."""
    query = _IN_ORDER | {"filterText": name, "boostMatches": "true"}
    rows = await api.every(of(repository, kind), query) or []
    return next((each for each in map(_ref_of, rows) if each.name == name), None)


async def find_commit(api: DataCenterApi, repository: Repository, sha: str) -> Commit:
    """Return a commit."""
    said = await api.read(of(repository, "commits", sha))
    author = said.get("author") or {}
    moment = said.get("authorTimestamp")
    return Commit(
        sha=str(said["id"]),
        message=str(said.get("message") or ""),
        author_name=str(author.get("name") or ""),
        author_email=str(author.get("emailAddress") or ""),
        url=f"{repository.web_url}/commits/{said['id']}",
        authored_at=datetime.fromtimestamp(moment / 1000, UTC) if moment else None,
    )


async def list_pull_requests(api: DataCenterApi, repository: Repository) -> Sequence[PullRequest]:
    """Return every open pull request."""
    rows = await api.every(of(repository, "pull-requests"), {"state": "OPEN", "order": "OLDEST"})
    if rows is None:
        raise ProviderAwayError(
            f"{repository.identifier} has more open pull requests than are read."
        )
    return [pull_request_of(each) for each in rows]


async def changed_paths(
    api: DataCenterApi, repository: Repository, before: str, after: str
) -> frozenset[str] | None:
    """Return what differs between two commits."""
    if not before or not after:
        return None
    query: dict[str, str | int] = {"since": before, "until": after, "limit": CHANGES}
    try:
        rows = await api.every(of(repository, "changes"), query)
    except NotFoundError:
        return None  # after a force push, the old commit may be gone
    return None if rows is None else _paths(rows)


async def pull_request_paths(
    api: DataCenterApi, repository: Repository, number: int
) -> frozenset[str] | None:
    """Return what a pull request changes against where it left its target."""
    path = of(repository, "pull-requests", str(number), "changes")
    rows = await api.every(path, {"limit": CHANGES})
    return None if rows is None else _paths(rows)


def _paths(rows: Sequence[Mapping[str, Any]]) -> frozenset[str]:
    sides = (each.get(side) or {} for each in rows for side in ("path", "srcPath"))
    return frozenset(str(each["toString"]) for each in sides if each.get("toString"))


def _ref_of(said: Mapping[str, Any]) -> Ref:
    return Ref(name=str(said["displayId"]), commit=str(said["latestCommit"]))
