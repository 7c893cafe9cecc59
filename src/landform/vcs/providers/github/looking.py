"""What a GitHub holds, page by page. Facts: vcs_providers.md §3."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from landform.vcs.errors import NoSuchRepositoryError, ProviderAwayError
from landform.vcs.facts import Commit, Listing, Ref, Repository
from landform.vcs.providers.github.api import PAGE, GitHubApi
from landform.vcs.providers.github.urls import quoted

_PAGES: Final = 50
_COMPARED: Final = 300  # files that a comparison has at most, and then nobody knows what is missing
_PULL_FILES: Final = 3000  # and a pull request
_NESTED: Final = 5  # tags of tags


def repository_of(said: Mapping[str, Any]) -> Repository:
    """Read a repository as the API has it."""
    owner = said.get("owner") or {}
    return Repository(
        id=str(said["id"]),
        name=str(said["name"]),
        identifier=str(said["full_name"]),
        clone_url=str(said.get("clone_url") or ""),
        ssh_url=str(said.get("ssh_url") or ""),
        web_url=str(said.get("html_url") or ""),
        default_branch=str(said.get("default_branch") or ""),
        organization=str(owner.get("login") or ""),
        is_private=bool(said.get("private")),
        is_disabled=bool(said.get("disabled")),
    )


def of(repository: Repository, *path: str) -> str:
    """Return the path of something of a repository."""
    owner, _, name = repository.identifier.partition("/")
    return "/repos/" + quoted(owner, name, *path)


async def list_repositories(
    api: GitHubApi, owner: str, *, is_app: bool, search: str, page: str
) -> Listing[Repository]:
    """List by page; the API searches by other words than ours, so that the search is ours."""
    path = "/installation/repositories" if is_app else "/user/repos"
    query: dict[str, str | int] = {"per_page": PAGE, "page": _number(page)}
    if not is_app:
        query["sort"] = "full_name"
    reply = await api.get(path, query)
    rows = reply.said["repositories"] if is_app else reply.said
    found = [repository_of(each) for each in rows]
    wanted = [
        each
        for each in found
        if search.lower() in each.identifier.lower()
        and (not owner or each.organization.lower() == owner.lower())
    ]
    return Listing(items=wanted, following=_following(page, has_more=reply.has_more))


async def list_refs(
    api: GitHubApi, repository: Repository, kind: str, *, search: str, page: str
) -> Listing[Ref]:
    """List `branches` or `tags`, which come peeled."""
    query = {"per_page": PAGE, "page": _number(page)}
    reply = await api.get(of(repository, kind), query)
    refs = [Ref(name=str(each["name"]), commit=str(each["commit"]["sha"])) for each in reply.said]
    wanted = [each for each in refs if search.lower() in each.name.lower()]
    return Listing(items=wanted, following=_following(page, has_more=reply.has_more))


async def find_ref(api: GitHubApi, repository: Repository, kind: str, name: str) -> Ref | None:
    """Return the ref of exactly this name, a tag peeled to its commit."""
    try:
        said = (await api.get(of(repository, "git", "ref", kind, *name.split("/")))).said
    except NoSuchRepositoryError:
        return None
    target = said["object"]
    for _ in range(_NESTED):
        if target["type"] != "tag":
            break
        target = (await api.get(of(repository, "git", "tags", target["sha"]))).said["object"]
    return Ref(name=name, commit=str(target["sha"]))


async def find_commit(api: GitHubApi, repository: Repository, sha: str) -> Commit:
    """Return a commit."""
    said = (await api.get(of(repository, "commits", sha))).said
    commit = said.get("commit") or {}
    author = commit.get("author") or {}
    date = str(author.get("date") or "")
    return Commit(
        sha=str(said["sha"]),
        message=str(commit.get("message") or ""),
        author_name=str(author.get("name") or ""),
        author_email=str(author.get("email") or ""),
        url=str(said.get("html_url") or ""),
        authored_at=datetime.fromisoformat(date) if date else None,
    )


async def list_pull_requests(api: GitHubApi, repository: Repository) -> Sequence[Mapping[str, Any]]:
    """Return every open pull request."""
    found: list[Mapping[str, Any]] = []
    for number in range(1, _PAGES + 1):
        query: dict[str, str | int] = {"state": "open", "per_page": PAGE, "page": number}
        reply = await api.get(of(repository, "pulls"), query)
        found += reply.said
        if not reply.has_more:
            return found
    raise ProviderAwayError(f"{repository.identifier} has more open pull requests than are read.")


async def compared_paths(
    api: GitHubApi, repository: Repository, before: str, after: str
) -> frozenset[str] | None:
    """Return what differs between two commits where GitHub can tell.

    It compares with the merge base and names 300 files at most: so only a commit that follows the
    other, with fewer files, is answered.
    """
    if not before or not after:
        return None
    try:
        said = (await api.get(of(repository, "compare", f"{before}...{after}"))).said
    except NoSuchRepositoryError:
        return None  # after a force push, the old commit may be gone
    files = said.get("files") or []
    if said.get("status") not in ("ahead", "identical") or len(files) >= _COMPARED:
        return None
    return _paths(files)


async def pull_request_paths(
    api: GitHubApi, repository: Repository, number: int
) -> frozenset[str] | None:
    """Return what a pull request changes against where it left its target."""
    files: list[Mapping[str, Any]] = []
    for page in range(1, _PULL_FILES // PAGE + 1):
        query = {"per_page": PAGE, "page": page}
        reply = await api.get(of(repository, "pulls", str(number), "files"), query)
        files += reply.said
        if not reply.has_more:
            break
    return _paths(files) if len(files) < _PULL_FILES else None


def _paths(files: Sequence[Mapping[str, Any]]) -> frozenset[str]:
    names = (each.get(name) for each in files for name in ("filename", "previous_filename"))
    return frozenset(str(name) for name in names if name)


def _number(page: str) -> int:
    return int(page) if page.isdecimal() else 1


def _following(page: str, *, has_more: bool) -> str:
    return str(_number(page) + 1) if has_more else ""
