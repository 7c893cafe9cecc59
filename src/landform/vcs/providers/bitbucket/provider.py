"""Bitbucket, signed in as one connection."""

from collections.abc import Sequence
from typing import ClassVar, Final
from urllib.parse import urlsplit

from landform.kit.errors import NotFoundError
from landform.vcs.changes import PullRequest
from landform.vcs.errors import NotAllowedError
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
from landform.vcs.kinds import SignIn
from landform.vcs.provider import Ask, Services, Setup, Token, TokenSource
from landform.vcs.providers.bitbucket import looking, telling
from landform.vcs.providers.bitbucket.api import BitbucketApi
from landform.vcs.providers.bitbucket.sign_in import BitbucketSignIn
from landform.vcs.providers.bitbucket.urls import path_of, quoted, web_of

_HOOKS: Final = "webhook"
_TOKEN_USER: Final = "x-token-auth"  # noqa: S105 - a name
_API_TOKEN_USER: Final = "x-bitbucket-api-token-auth"  # noqa: S105 - a name


class Bitbucket(NoGroups):
    """See VcsProvider."""

    provider: ClassVar = "Bitbucket"

    def __init__(self, setup: Setup, services: Services, token: TokenSource) -> None:
        self._setup = setup
        self._token = token
        self._web = web_of(setup)
        self._sign_in = BitbucketSignIn(setup, services)
        self._api = BitbucketApi(setup, services, token)

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
        """See VcsProvider. A token of a workspace or repository may be of nobody."""
        try:
            answer = await self._api.get("/user")
        except (NotAllowedError, NotFoundError):
            if not self._setup.account:
                raise
            path = f"/repositories/{quoted(self._setup.account)}"
            answer = await self._api.get(path, {"pagelen": 1})
        said = self._api.document(answer)
        name = str(said.get("nickname") or said.get("display_name") or self._setup.account)
        scopes = {each.strip() for each in answer.headers.get("x-oauth-scopes", "").split(",")}
        hooks = _HOOKS in scopes if scopes - {""} else None
        advice = "Give the consumer or token the permission Webhooks: read and write."
        lacking = {"hooks": advice} if hooks is False else {}
        return Capabilities(identity=name, listing=True, hooks=hooks, lacking=lacking)

    async def organizations(self, *, search: str = "", page: str = "") -> Listing[Named]:
        """See VcsProvider. Bitbucket no longer lists workspaces, so it is the one that is named."""
        names = [self._setup.account] if self._setup.account else []
        wanted = [name for name in names if search.lower() in name.lower()]
        return Listing(items=[Named(id=name, name=name) for name in wanted])

    async def projects(
        self, organization: str, *, search: str = "", page: str = ""
    ) -> Listing[Named]:
        """See VcsProvider."""
        found = await self._api.page(f"/workspaces/{quoted(organization)}/projects", page)
        items = [Named(id=str(each["key"]), name=str(each["name"])) for each in found.rows]
        wanted = [each for each in items if search.lower() in each.name.lower()]
        return Listing(items=wanted, following=found.following)

    async def repositories(
        self, organization: str = "", project: str = "", *, search: str = "", page: str = ""
    ) -> Listing[Repository]:
        """See VcsProvider."""
        return await looking.list_repositories(
            self._api,
            organization or self._setup.account,
            project,
            web=self._web,
            search=search,
            page=page,
        )

    async def repository(self, reference: str) -> Repository:
        """See VcsProvider."""
        path = path_of(reference, self._setup)
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
        return await looking.find_pull_request(self._api, repository, number)

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
        """See VcsProvider. The host is the scope: submodules are other repositories."""
        token = await self._token()
        host = urlsplit(self._web).hostname or ""
        by_email = self._setup.sign_in is SignIn.TOKEN and bool(self._setup.username)
        return CloneCredentials(
            url=repository.clone_url,
            scope=f"{self._web}/",
            username=_API_TOKEN_USER if by_email else _TOKEN_USER,
            password=token.value.strip(),
            rewrites={f"git@{host}:": f"{self._web}/"},
            expires_at=token.expires_at,
        )
