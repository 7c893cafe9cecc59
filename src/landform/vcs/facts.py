"""What is said to and by a provider about its repositories. Imports nothing of ours."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Listing(Generic[T]):
    """One page of what a provider lists.

    Attributes:
        following: give it back to get the next page; empty: this is the last.
    """

    items: Sequence[T]
    following: str = ""


@dataclass(frozen=True, kw_only=True)
class Named:
    """An organization or project of a provider; `id` is what the provider's API takes."""

    id: str
    name: str


@dataclass(frozen=True, kw_only=True)
class Repository:
    """A repository.

    Attributes:
        id: the provider's, the only identity it has here: names and URLs change.
        identifier: what people and TFE call it: `acme/infra`, `acme/Cloud Team/_git/infra`.
        default_branch: without `refs/heads/`; empty when the repository is.
        clone_url: HTTPS, without a user in it; SSH where that is the only way in.
        is_disabled: the provider refuses to serve it.
    """

    id: str
    name: str
    identifier: str
    clone_url: str
    ssh_url: str = ""
    web_url: str = ""
    default_branch: str = ""
    organization: str = ""
    project_id: str = ""
    project_name: str = ""
    is_private: bool = True
    is_disabled: bool = False


@dataclass(frozen=True, kw_only=True)
class Ref:
    """A branch or a tag, without `refs/heads/` or `refs/tags/`, and the commit it is at."""

    name: str
    commit: str


@dataclass(frozen=True, kw_only=True)
class Commit:
    """A commit, for people."""

    sha: str
    message: str = ""
    author_name: str = ""
    author_email: str = ""
    url: str = ""
    authored_at: datetime | None = None


class State(StrEnum):
    """The state of a status; each provider has its own words for them."""

    PENDING = "pending"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    ERRORED = "errored"
    CANCELED = "canceled"
    NOT_APPLICABLE = "not-applicable"


@dataclass(frozen=True, kw_only=True)
class Status:
    """What is shown beside a commit or a pull request; the newest of a context counts.

    Attributes:
        genre: the first half of its name where the provider has two: `Landform`.
        name: tells the statuses of one commit apart: `acme/network`. Policies require it by
            genre and name, so neither may change.
        description: one line; cut to what the provider takes.
        url: where its link leads.
        key: of what it tells, such as a run; where a provider keeps a thing for each status, the
            same key is the same thing.
        details: returns Markdown, for providers that show some; asked for only by those.
    """

    state: State
    name: str
    description: str
    url: str
    genre: str = "Landform"
    key: str = ""
    details: Callable[[], Awaitable[str]] | None = None


@dataclass(frozen=True, kw_only=True)
class Installation:
    """Where an app is installed, and what it was granted there.

    Attributes:
        account_type: `User`, `Organization` or `Enterprise`.
        url: its settings, for people.
        permissions: by the provider's names: `{"statuses": "write"}`.
    """

    id: int
    account: str
    account_type: str = ""
    icon_url: str = ""
    url: str = ""
    is_suspended: bool = False
    permissions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Capabilities:
    """What the connection may do, found by asking. None: cannot be known without doing it.

    Attributes:
        identity: who we are to the provider.
        checks: statuses have pages of their own; None too where the provider has no such thing.
        lacking: for each thing it may not do, what an administrator must do about it.
        ends_at: when what was given to the connection ends, as the provider says.
        installation: of the app that the connection is, for providers that have such.
    """

    identity: str = ""
    listing: bool | None = None
    hooks: bool | None = None
    statuses: bool | None = None
    comments: bool | None = None
    checks: bool | None = None
    lacking: Mapping[str, str] = field(default_factory=dict)
    ends_at: datetime | None = None
    installation: Installation | None = None


@dataclass(frozen=True, kw_only=True)
class RemoteHook:
    """One hook (or subscription) at the provider; a repository may need several for its events.

    Attributes:
        is_enabled: False when the provider or somebody has switched it off.
        detail: in the provider's words, why it is off or on probation.
    """

    id: str
    event: str = ""
    url: str = ""
    is_enabled: bool = True
    detail: str = ""


@dataclass(frozen=True, kw_only=True)
class CloneCredentials:
    """How git may fetch a repository. Never put these in an argument, a URL or a config file.

    Attributes:
        url: to clone, without a user.
        scope: only addresses that begin with this may be sent the password.
        ssh_key: PEM; when there is one, the URL is SSH and `known_hosts` are the only keys
            to trust.
        rewrites: addresses of the same provider by what should be fetched instead, for
            submodules: `git@ssh.dev.azure.com:v3/acme/` → `https://dev.azure.com/acme/`.
        expires_at: after this, ask again; a long fetch with submodules may outlive it.
    """

    url: str
    scope: str = ""
    username: str = ""
    password: str = field(default="", repr=False)
    ssh_key: str = field(default="", repr=False)
    known_hosts: str = ""
    rewrites: Mapping[str, str] = field(default_factory=dict)
    expires_at: datetime | None = None
