"""What an Azure DevOps organization holds, read page by page. Facts: vcs_providers.md §1.6.

Every list pages in a way of its own: by token, by `$skip`, by `nextSkip`, or not at all.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from landform.vcs.errors import NoSuchRepositoryError, ProviderAwayError
from landform.vcs.facts import Commit, Listing, Ref, Repository
from landform.vcs.providers.azure_devops.api import AzureApi
from landform.vcs.providers.azure_devops.urls import Located

PAGE: Final = 100
_REFS: Final = 1000  # the most a page of refs has
_CHANGES: Final = 2000  # and one of changes
_PAGES: Final = 50  # beyond this it is not read: more than anybody's filter is about


def repository_of(said: Mapping[str, Any], organization: str) -> Repository:
    """Read a repository as the API has it."""
    project = said.get("project") or {}
    name, project_name = str(said["name"]), str(project.get("name") or "")
    return Repository(
        id=str(said["id"]).lower(),
        name=name,
        identifier=f"{organization}/{project_name}/_git/{name}",
        clone_url=_without_user(str(said.get("remoteUrl") or "")),
        ssh_url=str(said.get("sshUrl") or ""),
        web_url=_without_user(str(said.get("webUrl") or said.get("remoteUrl") or "")),
        default_branch=str(said.get("defaultBranch") or "").removeprefix("refs/heads/"),
        organization=organization,
        project_id=str(project.get("id") or ""),
        project_name=project_name,
        is_private=project.get("visibility") != "public",
        is_disabled=bool(said.get("isDisabled") or said.get("isInMaintenance")),
    )


async def find_repository(api: AzureApi, at: Located) -> Repository:
    """Return a repository by its id or names."""
    organization = api.organization(at.organization)
    above = [at.project] if at.project else []
    path = [*above, "_apis", "git", "repositories", at.repository]
    reply = await api.get(path, organization=organization)
    return repository_of(reply.said, organization)


async def list_repositories(
    api: AzureApi, organization: str, project: str, *, search: str, page: str
) -> Listing[Repository]:
    """List by name; the API knows neither pages nor a search, so both are ours."""
    organization = api.organization(organization)
    above = [project] if project else []
    reply = await api.get([*above, "_apis", "git", "repositories"], organization=organization)
    found = [repository_of(each, organization) for each in reply.said["value"]]
    wanted = [each for each in found if search.lower() in each.identifier.lower()]
    wanted.sort(key=lambda each: (each.project_name.lower(), each.name.lower()))
    start = int(page) if page.isdecimal() else 0
    end = start + PAGE
    return Listing(items=wanted[start:end], following=str(end) if end < len(wanted) else "")


async def list_refs(
    api: AzureApi, repository: Repository, kind: str, *, search: str, page: str
) -> Listing[Ref]:
    """List `heads` or `tags`; `search` is anywhere in the name."""
    query: dict[str, str | int] = {"filter": f"{kind}/", "peelTags": "true", "$top": _REFS}
    if search:
        query["filterContains"] = search
    if page:
        query["continuationToken"] = page
    reply = await api.get(_of(repository, "refs"), query, organization=repository.organization)
    refs = [_ref(each, kind) for each in reply.said["value"]]
    wanted = [each for each in refs if search.lower() in each.name.lower()]
    return Listing(items=wanted, following=reply.following)


async def find_ref(api: AzureApi, repository: Repository, kind: str, name: str) -> Ref | None:
    """Return the ref of exactly this name: the API's filter is a prefix."""
    query: dict[str, str | int] = {
        "filter": f"{kind}/{name}",
        "peelTags": "true",
        "$top": _REFS,
    }
    for _ in range(_PAGES):
        reply = await api.get(_of(repository, "refs"), query, organization=repository.organization)
        for each in reply.said["value"]:
            if each["name"] == f"refs/{kind}/{name}":
                return _ref(each, kind)
        if not reply.following:
            break
        query["continuationToken"] = reply.following
    return None


async def find_commit(api: AzureApi, repository: Repository, sha: str) -> Commit:
    """Return a commit."""
    path = _of(repository, "commits", sha)
    said = (await api.get(path, organization=repository.organization)).said
    author = said.get("author") or {}
    return Commit(
        sha=str(said["commitId"]),
        message=str(said.get("comment") or ""),
        author_name=str(author.get("name") or ""),
        author_email=str(author.get("email") or ""),
        url=str(said.get("remoteUrl") or f"{repository.web_url}/commit/{said['commitId']}"),
        authored_at=_moment(str(author.get("date") or "")),
    )


