"""What every VCS provider can do. One module each in `providers/`; KINDS there lists them.

A provider object is made for one connection and one piece of work (`connections.open_provider`)
and keeps nothing but its HTTP client. It talks to the network: never call it inside a
transaction. Every method that does raises, beside what it says itself:

- SignInNeededError: the credentials no longer hold; only a person can get new ones.
- NotAllowedError: the connection's identity lacks a permission; the text names it.
- NoSuchRepositoryError: it is not there, or may not be seen: providers answer alike.
- ProviderRefusedError: the provider finds the request, or the connection's settings, wrong.
- ProviderAwayError: no answer, throttled, or not understood; may be tried again.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol, TypeAlias

from landform.kit.egress import Outbound
from landform.vcs.changes import Delivery, Person, PullRequest
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


@dataclass(frozen=True, kw_only=True)
class Setup:
    """What a provider needs to know of its connection, in clear.

    Attributes:
        endpoint: web and token base; empty: the provider's public one.
        api_url: REST base; empty: the provider's public one, or derived from `endpoint`.
        account: organization, collection, group or workspace at the provider, where one is
            needed to list anything.
        tenant: the Entra tenant, for Azure.
        installation_id: where an app is installed, once that is known; else it is looked for.
        app_id: of an app that was registered from here; it signs as that instead of `client_id`.
        callback_url: where a person is sent back to, exactly as registered.
        client_secret: of the application; the token or password of ways that have just one.
        private_key: PEM: of an app, a certificate or SSH.
        certificate: PEM, beside a private key.
        username: for git over HTTPS with a password, and for SSH.
        known_hosts: lines of a known_hosts file that pin an SSH server's keys.
    """

    connection_id: str
    organization_id: str
    kind: Kind
    sign_in: SignIn
    endpoint: str = ""
    api_url: str = ""
    account: str = ""
    tenant: str = ""
    client_id: str = ""
    callback_url: str = ""
    username: str = ""
    known_hosts: str = ""
    installation_id: str = ""
    app_id: str = ""
    certificate: str = field(default="", repr=False)
    client_secret: str = field(default="", repr=False)
    private_key: str = field(default="", repr=False)


@dataclass(frozen=True, kw_only=True)
class Token:
    """What a provider gave us to show it.

    Attributes:
        expires_at: None when it does not expire, or nobody can know.
        refresh_token: replaces the one before it, which may be dead from now on; empty when the
            grant has none.
        scopes: as the provider says they were granted; empty when it does not say.
    """

    value: str = field(repr=False)
    expires_at: datetime | None = None
    refresh_token: str = field(default="", repr=False)
    scopes: tuple[str, ...] = ()


class TokenSource(Protocol):
    """Gives the connection's token, fetched or refreshed when it must be."""

    async def __call__(self, *, refused: str = "") -> Token:
        """Return a token to show now.

        Args:
            refused: the one the provider did not accept: give another.

        Raises:
            SignInNeededError: there is no other to be had.
        """
        ...


Assertions: TypeAlias = Callable[[str, str], Awaitable[str]]


@dataclass(frozen=True, kw_only=True)
class Services:
    """What a provider may use of its process.

    Attributes:
        http: the way out to what users name.
        imds: the way out to `imds_url` alone, which only the operator names.
        entra_url: where Microsoft Entra is, `https://login.microsoftonline.com`.
        imds_url: where a managed identity's tokens are, `http://169.254.169.254`.
        assertion: signs as our own issuer, given subject and audience.
    """

    http: Outbound
    imds: Outbound
    entra_url: str
    imds_url: str
    assertion: Assertions


@dataclass(frozen=True, kw_only=True)
class Ask:
    """What a person is sent to the provider with.

    Attributes:
        state: comes back with them; empty for the URL people paste from documentation.
        challenge: of PKCE (S256), for providers that know it.
    """

    state: str = ""
    challenge: str = ""


