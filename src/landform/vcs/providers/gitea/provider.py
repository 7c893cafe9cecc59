"""Gitea, signed in as one connection."""

from collections.abc import Sequence
from typing import ClassVar, Final
from urllib.parse import urlsplit

from landform.vcs.changes import PullRequest
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
from landform.vcs.providers.gitea import looking, telling
from landform.vcs.providers.gitea.api import GiteaApi
from landform.vcs.providers.gitea.deliveries import pull_request_of
from landform.vcs.providers.gitea.sign_in import GiteaSignIn
from landform.vcs.providers.gitea.urls import path_of, web_of

_GIT_USER: Final = "x-access-token"  # any will do: the password is the token


class Gitea(NoGroups):
    """See VcsProvider."""

    provider: ClassVar = "Gitea"

    def __init__(self, setup: Setup, services: Services, token: TokenSource) -> None:
        self._setup = setup
        self._token = token
        self._web = web_of(setup)
        self._sign_in = GiteaSignIn(setup, services)
        self._api = GiteaApi(setup, services, token)

    def authorize_url(self, ask: Ask) -> str:
        """See VcsProvider."""
        return self._sign_in.authorize_url(ask)

    async def exchange(self, code: str, *, verifier: str = "") -> Token:
        """See VcsProvider."""
        return await self._sign_in.exchange(code, verifier=verifier)

    async def renew(self, refresh_token: str) -> Token:
        """See VcsProvider."""
        return await self._sign_in.renew(refresh_token)

    async def capabilities(self) -> Capabilities:
        """See VcsProvider. What a token may do shows by doing; Gitea does not say it."""
        said = await self._api.read("/user")
        return Capabilities(identity=str(said.get("login") or ""), listing=True)

    async def organizations(self, *, search: str = "", page: str = "") -> Listing[Named]:
        """See VcsProvider."""
        me = await self._api.read("/user")
        names = [str(me["login"])]
        names += [str(each["username"]) for each in await looking.every(self._api, "/user/orgs")]
        wanted = [name for name in names if search.lower() in name.lower()]
        return Listing(items=[Named(id=name, name=name) for name in wanted])

    async def projects(
        self, organization: str, *, search: str = "", page: str = ""
    ) -> Listing[Named]:
        """See VcsProvider. Repositories are in no groups here."""
        return Listing(items=[])

    async def repositories(
        self, organization: str = "", project: str = "", *, search: str = "", page: str = ""
    ) -> Listing[Repository]:
        """See VcsProvider."""
        return await looking.list_repositories(
            self._api, organization, web=self._web, search=search, page=page
        )

    async def repository(self, reference: str) -> Repository:
        """See VcsProvider."""
        path = path_of(reference, web=self._web)
        return looking.repository_of(await self._api.read(path), web=self._web)

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
        path = looking.of(repository, "pulls", str(number))
        return pull_request_of(await self._api.read(path))

    async def open_pull_requests(self, repository: Repository) -> Sequence[PullRequest]:
        """See VcsProvider."""
        path = looking.of(repository, "pulls")
        found = await looking.every(self._api, path, {"state": "open"})
        return [pull_request_of(each) for each in found]

    async def changed_paths(
        self, repository: Repository, before: str, after: str
    ) -> frozenset[str] | None:
        """See VcsProvider. Gitea compares by commit, and only from 1.22 on: git is asked."""
        return None

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
        """See VcsProvider. The host is the scope: submodules are other repositories."""
        token = await self._token()
        host = urlsplit(self._web).hostname or ""
        return CloneCredentials(
            url=repository.clone_url,
            scope=f"{self._web}/",
            username=_GIT_USER,
            password=token.value.strip(),
            rewrites={f"git@{host}:": f"{self._web}/"},
            expires_at=token.expires_at,
        )
