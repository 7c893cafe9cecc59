"""What Bitbucket Cloud holds, page by page. Facts: vcs_providers.md §5."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from landform.kit.errors import NotFoundError
from landform.vcs.changes import Action, PullRequest
from landform.vcs.errors import ProviderAwayError, ProviderRefusedError
from landform.vcs.facts import Commit, Listing, Ref, Repository
from landform.vcs.providers.bitbucket.api import BitbucketApi
from landform.vcs.providers.bitbucket.deliveries import pull_request_of
from landform.vcs.providers.bitbucket.urls import quoted

_WHOLE: Final = 40  # characters of a commit's id that is not abbreviated
_PULLS: Final = 50  # the most a page of pull requests has
_NAMES: Final = 20  # of branches that one query asks for


def repository_of(said: Mapping[str, Any], *, web: str) -> Repository:
    """Read a repository as the API has it."""
    links, workspace = said.get("links") or {}, said.get("workspace") or {}
    identifier = str(said["full_name"])
    address = f"{web}/{quoted(*identifier.split('/'))}"
    ssh = [each for each in links.get("clone") or [] if each.get("name") == "ssh"]
    project = said.get("project") or {}
    return Repository(
        id=str(said["uuid"]),
        name=str(said["name"]),
        identifier=identifier,
        clone_url=f"{address}.git",
        ssh_url=str(ssh[0].get("href") or "") if ssh else "",
        web_url=address,
        default_branch=str((said.get("mainbranch") or {}).get("name") or ""),
        organization=str(workspace.get("slug") or identifier.partition("/")[0]),
        project_id=str(project.get("key") or ""),
        project_name=str(project.get("name") or ""),
        is_private=bool(said.get("is_private")),
    )


def of(repository: Repository, *path: str) -> str:
    """Return the path of something of a repository."""
    workspace, _, name = repository.identifier.partition("/")
    return "/repositories/" + quoted(workspace, name, *path)


async def list_repositories(
    api: BitbucketApi, workspace: str, project: str, *, web: str, search: str, page: str
) -> Listing[Repository]:
    """List the repositories of a workspace: Bitbucket no longer lists those of all."""
    if not workspace:
        raise ProviderRefusedError(
            "Bitbucket lists repositories by workspace: name it in the connection's account. A"
            " repository is found by its address without."
        )
    wanted = [f"name ~ {_text(search)}"] if search else []
    wanted += [f"project.key = {_text(project)}"] if project else []
    query: dict[str, str | int] = {"sort": "name"}
    query |= {"q": " AND ".join(wanted)} if wanted else {}
    found = await api.page(f"/repositories/{quoted(workspace)}", page, query)
    items = [repository_of(each, web=web) for each in found.rows]
    return Listing(items=items, following=found.following)


async def list_refs(
    api: BitbucketApi, repository: Repository, kind: str, *, search: str, page: str
) -> Listing[Ref]:
    """List `branches` or `tags`, which come peeled."""
    query = {"sort": "name"} | ({"q": f"name ~ {_text(search)}"} if search else {})
    found = await api.page(of(repository, "refs", kind), page, query)
    return Listing(items=[_ref_of(each) for each in found.rows], following=found.following)


async def find_ref(api: BitbucketApi, repository: Repository, kind: str, name: str) -> Ref | None:
    """Return the ref of exactly this name among `branches` or `tags`, a tag peeled."""
    query = {"q": f"name = {_text(name)}"}
    found = await api.page(of(repository, "refs", kind), "", query)
    refs = [_ref_of(each) for each in found.rows]
    return next((each for each in refs if each.name == name), None)


async def find_commit(api: BitbucketApi, repository: Repository, sha: str) -> Commit:
    """Return a commit, by its whole or abbreviated id."""
    said = await api.read(of(repository, "commit", sha))
    raw = str((said.get("author") or {}).get("raw") or "")
    name, _, mail = raw.partition("<")
    date = str(said.get("date") or "")
    return Commit(
        sha=str(said["hash"]),
        message=str(said.get("message") or ""),
        author_name=name.strip(),
        author_email=mail.strip().removesuffix(">"),
        url=str(((said.get("links") or {}).get("html") or {}).get("href") or ""),
        authored_at=datetime.fromisoformat(date) if date else None,
    )


async def find_pull_request(api: BitbucketApi, repository: Repository, number: int) -> PullRequest:
    """Return a pull request, with the whole ids of its commits while it is open."""
    pull = pull_request_of(await api.read(of(repository, "pullrequests", str(number))))
    return pull if pull.action is not Action.OPENED else await _whole(api, repository, pull, {})


async def list_pull_requests(api: BitbucketApi, repository: Repository) -> Sequence[PullRequest]:
    """Return every open pull request, with the whole ids of their commits."""
    query: dict[str, str | int] = {"state": "OPEN", "pagelen": _PULLS}
    rows = await api.every(of(repository, "pullrequests"), query)
    if rows is None:
        raise ProviderAwayError(
            f"{repository.identifier} has more open pull requests than are read."
        )
    pulls = [pull_request_of(each) for each in rows]
    ours = sorted({each.source_branch for each in pulls if not each.is_fork})
    tips: dict[str, str] = {}
    for start in range(0, len(ours), _NAMES):
        names = " OR ".join(f"name = {_text(name)}" for name in ours[start : start + _NAMES])
        found = await api.page(of(repository, "refs", "branches"), "", {"q": names})
        tips |= {ref.name: ref.commit for ref in map(_ref_of, found.rows)}
    return [await _whole(api, repository, each, tips) for each in pulls]


async def changed_paths(
    api: BitbucketApi, repository: Repository, before: str, after: str
) -> frozenset[str] | None:
    """Return what differs between two commits, which the API names the other way round."""
    if not before or not after:
        return None
    path = of(repository, "diffstat") + f"/{after}..{before}"
    try:
        rows = await api.every(path, {"topic": "false"})
    except NotFoundError:
        return None  # after a force push, the old commit may be gone
    return None if rows is None else _paths(rows)


async def pull_request_paths(
    api: BitbucketApi, repository: Repository, number: int
) -> frozenset[str] | None:
    """Return what a pull request changes against where it left its target."""
    rows = await api.every(of(repository, "pullrequests", str(number), "diffstat"))
    return None if rows is None else _paths(rows)


async def whole_id(api: BitbucketApi, repository: Repository, sha: str) -> str:
    """Return the whole id of a commit that may be abbreviated."""
    return sha if len(sha) >= _WHOLE else (await find_commit(api, repository, sha)).sha


async def _whole(
    api: BitbucketApi, repository: Repository, pull: PullRequest, tips: Mapping[str, str]
) -> PullRequest:
    """Return the pull request with the whole id of its source, by the cheapest way there is."""
    sha = pull.source_commit
    if len(sha) >= _WHOLE:
        return pull
    tip = "" if pull.is_fork else tips.get(pull.source_branch, "")
    if not sha or not tip.startswith(sha):
        # Of a fork, the commit may be seen here only.
        path = of(repository, "pullrequests", str(pull.number), "commits")
        commits = await api.read(path, {"pagelen": 1})
        tip = next((str(each["hash"]) for each in commits.get("values") or []), "")
    if not sha or not tip.startswith(sha):
        tip = (await find_commit(api, repository, sha)).sha
    return PullRequest(**{**pull.__dict__, "source_commit": tip})


def _paths(rows: Sequence[Mapping[str, Any]]) -> frozenset[str]:
    sides = (each.get(side) or {} for each in rows for side in ("old", "new"))
    return frozenset(str(each["path"]) for each in sides if each.get("path"))


def _ref_of(said: Mapping[str, Any]) -> Ref:
    return Ref(name=str(said["name"]), commit=str(said["target"]["hash"]))


def _text(words: str) -> str:
    """Return a text of the API's query language."""
    return '"' + words.replace("\\", "\\\\").replace('"', '\\"') + '"'
