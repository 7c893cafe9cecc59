"""What a GitLab holds, page by page. Facts: vcs_providers.md §4."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from landform.vcs.errors import NoSuchRepositoryError, ProviderAwayError
from landform.vcs.facts import Commit, Listing, Named, Ref, Repository
from landform.vcs.providers.gitlab.api import PAGE, GitLabApi
from landform.vcs.providers.gitlab.urls import quoted

_PAGES: Final = 50
# Within these GitLab gives all of a comparison. Beyond, it folds or drops files and does not say.
_COMPARED: Final = 100  # files
_COMPARED_LINES: Final = 5_000
_COMPARED_CHARACTERS: Final = 400_000


def repository_of(said: Mapping[str, Any], *, web: str) -> Repository:
    """Read a project as the API has it.

    Its address for git is of this connection's host, not the one GitLab believes it has.
    """
    path = str(said["path_with_namespace"])
    namespace = said.get("namespace") or {}
    is_usable = said.get("repository_access_level", "enabled") != "disabled"
    return Repository(
        id=str(said["id"]),
        name=str(said.get("path") or said.get("name") or ""),
        identifier=path,
        clone_url=f"{web}/{path}.git",
        ssh_url=str(said.get("ssh_url_to_repo") or ""),
        web_url=str(said.get("web_url") or f"{web}/{path}"),
        default_branch=str(said.get("default_branch") or ""),
        organization=str(namespace.get("full_path") or path.rpartition("/")[0]),
        is_private=said.get("visibility", "private") != "public",
        is_disabled=not is_usable,
    )


def of(repository: Repository, *path: str) -> str:
    """Return the path of something of a project: by its id, which a move leaves alone."""
    return "/projects/" + quoted(repository.id, *path)


async def list_groups(api: GitLabApi, *, search: str, page: str) -> Listing[Named]:
    """List the groups that this identity is in, those within others too."""
    query: dict[str, str | int] = {"min_access_level": 10, "per_page": PAGE}
    if search:
        query["search"] = search
    reply = await api.get("/groups", query, page=page)
    found = [Named(id=str(each["full_path"]), name=str(each["full_path"])) for each in reply.said]
    return Listing(items=found, following=reply.following)


async def list_repositories(
    api: GitLabApi, group: str, *, web: str, search: str, page: str
) -> Listing[Repository]:
    """List projects: by key, as numbers of pages end at some; those of a group by number."""
    query: dict[str, str | int] = {"per_page": PAGE, "order_by": "id", "sort": "asc"}
    if search:
        query["search"] = search
    if group:
        query["include_subgroups"] = "true"
        path = f"/groups/{quoted(group)}/projects"
    else:
        query |= {"membership": "true", "pagination": "keyset"}
        path = "/projects"
    reply = await api.get(path, query, page=page)
    found = [repository_of(each, web=web) for each in reply.said]
    return Listing(items=found, following=reply.following)


async def list_refs(
    api: GitLabApi, repository: Repository, kind: str, *, search: str, page: str
) -> Listing[Ref]:
    """List `branches` or `tags`, which come peeled."""
    query: dict[str, str | int] = {"per_page": PAGE, "pagination": "keyset"}
    if search:
        query["search"] = search
    if kind == "tags":
        query |= {"order_by": "name", "sort": "asc"}
    reply = await api.get(of(repository, "repository", kind), query, page=page)
    found = [_ref(each) for each in reply.said]
    return Listing(items=found, following=reply.following)


async def find_ref(api: GitLabApi, repository: Repository, kind: str, name: str) -> Ref | None:
    """Return the ref of exactly this name, a tag peeled to its commit."""
    try:
        return _ref((await api.get(of(repository, "repository", kind, name))).said)
    except NoSuchRepositoryError:
        return None


async def find_commit(api: GitLabApi, repository: Repository, sha: str) -> Commit:
    """Return a commit."""
    said = (await api.get(of(repository, "repository", "commits", sha))).said
    date = str(said.get("authored_date") or said.get("created_at") or "")
    return Commit(
        sha=str(said["id"]),
        message=str(said.get("message") or ""),
        author_name=str(said.get("author_name") or ""),
        author_email=str(said.get("author_email") or ""),
        url=str(said.get("web_url") or ""),
        authored_at=datetime.fromisoformat(date) if date else None,
    )


async def list_merge_requests(
    api: GitLabApi, repository: Repository
) -> Sequence[Mapping[str, Any]]:
    """Return every open merge request whose commit GitLab has looked at."""
    found = await _every(
        api,
        of(repository, "merge_requests"),
        {"state": "opened", "order_by": "created_at", "sort": "asc"},
        what=f"{repository.identifier} has more open merge requests than are read.",
    )
    return [each for each in found if each.get("sha")]


async def merge_request(api: GitLabApi, repository: Repository, number: int) -> Mapping[str, Any]:
    """Return a merge request."""
    reply = await api.get(of(repository, "merge_requests", str(number)))
    said: Mapping[str, Any] = reply.said
    return said


async def compared_paths(
    api: GitLabApi, repository: Repository, before: str, after: str
) -> frozenset[str] | None:
    """Return what differs between two commits where it is certain that GitLab tells all."""
    if not before or not after:
        return None
    query = {"from": before, "to": after, "straight": "true"}
    try:
        said = (await api.get(of(repository, "repository", "compare"), query)).said
    except NoSuchRepositoryError:
        return None  # after a force push, the old commit may be gone
    diffs = said.get("diffs") or []
    texts = [str(each.get("diff") or "") for each in diffs]
    is_whole = (
        not said.get("compare_timeout")
        and len(diffs) < _COMPARED
        and sum(map(len, texts)) < _COMPARED_CHARACTERS
        and sum(each.count("\n") for each in texts) < _COMPARED_LINES
        and not any(each.get("collapsed") or each.get("too_large") for each in diffs)
    )
    return _paths(diffs) if is_whole else None


async def merge_request_paths(
    api: GitLabApi, repository: Repository, number: int
) -> frozenset[str] | None:
    """Return what a merge request changes against where it left its target.

    GitLab keeps a thousand files of it, unless an administrator chose otherwise, and counts `1000+`
    then.
    """
    counted = str((await merge_request(api, repository, number)).get("changes_count") or "")
    if not counted.isdecimal():
        return None
    path = of(repository, "merge_requests", str(number), "diffs")
    diffs = await _every(api, path, {}, what="The merge request changes more than is read.")
    return _paths(diffs) if len(diffs) == int(counted) else None


async def _every(
    api: GitLabApi, path: str, query: Mapping[str, str | int], *, what: str
) -> list[Mapping[str, Any]]:
    """Read all pages.

    Args:
        what: is said when there are too many.
    """
    found: list[Mapping[str, Any]] = []
    page = ""
    for _ in range(_PAGES):
        reply = await api.get(path, {**query, "per_page": PAGE}, page=page)
        found += reply.said
        page = reply.following
        if not page:
            return found
    raise ProviderAwayError(what)


def _ref(said: Mapping[str, Any]) -> Ref:
    return Ref(name=str(said["name"]), commit=str(said["commit"]["id"]))


def _paths(diffs: Sequence[Mapping[str, Any]]) -> frozenset[str]:
    names = (each.get(name) for each in diffs for name in ("old_path", "new_path"))
    return frozenset(str(name) for name in names if name)