class VcsProvider(Protocol):
    """One kind of host, signed in as one connection."""

    # ── signing in ──────────────────────────────────────────────────────────────────────────────

    def authorize_url(self, ask: Ask) -> str:
        """Return where a person grants us access.

        Raises:
            ConflictError: this connection's way to sign in needs nobody.
        """
        ...

    async def exchange(self, code: str, *, verifier: str = "") -> Token:
        """Trade the code a person came back with; `verifier` is of PKCE."""
        ...

    async def renew(self, refresh_token: str) -> Token:
        """Get a new token by whatever way needs nobody; `refresh_token` may be empty."""
        ...

    async def capabilities(self) -> Capabilities:
        """Ask the provider who we are and what we may do."""
        ...

    # ── looking ─────────────────────────────────────────────────────────────────────────────────

    async def organizations(self, *, search: str = "", page: str = "") -> Listing[Named]:
        """List what `Setup.account` can be."""
        ...

    async def projects(
        self, organization: str, *, search: str = "", page: str = ""
    ) -> Listing[Named]:
        """List the groups of repositories in an organization; empty where there is no such."""
        ...

    async def repositories(
        self, organization: str = "", project: str = "", *, search: str = "", page: str = ""
    ) -> Listing[Repository]:
        """List the repositories we may see."""
        ...

    async def repository(self, reference: str) -> Repository:
        """Find a repository by its id, its identifier or any form of its URL.

        Raises:
            InvalidError: `reference` is of none of these forms, or of another host.
        """
        ...

    async def branches(
        self, repository: Repository, *, search: str = "", page: str = ""
    ) -> Listing[Ref]:
        """List branches, by name."""
        ...

    async def tags(
        self, repository: Repository, *, search: str = "", page: str = ""
    ) -> Listing[Ref]:
        """List tags, by name; an annotated one with the commit it is on."""
        ...

    async def branch(self, repository: Repository, name: str) -> Ref | None:
        """Return the branch of exactly this name."""
        ...

    async def tag(self, repository: Repository, name: str) -> Ref | None:
        """Return the tag of exactly this name, peeled to its commit."""
        ...

    async def read_commit(self, repository: Repository, sha: str) -> Commit:
        """Return a commit by its whole or abbreviated id."""
        ...

    async def pull_request(self, repository: Repository, number: int) -> PullRequest:
        """Return a pull request as it now is; its `action` is by its status."""
        ...

    async def open_pull_requests(self, repository: Repository) -> Sequence[PullRequest]:
        """Return all open pull requests: for polling."""
        ...

    async def changed_paths(
        self, repository: Repository, before: str, after: str
    ) -> frozenset[str] | None:
        """Return every path that differs, both names of a moved one; None: more than it can tell.

        Paths have no leading slash and are of files, not directories.
        """
        ...

    async def pull_request_paths(
        self, repository: Repository, number: int
    ) -> frozenset[str] | None:
        """Return every path a pull request changes against where it left its target."""
        ...

    # ── people ──────────────────────────────────────────────────────────────────────────────────

    def check_group(self, group: str) -> str:
        """Return a group of the provider as it is kept, such as `permission:write`.

        Raises:
            InvalidError: it is of no form that is known, or this provider cannot be asked.
        """
        ...

    async def is_in_group(self, repository: Repository, person: Person, group: str) -> bool:
        """Ask whether a person is in a group at this moment.

        Args:
            group: as `check_group` returned it.
        """
        ...

    # ── telling ─────────────────────────────────────────────────────────────────────────────────

    async def set_commit_status(self, repository: Repository, sha: str, status: Status) -> None:
        """Show a status on a commit."""
        ...

    async def set_pull_request_status(
        self, repository: Repository, number: int, sha: str, status: Status
    ) -> None:
        """Show a status on a pull request at `sha`, where it has its own beside the commit's."""
        ...

    async def upsert_comment(
        self,
        repository: Repository,
        number: int,
        text: str,
        *,
        comment_id: str = "",
        needs_attention: bool = False,
    ) -> str:
        """Write a comment under a pull request, or change ours; return its id for the next time.

        One that is gone is written anew.

        Args:
            comment_id: what an earlier call returned.
            needs_attention: keep it open where comments can be resolved.
        """
        ...

    # ── hooks ───────────────────────────────────────────────────────────────────────────────────

    async def ensure_hooks(
        self, repository: Repository, *, url: str, secret: str
    ) -> Sequence[RemoteHook]:
        """Have exactly one working hook per event on `url`, with this secret; return them.

        Makes what lacks, changes what differs, switches on what is off, and removes doubles.

        Raises:
            NotAllowedError: the identity may not manage hooks; the text says how to allow it.
        """
        ...

    async def hooks(self, repository: Repository, *, url: str) -> Sequence[RemoteHook]:
        """Return the hooks at the provider that call `url`."""
        ...

    async def delete_hooks(self, repository: Repository, *, url: str) -> None:
        """Remove the hooks that call `url`; those already gone count as removed."""
        ...

    # ── git ─────────────────────────────────────────────────────────────────────────────────────

    async def clone_credentials(self, repository: Repository) -> CloneCredentials:
        """Return how git may fetch it now; ask again for each fetch."""
        ...


class DeliveryReader(Protocol):
    """How a kind of provider proves and words its deliveries; needs no connection."""

    KEPT_HEADERS: frozenset[str]  # lower case; only these are stored

    def verify(self, headers: Mapping[str, str], body: bytes, secrets: Sequence[str]) -> bool:
        """Tell, in constant time and before anything is parsed, if a delivery knows a secret."""
        ...

    def delivery_id(self, headers: Mapping[str, str], body: bytes) -> str:
        """Return what a repeated delivery has the same of; empty when there is no such thing.

        Raises:
            MalformedError: the body is not what this provider sends.
        """
        ...

    def read(self, headers: Mapping[str, str], body: bytes) -> Delivery:
        """Return what it says.

        Raises:
            MalformedError: the body is not what this provider sends.
        """
        ...


__all__ = [
    "Ask",
    "Assertions",
    "Capabilities",
    "CloneCredentials",
    "Commit",
    "DeliveryReader",
    "Listing",
    "Named",
    "Ref",
    "RemoteHook",
    "Repository",
    "Services",
    "Setup",
    "Status",
    "Token",
    "TokenSource",
    "VcsProvider",
]
