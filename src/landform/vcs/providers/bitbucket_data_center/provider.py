"""Bitbucket Data Center, signed in as one connection: by an HTTP access token."""

from collections.abc import Sequence
from typing import ClassVar, Final
from urllib.parse import unquote

from landform.kit.errors import ConflictError
from landform.vcs.changes import PullRequest
from landform.vcs.errors import SignInNeededError
from landform.vcs.facts import (
    Capabilities,
    CloneCredentials,
    Commit,
    Listing,
    Named,
    Ref,
    RemoteHook,
    Repository,
    Status,
)
from landform.vcs.group_names import NoGroups
from landform.vcs.provider import Ask, Services, Setup, Token, TokenSource
from landform.vcs.providers.bitbucket_data_center import looking, telling
from landform.vcs.providers.bitbucket_data_center.api import USER, DataCenterApi
from landform.vcs.providers.bitbucket_data_center.deliveries import pull_request_of
from landform.vcs.providers.bitbucket_data_center.urls import GIT, path_of, web_of

_GIT_USER: Final = "x-token-auth"  # any will do: the password is the token
_ITSELF: Final = "This connection signs in by itself; there is nobody to ask."


class BitbucketDataCenter(NoGroups):
    """See VcsProvider."""

    provider: ClassVar = "Bitbucket Data Center"

    def __init__(self, setup: Setup, services: Services, token: TokenSource) -> None:
        self._setup = setup
        self._token = token
        self._web = web_of(setup)
        self._api = DataCenterApi(setup, services, token)

    def authorize_url(self, ask: Ask) -> str:
        """See VcsProvider."""
        raise ConflictError(_ITSELF)

    async def exchange(self, code: str, *, verifier: str = "") -> Token:
        """See VcsProvider."""
        raise ConflictError(_ITSELF)

    async def renew(self, refresh_token: str) -> Token:
        """See VcsProvider."""
        raise SignInNeededError("There is nothing to renew: give the connection a new token.")

    async def capabilities(self) -> Capabilities:
        """See VcsProvider. Every answer says who asked; what the token may do shows by doing."""
        answer = await self._api.get("/projects", {"limit": 1})
        return Capabilities(identity=unquote(answer.headers.get(USER, "")), listing=True)

    async def organizations(self, *, search: str = "", page: str = "") -> Listing[Named]:
        """See VcsProvider. A server is one."""
        return Listing(items=[])

    async def projects(
        self, organization: str, *, search: str = "", page: str = ""
    ) -> Listing[Named]:
        """See VcsProvider."""
        found = await self._api.page("/projects", page, {"name": search} if search else None)
        items = [Named(id=str(each["key"]), name=str(each["name"])) for each in found.rows]
        return Listing(items=items, following=found.following)

    async def repositories(
        self, organization: str = "", project: str = "", *, search: str = "", page: str = ""
    ) -> Listing[Repository]:
        """See VcsProvider."""
        project = project or self._setup.account
        return await looking.list_repositories(
            self._api, project, web=self._web, search=search, page=page
        )

    async def repository(self, reference: str) -> Repository:
        """See VcsProvider."""
        path = path_of(reference, web=self._web)
        return await looking.find_repository(self._api, path, web=self._web)

    async def branches(
        self, repository: Repository, *, search: str = "", page: str = ""
    ) -> Listing[Ref]:
        """See VcsProvider."""
        return await looking.list_refs(self._api, repository, "branches", search=search, page=page)

    async def tags(
        self, repository: Repository, *, search: str = "", page: str = ""
    ) -> Listing[Ref]:
        """See VcsProvider."""
        return await looking.list_refs(self._api, repository, "tags", search=search, page=page)

    async def branch(self, repository: Repository, name: str) -> Ref | None:
        """See VcsProvider."""
        return await looking.find_ref(self._api, repository, "branches", name)

    async def tag(self, repository: Repository, name: str) -> Ref | None:
        """See VcsProvider."""
        return await looking.find_ref(self._api, repository, "tags", name)

    async def read_commit(self, repository: Repository, sha: str) -> Commit:
        """See VcsProvider."""
        return await looking.find_commit(self._api, repository, sha)

    async def pull_request(self, repository: Repository, number: int) -> PullRequest:
        """See VcsProvider."""
        path = looking.of(repository, "pull-requests", str(number))
        return pull_request_of(await self._api.read(path))

    async def open_pull_requests(self, repository: Repository) -> Sequence[PullRequest]:
        """See VcsProvider."""
        return await looking.list_pull_requests(self._api, repository)

    async def changed_paths(
        self, repository: Repository, before: str, after: str
    ) -> frozenset[str] | None:
        """See VcsProvider."""
        return await looking.changed_paths(self._api, repository, before, after)

    async def pull_request_paths(
        self, repository: Repository, number: int
    ) -> frozenset[str] | None:
        """See VcsProvider."""
        return await looking.pull_request_paths(self._api, repository, number)

    async def set_commit_status(self, repository: Repository, sha: str, status: Status) -> None:
        """See VcsProvider."""
        await telling.set_commit_status(self._api, repository, sha, status)

    async def set_pull_request_status(
        self, repository: Repository, number: int, sha: str, status: Status
    ) -> None:
        """See VcsProvider. The commit's is shown on the pull request."""

    async def upsert_comment(
        self,
        repository: Repository,
        number: int,
        text: str,
        *,
        comment_id: str = "",
        needs_attention: bool = False,
    ) -> str:
        """See VcsProvider."""
        return await telling.upsert_comment(self._api, repository, number, text, comment_id)

    async def ensure_hooks(
        self, repository: Repository, *, url: str, secret: str
    ) -> Sequence[RemoteHook]:
        """See VcsProvider."""
        return await telling.ensure_hooks(self._api, repository, url, secret)

    async def hooks(self, repository: Repository, *, url: str) -> Sequence[RemoteHook]:
        """See VcsProvider."""
        return await telling.list_hooks(self._api, repository, url)

    async def delete_hooks(self, repository: Repository, *, url: str) -> None:
        """See VcsProvider."""
        await telling.delete_hooks(self._api, repository, url)

    async def clone_credentials(self, repository: Repository) -> CloneCredentials:
        """See VcsProvider. The server is the scope: submodules are other repositories."""
        token = await self._token()
        git = f"{self._web}/{GIT}/"
        # What SSH addresses of this server begin with, port and all.
        start = repository.ssh_url.lower().removesuffix(f"{repository.identifier.lower()}.git")
        is_known = start != repository.ssh_url.lower()
        return CloneCredentials(
            url=repository.clone_url,
            scope=git,
            username=_GIT_USER,
            password=token.value.strip(),
            rewrites={start: git} if is_known else {},
            expires_at=token.expires_at,
        )