async def compared_paths(
    api: AzureApi, repository: Repository, before: str, after: str
) -> frozenset[str] | None:
    """Return what differs between two commits, however many pages that takes."""
    if not before or not after:
        return None
    paths: set[str] = set()
    for number in range(_PAGES):
        query: dict[str, str | int] = {
            "baseVersionType": "commit",
            "baseVersion": before,
            "targetVersionType": "commit",
            "targetVersion": after,
            "$top": _CHANGES,
            "$skip": number * _CHANGES,
        }
        try:
            reply = await api.get(
                _of(repository, "diffs", "commits"), query, organization=repository.organization
            )
        except NoSuchRepositoryError:
            return None  # after a force push, the old commit may be gone
        changes = reply.said.get("changes") or []
        paths |= paths_of(changes)
        if reply.said.get("allChangesIncluded") or len(changes) < _CHANGES:
            return frozenset(paths)
    return None


async def pull_request_paths(
    api: AzureApi, repository: Repository, number: int
) -> frozenset[str] | None:
    """Return what the newest iteration changes against the common commit."""
    last = await last_iteration(api, repository, number)
    if last is None:
        return None
    path = _of(repository, "pullRequests", str(number), "iterations", str(last["id"]), "changes")
    skip, top = 0, _CHANGES
    paths: set[str] = set()
    for _ in range(_PAGES):
        query = {"$top": top, "$skip": skip, "$compareTo": 0}
        reply = await api.get(path, query, organization=repository.organization)
        paths |= paths_of(reply.said.get("changeEntries") or [])
        skip, top = int(reply.said.get("nextSkip") or 0), int(reply.said.get("nextTop") or 0)
        if not skip and not top:
            return frozenset(paths)
        top = top or _CHANGES
    return None


async def last_iteration(
    api: AzureApi, repository: Repository, number: int, sha: str = ""
) -> Mapping[str, Any] | None:
    """Return the newest iteration, or the newest that is about `sha`."""
    path = _of(repository, "pullRequests", str(number), "iterations")
    reply = await api.get(path, organization=repository.organization)
    found = [
        each
        for each in reply.said["value"]
        if not sha or (each.get("sourceRefCommit") or {}).get("commitId") == sha
    ]
    return max(found, key=lambda each: int(each["id"]), default=None)


async def list_pull_requests(api: AzureApi, repository: Repository) -> Sequence[Mapping[str, Any]]:
    """Return every active pull request."""
    found: list[Mapping[str, Any]] = []
    for number in range(_PAGES):
        query: dict[str, str | int] = {
            "searchCriteria.status": "active",
            "$top": PAGE,
            "$skip": number * PAGE,
        }
        path = _of(repository, "pullRequests")
        said = (await api.get(path, query, organization=repository.organization)).said["value"]
        found += said
        if len(said) < PAGE:
            return found
    raise ProviderAwayError(f"{repository.identifier} has more open pull requests than are read.")


def paths_of(changes: Iterable[Mapping[str, Any]]) -> set[str]:
    """Return the files among changes, with the old name of those that were moved."""
    paths: set[str] = set()
    for change in changes:
        item = change.get("item") or {}
        if item.get("isFolder") or item.get("gitObjectType") == "tree":
            continue
        for path in (item.get("path"), change.get("sourceServerItem"), change.get("originalPath")):
            if path:
                paths.add(str(path).removeprefix("/"))
    return paths


def of_repository(repository: Repository, *path: str) -> list[str]:
    """Return the path of something of a repository, in its organization."""
    return _of(repository, *path)


def _of(repository: Repository, *path: str) -> list[str]:
    above = [repository.project_id] if repository.project_id else []
    return [*above, "_apis", "git", "repositories", repository.id, *path]


def _ref(said: Mapping[str, Any], kind: str) -> Ref:
    commit = said.get("peeledObjectId") or said["objectId"]
    return Ref(name=str(said["name"]).removeprefix(f"refs/{kind}/"), commit=str(commit))


def _moment(text: str) -> datetime | None:
    """Read a time with up to seven fractional digits."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else None


def _without_user(url: str) -> str:
    scheme, mark, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}{mark}{host.rpartition('@')[2]}{slash}{path}"
