"""Azure DevOps, Services and Server."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from landform.kit.errors import LandformError
from landform.vcs.changes import Person, PullRequest
from landform.vcs.errors import NoSuchRepositoryError, NotAllowedError, ProviderRefusedError
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
from landform.vcs.kinds import Kind, SignIn
from landform.vcs.provider import Ask, Services, Setup, Token, TokenSource
from landform.vcs.providers.azure_devops import belonging, hooks, looking, telling
from landform.vcs.providers.azure_devops.api import AzureApi
from landform.vcs.providers.azure_devops.deliveries import pull_request_of
from landform.vcs.providers.azure_devops.sign_in import LEGACY_ENDPOINT, AzureSignIn
from landform.vcs.providers.azure_devops.urls import is_id, locate, quoted

_GIT_USER: Final = "landform"  # any will do, but none will not


class AzureDevOps:
    """See VcsProvider."""

    def __init__(self, setup: Setup, services: Services, token: TokenSource) -> None:
        self._setup = setup
        self._token = token
        self._sign_in = AzureSignIn(setup, services)
        self._api = AzureApi(setup, services, token)

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
        """See VcsProvider. Hooks depend on the project, so they are found out by making one."""
        if not self._setup.account:
            await self._token()
            return Capabilities(
                lacking={"listing": "Name the organization in the connection's account."}
            )
        try:
            said = (await self._api.get(["_apis", "connectionData"])).said
        except NoSuchRepositoryError:
            what = "organization" if self._setup.kind is Kind.AZURE_DEVOPS else "collection"
            raise ProviderRefusedError(
                f"Azure DevOps has no {what} {self._setup.account}. Check its name, and the address"
                " of Azure DevOps if one is given."
            ) from None
        user = said.get("authenticatedUser") or {}
        lacking: dict[str, str] = {}
        listing = True
        try:
            await looking.list_repositories(self._api, "", "", search="", page="")
        except NotAllowedError as refused:
            listing, lacking["listing"] = False, str(refused)
        comments = None
        if self._setup.sign_in is SignIn.OAUTH:
            comments = False
            lacking["comments"] = (
                "The scopes Code (read) and Code (status) do not allow comments on pull requests;"
                " plans are shown as statuses."
            )
        return Capabilities(
            identity=str(user.get("providerDisplayName") or user.get("id") or ""),
            listing=listing,
            statuses=True if self._setup.sign_in is SignIn.OAUTH else None,
            comments=comments,
            lacking=lacking,
        )

    async def organizations(self, *, search: str = "", page: str = "") -> Listing[Named]:
        """See VcsProvider. Only a person with scope `vso.profile` may ask; else it is `account`."""
        try:
            found = await self._accounts()
        except LandformError:
            if not self._setup.account:
                raise
            found = [Named(id=self._setup.account, name=self._setup.account)]
        return Listing(items=[each for each in found if search.lower() in each.name.lower()])

    async def projects(
        self, organization: str, *, search: str = "", page: str = ""
    ) -> Listing[Named]:
        """List the projects of the repositories we see, as the documented scopes allow no more."""
        found: dict[str, Named] = {}
        following = ""
        while True:
            listing = await looking.list_repositories(
                self._api, organization, "", search="", page=following
            )
            for each in listing.items:
                found[each.project_id] = Named(id=each.project_id, name=each.project_name)
            following = listing.following
            if not following:
                break
        wanted = [each for each in found.values() if search.lower() in each.name.lower()]
        return Listing(items=sorted(wanted, key=lambda each: each.name.lower()))

    async def repositories(
        self, organization: str = "", project: str = "", *, search: str = "", page: str = ""
    ) -> Listing[Repository]:
        """See VcsProvider."""
        return await looking.list_repositories(
            self._api, organization, project, search=search, page=page
        )

    async def repository(self, reference: str) -> Repository:
        """See VcsProvider."""
        at = locate(reference, api_url=self._api.base)
        if is_id(at.repository) or at.project:
            return await looking.find_repository(self._api, at)
        return await looking.find_repository(self._api, replace(at, project=at.repository))

    async def branches(
        self, repository: Repository, *, search: str = "", page: str = ""
    ) -> Listing[Ref]:
        """See VcsProvider."""
        return await looking.list_refs(self._api, repository, "heads", search=search, page=page)

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
        path = looking.of_repository(repository, "pullRequests", str(number))
        reply = await self._api.get(path, organization=repository.organization)
        return pull_request_of(reply.said)

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
        """See VcsProvider."""
        await telling.set_commit_status(self._api, repository, sha, status)

    async def set_pull_request_status(
        self, repository: Repository, number: int, sha: str, status: Status
    ) -> None:
        """See VcsProvider."""
        await telling.set_pull_request_status(self._api, repository, number, sha, status)

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
        return await telling.upsert_comment(
            self._api,
            repository,
            number,
            text,
            comment_id=comment_id,
            needs_attention=needs_attention,
        )

    async def ensure_hooks(
        self, repository: Repository, *, url: str, secret: str
    ) -> Sequence[RemoteHook]:
        """See VcsProvider."""
        return await hooks.ensure_hooks(self._api, repository, url=url, secret=secret)

    async def hooks(self, repository: Repository, *, url: str) -> Sequence[RemoteHook]:
        """See VcsProvider."""
        return await hooks.list_hooks(self._api, repository, url)

    async def delete_hooks(self, repository: Repository, *, url: str) -> None:
        """See VcsProvider."""
        await hooks.delete_hooks(self._api, repository, url)

    async def clone_credentials(self, repository: Repository) -> CloneCredentials:
        """See VcsProvider. The organization is the scope: submodules are other repositories."""
        token = await self._token()
        organization = quoted(repository.organization)
        scope = f"{self._api.base}/{organization}/"
        rewrites = {}
        if self._setup.kind is Kind.AZURE_DEVOPS:
            rewrites[f"git@ssh.dev.azure.com:v3/{organization}/"] = scope
        return CloneCredentials(
            url=repository.clone_url,
            scope=scope,
            username=_GIT_USER,
            password=token.value.strip(),
            rewrites=rewrites,
            expires_at=token.expires_at,
        )

    async def _accounts(self) -> list[Named]:
        setup = self._setup
        if setup.kind is Kind.AZURE_DEVOPS_SERVER:
            said = await self._api.call("GET", f"{self._api.base}/_apis/projectCollections")
            return [Named(id=each["name"], name=each["name"]) for each in said.said["value"]]
        legacy = setup.endpoint if setup.sign_in is SignIn.OAUTH else ""
        base = (legacy or LEGACY_ENDPOINT).rstrip("/")
        me = (await self._api.call("GET", f"{base}/_apis/profile/profiles/me")).said
        query: dict[str, Any] = {"memberId": me["id"]}
        reply = await self._api.call("GET", f"{base}/_apis/accounts", query)
        names = [str(each["accountName"]) for each in reply.said["value"]]
        return [Named(id=each, name=each) for each in sorted(names, key=str.lower)]
