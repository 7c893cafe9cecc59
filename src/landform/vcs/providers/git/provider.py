"""A server that speaks nothing but git, signed in as one connection.

What git cannot tell is not there: lists of repositories, pull requests, webhooks, statuses. So
repositories are named by their path or address, and looked at from time to time.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import ClassVar, Final, TypeVar
from urllib.parse import urlsplit

from landform.kit.errors import ConflictError
from landform.vcs.changes import PullRequest
from landform.vcs.errors import (
    NoSuchRepositoryError,
    NotAllowedError,
    SignInNeededError,
)
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
from landform.vcs.git import listing
from landform.vcs.git.listing import Remote
from landform.vcs.git.program import GitFailedError
from landform.vcs.group_names import NoGroups
from landform.vcs.kinds import SignIn
from landform.vcs.provider import Ask, Services, Setup, Token, TokenSource
from landform.vcs.providers.git.urls import DEFAULT_USER, address_of, read_reference

T = TypeVar("T")
_PAGE: Final = 1000
_NOBODY: Final = "landform-connection-test"  # a repository that no server has
# What ssh says of itself; all else that fails was said by a server that let us in.
_NOT_LET_IN: Final = (
    *("ssh: ", "Connection closed", "Connection reset", "Connection timed out"),
    *("kex_exchange_identification", "banner exchange", "Too many authentication failures"),
)
_NONE: Final = "A plain git server has none."


class Git(NoGroups):
    """See VcsProvider."""

    provider: ClassVar = "A git server"

    def __init__(self, setup: Setup, services: Services, token: TokenSource) -> None:
        self._setup = setup
        self._allow = services.http.allow
        self._token = token

    @property
    def _is_ssh(self) -> bool:
        return self._setup.sign_in is SignIn.SSH_KEY

    def authorize_url(self, ask: Ask) -> str:
        """See VcsProvider."""
        raise ConflictError("This connection signs in by itself; there is nobody to ask.")

    async def exchange(self, code: str, *, verifier: str = "") -> Token:
        """See VcsProvider."""
        raise ConflictError("This connection signs in by itself; there is no code to trade.")

    async def renew(self, refresh_token: str) -> Token:
        """See VcsProvider."""
        raise SignInNeededError("There is nothing to renew: give the connection a new secret.")

    async def capabilities(self) -> Capabilities:
        """See VcsProvider. Asks for a repository that is not there: who may is let in first."""
        try:
            await self._ask(_NOBODY, listing.default_branch)
        except (NoSuchRepositoryError, NotAllowedError):
            pass  # the server knows us, and says so
        except GitFailedError as failure:
            if not self._is_ssh or any(words in str(failure) for words in _NOT_LET_IN):
                raise
        host = urlsplit(self._setup.endpoint).hostname or ""
        return Capabilities(
            identity=f"{self._setup.username or DEFAULT_USER}@{host}",
            listing=False,
            hooks=False,
            statuses=False,
            comments=False,
            lacking={
                "listing": "Name repositories by their path on the server, or their address.",
                "hooks": f"{_NONE} Repositories are looked at from time to time.",
            },
        )

    async def organizations(self, *, search: str = "", page: str = "") -> Listing[Named]:
        """See VcsProvider. Git lists none."""
        return Listing(items=[])

    async def projects(
        self, organization: str, *, search: str = "", page: str = ""
    ) -> Listing[Named]:
        """See VcsProvider. Git lists none."""
        return Listing(items=[])

    async def repositories(
        self, organization: str = "", project: str = "", *, search: str = "", page: str = ""
    ) -> Listing[Repository]:
        """See VcsProvider. Git lists none; but the one whose path is searched for is found."""
        if not search.strip():
            return Listing(items=[])
        try:
            return Listing(items=[await self.repository(search)])
        except NoSuchRepositoryError:
            return Listing(items=[])

    async def repository(self, reference: str) -> Repository:
        """See VcsProvider."""
        wanted = read_reference(reference, self._setup)
        try:
            return await self._found(wanted.path)
        except NoSuchRepositoryError:
            if not wanted.is_home:
                raise
        return await self._found(f"~/{wanted.path}")

    async def _found(self, path: str) -> Repository:
        branch = await self._ask(path, listing.default_branch)
        url = address_of(path, self._setup.endpoint, self._setup.username)
        return Repository(
            id=path,
            name=path.rpartition("/")[2].removesuffix(".git"),
            identifier=path,
            clone_url=url,
            ssh_url=url if self._is_ssh else "",
            web_url="" if self._is_ssh else url,
            default_branch=branch,
        )

    async def branches(
        self, repository: Repository, *, search: str = "", page: str = ""
    ) -> Listing[Ref]:
        """See VcsProvider."""
        return await self._refs(repository, "refs/heads/", search, page)

    async def tags(
        self, repository: Repository, *, search: str = "", page: str = ""
    ) -> Listing[Ref]:
        """See VcsProvider."""
        return await self._refs(repository, "refs/tags/", search, page)

    async def _refs(
        self, repository: Repository, prefix: str, search: str, page: str
    ) -> Listing[Ref]:
        found = await self._ask(repository.id, lambda remote: listing.refs(remote, prefix))
        wanted = [each for each in found if search.lower() in each.name.lower()]
        start = int(page) if page.isdecimal() else 0
        following = str(start + _PAGE) if start + _PAGE < len(wanted) else ""
        return Listing(items=wanted[start : start + _PAGE], following=following)

    async def branch(self, repository: Repository, name: str) -> Ref | None:
        """See VcsProvider."""
        return await self._ref(repository, "refs/heads/", name)

    async def tag(self, repository: Repository, name: str) -> Ref | None:
        """See VcsProvider."""
        return await self._ref(repository, "refs/tags/", name)

    async def _ref(self, repository: Repository, prefix: str, name: str) -> Ref | None:
        found = await self._ask(repository.id, lambda remote: listing.refs(remote, prefix, name))
        return found[0] if found else None

    async def read_commit(self, repository: Repository, sha: str) -> Commit:
        """See VcsProvider. Only a whole id can be asked for."""
        return await self._ask(repository.id, lambda remote: listing.read_commit(remote, sha))

    async def pull_request(self, repository: Repository, number: int) -> PullRequest:
        """See VcsProvider."""
        raise NoSuchRepositoryError(f"{_NONE} There is no pull request {number}.")

    async def open_pull_requests(self, repository: Repository) -> Sequence[PullRequest]:
        """See VcsProvider."""
        return []

    async def changed_paths(
        self, repository: Repository, before: str, after: str
    ) -> frozenset[str] | None:
        """See VcsProvider. Git itself is asked by whoever may keep what it fetches."""
        return None

    async def pull_request_paths(
        self, repository: Repository, number: int
    ) -> frozenset[str] | None:
        """See VcsProvider."""
        return None

    async def set_commit_status(self, repository: Repository, sha: str, status: Status) -> None:
        """See VcsProvider. There is nowhere to show one."""

    async def set_pull_request_status(
        self, repository: Repository, number: int, sha: str, status: Status
    ) -> None:
        """See VcsProvider. There is nowhere to show one."""

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
        raise NoSuchRepositoryError(f"{_NONE} There is no pull request {number}.")

    async def ensure_hooks(
        self, repository: Repository, *, url: str, secret: str
    ) -> Sequence[RemoteHook]:
        """See VcsProvider."""
        raise NotAllowedError(f"{_NONE} There are no webhooks; the repository is looked at.")

    async def hooks(self, repository: Repository, *, url: str) -> Sequence[RemoteHook]:
        """See VcsProvider."""
        return []

    async def delete_hooks(self, repository: Repository, *, url: str) -> None:
        """See VcsProvider."""

    async def clone_credentials(self, repository: Repository) -> CloneCredentials:
        """See VcsProvider."""
        return await self._credentials(repository.id)

    async def _credentials(self, path: str) -> CloneCredentials:
        token = await self._token()
        url = address_of(path, self._setup.endpoint, self._setup.username)
        if self._is_ssh:
            return CloneCredentials(
                url=url,
                ssh_key=token.value,
                known_hosts=self._setup.known_hosts,
            )
        return CloneCredentials(
            url=url,
            scope=f"{self._setup.endpoint}/",
            username=self._setup.username,
            password=token.value.strip(),
        )

    async def _ask(self, path: str, question: Callable[[Remote], Awaitable[T]]) -> T:
        credentials = await self._credentials(path)
        try:
            return await question(Remote(credentials, self._allow))
        except SignInNeededError:
            # Raises what to do, which the connection says from now on.
            await self._token(refused=credentials.password or credentials.ssh_key)
            raise
