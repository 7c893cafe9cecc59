"""What a Gitea holds, page by page. Facts: vcs_providers.md §6."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from landform.vcs.errors import NoSuchRepositoryError, ProviderAwayError
from landform.vcs.facts import Commit, Listing, Ref, Repository
from landform.vcs.providers.gitea.api import GiteaApi
from landform.vcs.providers.gitea.urls import quoted

_PAGES: Final = 100


def repository_of(said: Mapping[str, Any], *, web: str) -> Repository:
    """Read a repository as the API has it; its addresses may be of a name we do not use."""
    owner = said.get("owner") or {}
    address = f"{web}/{quoted(*str(said['full_name']).split('/'))}"
    return Repository(
        id=str(said["id"]),
        name=str(said["name"]),
        identifier=str(said["full_name"]),
        clone_url=f"{address}.git",
        ssh_url=str(said.get("ssh_url") or ""),
        web_url=address,
        default_branch="" if said.get("empty") else str(said.get("default_branch") or ""),
        organization=str(owner.get("login") or ""),
        is_private=bool(said.get("private") or said.get("internal")),
    )


def of(repository: Repository, *path: str) -> str:
    """Return the path of something of a repository."""
    owner, _, name = repository.identifier.partition("/")
    return "/repos/" + quoted(owner, name, *path)


async def list_repositories(
    api: GiteaApi, owner: str, *, web: str, search: str, page: str
) -> Listing[Repository]:
    """List what the identity works on; a search goes through everything it may see."""
    if search:
        found = await api.page("/repos/search", page, {"q": search}, of="data")
    else:
        found = await api.page("/user/repos", page)
    rows = [repository_of(each, web=web) for each in found.rows]
    wanted = [each for each in rows if not owner or each.organization.lower() == owner.lower()]
    return Listing(items=wanted, following=found.following)


async def list_refs(
    api: GiteaApi, repository: Repository, kind: str, *, search: str, page: str
) -> Listing[Ref]:
    """List `branches` or `tags`, which come peeled."""
    found = await api.page(of(repository, kind), page)
    refs = [Ref(name=str(each["name"]), commit=_commit_of(each)) for each in found.rows]
    wanted = [each for each in refs if search.lower() in each.name.lower()]
    return Listing(items=wanted, following=found.following)


async def find_ref(api: GiteaApi, repository: Repository, kind: str, name: str) -> Ref | None:
    """Return the ref of exactly this name among `branches` or `tags`, a tag peeled."""
    try:
        said = await api.read(of(repository, kind, *name.split("/")))
    except NoSuchRepositoryError:
        return None
    return Ref(name=name, commit=_commit_of(said)) if said["name"] == name else None


async def find_commit(api: GiteaApi, repository: Repository, sha: str) -> Commit:
    """Return a commit."""
    lean = {"stat": "false", "verification": "false", "files": "false"}
    said = await api.read(of(repository, "git", "commits", sha), lean)
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


async def every(
    api: GiteaApi, path: str, query: Mapping[str, str] | None = None
) -> Sequence[Mapping[str, Any]]:
    """Return a whole list.

    Raises:
        ProviderAwayError: it has no end.
    """
    rows: list[Mapping[str, Any]] = []
    page = ""
    for _ in range(_PAGES):
        found = await api.page(path, page, query)
        rows += found.rows
        page = found.following
        if not page:
            return rows
    raise ProviderAwayError(f"Gitea lists more of {path} than is read.")


async def pull_request_paths(
    api: GiteaApi, repository: Repository, number: int
) -> frozenset[str] | None:
    """Return what a pull request changes against where it left its target."""
    try:
        files = await every(api, of(repository, "pulls", str(number), "files"))
    except ProviderAwayError as away:
        if away.retry_after_s:
            raise
        return None
    names = (each.get(name) for each in files for name in ("filename", "previous_filename"))
    return frozenset(str(name) for name in names if name)


def _commit_of(said: Mapping[str, Any]) -> str:
    """Return the commit of a branch, which is called `id`, or of a tag, which is called `sha`."""
    commit = said["commit"]
    return str(commit.get("id") or commit["sha"])
