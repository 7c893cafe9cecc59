"""GitLab, signed in as one connection."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlsplit

from landform.vcs.changes import Person, PullRequest
from landform.vcs.errors import NoSuchRepositoryError, NotAllowedError
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
from landform.vcs.providers.gitlab import belonging, hooks, looking, telling
from landform.vcs.providers.gitlab.api import GitLabApi, Query
from landform.vcs.providers.gitlab.deliveries import merge_request_of
from landform.vcs.providers.gitlab.sign_in import GitLabSignIn
from landform.vcs.providers.gitlab.urls import project_of, quoted, web_of

_GIT_USER: Final = "oauth2"
_MAINTAINER: Final = 40
_READS: Final = frozenset({"api", "read_api"})


class GitLab:
    """See VcsProvider."""

    def __init__(self, setup: Setup, services: Services, token: TokenSource) -> None:
        self._setup = setup
        self._token = token
        self._web = web_of(setup)
        self._sign_in = GitLabSignIn(setup, services)
        self._api = GitLabApi(setup, services, token)

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
        """See VcsProvider. Scopes can be asked for, the role only by what is listed with it."""
        scopes, ends_at = await self._scopes()
        if not scopes & _READS:
            raise NotAllowedError("The token has too few scopes: give it the scope api.")
        user = (await self._api.get("/user")).said
        lacking = {}
        if "api" not in scopes:
            wanted = "Give the token the scope api: read_api may only read."
            lacking = dict.fromkeys(("hooks", "statuses", "comments"), wanted)
        elif not await self._maintains_anything():
            lacking["hooks"] = (
                "Give this user, or the token, the role Maintainer in the projects or their group."
            )
        return Capabilities(
            identity=str(user.get("username") or ""),
            listing=True,
            hooks="hooks" not in lacking,
            statuses="statuses" not in lacking,
            comments="comments" not in lacking,
            lacking=lacking,
            ends_at=ends_at,
        )

    async def organizations(self, *, search: str = "", page: str = "") -> Listing[Named]:
        """See VcsProvider. Groups, and those within them."""
        return await looking.list_groups(self._api, search=search, page=page)

    async def projects(
        self, organization: str, *, search: str = "", page: str = ""
    ) -> Listing[Named]:
        """See VcsProvider. What GitLab calls a project is a repository."""
        return Listing(items=[])

    async def repositories(
        self, organization: str = "", project: str = "", *, search: str = "", page: str = ""
    ) -> Listing[Repository]:
        """See VcsProvider."""
        group = organization or self._setup.account
        return await looking.list_repositories(
            self._api, group, web=self._web, search=search, page=page
        )

    async def repository(self, reference: str) -> Repository:
        """See VcsProvider."""
        path = f"/projects/{quoted(project_of(reference, web=self._web))}"
        return looking.repository_of((await self._api.get(path)).said, web=self._web)

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
        return merge_request_of(await looking.merge_request(self._api, repository, number))

    async def open_pull_requests(self, repository: Repository) -> Sequence[PullRequest]:
        """See VcsProvider."""
        found = await looking.list_merge_requests(self._api, repository)
        return [merge_request_of(each) for each in found]

    async def changed_paths(
        self, repository: Repository, before: str, after: str
    ) -> frozenset[str] | None:
        """See VcsProvider."""
        return await looking.compared_paths(self._api, repository, before, after)

    async def pull_request_paths(
        self, repository: Repository, number: int
    ) -> frozenset[str] | None:
        """See VcsProvider."""
        return await looking.merge_request_paths(self._api, repository, number)

    def check_group(self, group: str) -> str:
        """See VcsProvider."""
        return belonging.check_group(group)

    async def is_in_group(self, repository: Repository, person: Person, group: str) -> bool:
        """See VcsProvider."""
        return await belonging.is_in_group(self._api, repository, person, group)

    async def set_commit_status(self, repository: Repository, sha: str, status: Status) -> None:
        """See VcsProvider."""
        await telling.set_commit_status(self._api, repository, sha, status)

    async def set_pull_request_status(
        self, repository: Repository, number: int, sha: str, status: Status
    ) -> None:
        """See VcsProvider."""
        await telling.set_merge_request_status(self._api, repository, number, sha, status)

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
        return await hooks.ensure_hooks(self._api, repository, url, secret)

    async def hooks(self, repository: Repository, *, url: str) -> Sequence[RemoteHook]:
        """See VcsProvider."""
        return await hooks.list_hooks(self._api, repository, url)

    async def delete_hooks(self, repository: Repository, *, url: str) -> None:
        """See VcsProvider."""
        await hooks.delete_hooks(self._api, repository, url)

    async def clone_credentials(self, repository: Repository) -> CloneCredentials:
        """See VcsProvider. The server is the scope: submodules are other projects of it."""
        token = await self._token()
        host = urlsplit(self._web).hostname or ""
        return CloneCredentials(
            url=repository.clone_url,
            scope=f"{self._web}/",
            username=_GIT_USER,
            password=token.value.strip(),
            rewrites={f"git@{host}:": f"{self._web}/", f"ssh://git@{host}/": f"{self._web}/"},
            expires_at=token.expires_at,
        )

    async def _scopes(self) -> tuple[frozenset[str], datetime | None]:
        """Return the scopes of the token, and when one that somebody made ends."""
        if self._setup.sign_in is SignIn.OAUTH:
            said = (await self._api.ask("GET", f"{self._web}/oauth/token/info")).said
            return frozenset(said.get("scope") or said.get("scopes") or ()), None
        try:
            said = (await self._api.get("/personal_access_tokens/self")).said
        except NoSuchRepositoryError:
            return _READS, None  # before GitLab 15.5
        return frozenset(said.get("scopes") or ()), _end_of(said)

    async def _maintains_anything(self) -> bool:
        query: Query = {"membership": "true", "min_access_level": _MAINTAINER, "per_page": 1}
        return bool((await self._api.get("/projects", query)).said)


def _end_of(said: Any) -> datetime | None:
    """Return when a token ends: at the beginning of its last day, by UTC."""
    day = said.get("expires_at")
    if not isinstance(day, str) or not day:
        return None
    try:
        found = datetime.fromisoformat(day)
    except ValueError:
        return None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found
