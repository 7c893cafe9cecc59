"""GitHub, signed in as one connection."""

from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

from landform.vcs.changes import Person, PullRequest
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
from landform.vcs.kinds import SignIn
from landform.vcs.provider import Ask, Services, Setup, Token, TokenSource
from landform.vcs.providers.github import belonging, checks, looking, telling
from landform.vcs.providers.github.api import PAGE, GitHubApi
from landform.vcs.providers.github.apps import ABILITIES
from landform.vcs.providers.github.deliveries import pull_request_of
from landform.vcs.providers.github.sign_in import GitHubSignIn
from landform.vcs.providers.github.urls import path_of, web_of

_GIT_USER: Final = "x-access-token"
_HOOKS: Final = frozenset({"repo", "admin:repo_hook", "write:repo_hook"})
_STATUSES: Final = frozenset({"repo", "repo:status"})


class GitHub:
    """See VcsProvider."""

    def __init__(self, setup: Setup, services: Services, token: TokenSource) -> None:
        self._setup = setup
        self._token = token
        self._web = web_of(setup)
        self._sign_in = GitHubSignIn(setup, services)
        self._api = GitHubApi(setup, services, token)

    @property
    def _is_app(self) -> bool:
        return self._setup.sign_in is SignIn.GITHUB_APP

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
        """See VcsProvider. Only classic tokens and OAuth say their scopes; others show by doing."""
        if self._is_app:
            return await self._capabilities_of_app()
        reply = await self._api.get("/user")
        identity = str(reply.said.get("login") or "")
        scopes = {each.strip() for each in reply.headers.get("x-oauth-scopes", "").split(",")}
        scopes.discard("")
        if not scopes:
            return Capabilities(identity=identity, listing=True)
        lacking = {}
        if not scopes & _HOOKS:
            lacking["hooks"] = "Give the token the scope admin:repo_hook, or repo."
        if not scopes & _STATUSES:
            lacking["statuses"] = "Give the token the scope repo."
        if "repo" not in scopes:
            lacking["comments"] = "Give the token the scope repo."
        return Capabilities(
            identity=identity,
            listing=True,
            hooks="hooks" not in lacking,
            statuses="statuses" not in lacking,
            comments="comments" not in lacking,
            lacking=lacking,
        )

    async def _capabilities_of_app(self) -> Capabilities:
        found = await self._sign_in.installation()
        await self._api.get("/installation/repositories", {"per_page": 1})
        granted = found.permissions
        lacking = {
            ability: f"Give the app the repository permission {called}: read and write, and accept"
            f" it where the app is installed."
            for ability, (permission, called) in ABILITIES.items()
            if granted.get(permission) != "write"
        }
        return Capabilities(
            identity=found.account,
            listing=True,
            hooks="hooks" not in lacking,
            statuses="statuses" not in lacking,
            comments="comments" not in lacking,
            checks="checks" not in lacking,
            lacking=lacking,
            installation=found,
        )

    async def organizations(self, *, search: str = "", page: str = "") -> Listing[Named]:
        """See VcsProvider."""
        if self._is_app:
            names = [(await self._sign_in.installation()).account]
        else:
            me = (await self._api.get("/user")).said
            orgs = (await self._api.get("/user/orgs", {"per_page": PAGE})).said
            names = [str(each["login"]) for each in (me, *orgs)]
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
            self._api, organization, is_app=self._is_app, search=search, page=page
        )

    async def repository(self, reference: str) -> Repository:
        """See VcsProvider."""
        path = path_of(reference, web=self._web)
        return looking.repository_of((await self._api.get(path)).said)

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
        return await looking.find_ref(self._api, repository, "heads", name)

    async def tag(self, repository: Repository, name: str) -> Ref | None:
        """See VcsProvider."""
        return await looking.find_ref(self._api, repository, "tags", name)

    async def read_commit(self, repository: Repository, sha: str) -> Commit:
        """See VcsProvider."""
        return await looking.find_commit(self._api, repository, sha)

    async def pull_request(self, repository: Repository, number: int) -> PullRequest:
        """See VcsProvider."""
        path = looking.of(repository, "pulls", str(number))
        return pull_request_of((await self._api.get(path)).said)

    async def open_pull_requests(self, repository: Repository) -> Sequence[PullRequest]:
        """See VcsProvider."""
        found = await looking.list_pull_requests(self._api, repository)
        return [pull_request_of(each) for each in found]

    async def changed_paths(
        self, repository: Repository, before: str, after: str
    ) -> frozenset[str] | None:
        """See VcsProvider."""
        return await looking.compared_paths(self._api, repository, before, after)

    async def pull_request_paths(
        self, repository: Repository, number: int
    ) -> frozenset[str] | None:
        """See VcsProvider."""
        return await looking.pull_request_paths(self._api, repository, number)

    def check_group(self, group: str) -> str:
        """See VcsProvider."""
        return belonging.check_group(group)

    async def is_in_group(self, repository: Repository, person: Person, group: str) -> bool:
        """See VcsProvider."""
        return await belonging.is_in_group(self._api, repository, person, group)

    async def set_commit_status(self, repository: Repository, sha: str, status: Status) -> None:
        """See VcsProvider. Of an app that may, it is a check run, and then nothing else.

        Where both have one name, GitHub's rules for branches require both.
        """
        if self._is_app:
            try:
                await checks.set_check(self._api, repository, sha, status)
            except NotAllowedError:
                pass  # it was granted no checks; statuses need a permission of their own
            else:
                return
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
