"""What the contract suite needs of a provider, in words that all providers share.

A `Host` is a provider's stand-in with one private repository in it, `people` who work there, and a
place where its hooks are delivered. A new provider is a subclass here, and a line in `HOSTS`.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final
from urllib.parse import parse_qs, urlsplit

import httpx2

from landform.identity.actor import Actor
from landform.kit.db import transaction
from landform.vcs import callback, connections
from landform.vcs.callback import Return
from landform.vcs.credentials import open_provider
from landform.vcs.facts import Repository, State
from landform.vcs.kinds import Kind, SignIn
from landform.vcs.models import Connection
from landform.vcs.provider import VcsProvider
from landform.vcs.reach import Reach
from landform.vcs.settings import ConnectionSettings
from tests.standins.repositories import GitRepository
from tests.standins.serving import Answer, Request, Server

BASE: Final = "https://landform.test"
FIRST: Final = "# first\n"
Files = Mapping[str, str | bytes | None]


@dataclass(frozen=True)
class Ours:
    """What is ours: an organization, and somebody who may do everything in it."""

    reach: Reach
    organization_id: str
    owner: Actor


class Host(ABC):
    """One provider.

    Attributes:
        kind: of provider, as connections have it.
        words: the provider's own for the states of a status.
        hook_count: how many hooks it takes to be told of everything.
        hook_advice: a part of what is said to whoever may not make hooks.
        tells_paths_of_pushes: names every file of a push however many there are; others say
            that they cannot tell.
        compares: names the paths two commits differ in at all; git is asked where it does not.
        tells_where_deleted_branches_were: says of one that was deleted at what commit it was.
        most_paths_of_pulls: files of a pull request that it names at most, and else says that it
            cannot tell; 0: all there are.
        tells_tag_objects: a delivery says what a tag points to; else the commit it is on.
        signs_in_people: a person can be sent there to sign in.
        status_path: a part of where statuses are set, as a regular expression.
        tells_reopening: a delivery says when one is opened again.
        reopens: a closed pull request can be opened again.
        delivered_id_length: characters of a pull request's commit in a delivery.
        page_of_pulls: how many pull requests a page has at most.
        group: one of the provider's, that `let_in` and `let_out` are about; empty where it cannot
            be asked who is in one.
        no_groups: what looks like a group, and is none.
        busy: what it answers when it is asked too often, without the time to wait.
        first: the commit of `main.tf` that is there from the beginning.
        received: what hooks delivered so far.
    """

    kind: ClassVar[Kind]
    words: ClassVar[Mapping[State, str]]
    hook_count: ClassVar[int] = 1
    hook_advice: ClassVar[str]
    tells_paths_of_pushes: ClassVar[bool] = False
    compares: ClassVar[bool] = True
    tells_where_deleted_branches_were: ClassVar[bool] = True
    most_paths_of_pulls: ClassVar[int] = 0
    tells_tag_objects: ClassVar[bool] = True
    signs_in_people: ClassVar[bool] = True
    status_path: ClassVar[str] = "statuses"
    tells_reopening: ClassVar[bool] = True
    reopens: ClassVar[bool] = True
    delivered_id_length: ClassVar[int] = 40
    page_of_pulls: ClassVar[int] = 100
    group: ClassVar[str] = ""
    no_groups: ClassVar[Sequence[str]] = ("write", "permission:write", "team:acme/ops", "")
    busy: ClassVar[Answer]

    def __init__(self, directory: Path, ours: Ours) -> None:
        self.ours = ours
        self.received: list[Request] = []
        self._inbox = Server(self._keep)
        self.open(directory)
        self.first = self.push({"main.tf": FIRST}, message="Begin")

    # ── ours ────────────────────────────────────────────────────────────────────────────────────

    async def connect(self, sign_in: SignIn = SignIn.TOKEN, **settings: Any) -> Connection:
        """Make a connection, by a token that may do everything unless another is given."""
        given = {"name": "host", **self.settings(sign_in), **settings}
        if sign_in is SignIn.TOKEN:
            given.setdefault("client_secret", self.token())
        async with transaction(self.ours.reach.sessions) as session:
            return await connections.create_connection(
                session,
                self.ours.reach.keyring,
                self.ours.owner,
                self.ours.organization_id,
                ConnectionSettings(**given),
                kind=self.kind,
                sign_in=sign_in,
                base=BASE,
            )

    async def connect_for_people(self) -> Connection:
        """Make a connection that somebody has to sign in for, with its application registered."""
        registered = self.application(f"{BASE}/callback/v1/vcs/contract")
        return await self.connect(SignIn.OAUTH, callback="contract", **registered)

    async def walk(self, row: Connection) -> Return:
        """Send somebody to the provider, who agrees or not, and return what they come back with."""
        async with transaction(self.ours.reach.sessions) as session:
            found = await session.get_one(Connection, row.id)
            way = await callback.begin(session, self.ours.reach, self.ours.owner, found, base=BASE)
        answer = httpx2.get(way.url, trust_env=False)
        assert answer.status_code == 302, answer.text
        address = urlsplit(answer.headers["location"])
        assert f"{address.scheme}://{address.netloc}{address.path}" == way.callback_url
        sent = {name: values[0] for name, values in parse_qs(address.query).items()}
        return Return(
            name="contract",
            code=sent.get("code", ""),
            state=sent.get("state", ""),
            error=sent.get("error", ""),
            description=sent.get("error_description", ""),
        )

    async def come_back(self, back: Return) -> None:
        await callback.finish(self.ours.reach, self.ours.owner, back)

    async def row(self, row: Connection) -> Connection:
        """Return the connection as it is now."""
        async with transaction(self.ours.reach.sessions) as session:
            return await session.get_one(Connection, row.id)

    async def provider(self, row: Connection | None = None, **settings: Any) -> VcsProvider:
        made = row or await self.connect(**settings)
        return await open_provider(self.ours.reach, made.id)

    async def opened(self) -> tuple[VcsProvider, Repository]:
        """Connect, and find the repository."""
        provider = await self.provider()
        return provider, await provider.repository(self.repository_id)

    def inbox(self, hook_id: str) -> str:
        """Return where a hook of this id delivers to."""
        return f"{self._inbox.url}/hooks/vcs/{hook_id}"

    def delivered(self) -> list[Request]:
        """Return what was delivered since the last time."""
        self.settle()
        found, self.received[:] = list(self.received), []
        return found

    def close(self) -> None:
        self.settle()
        self._inbox.close()
        self.shut()

    def _keep(self, request: Request) -> Answer:
        self.received.append(request)
        return Answer(202)

    # ── the service ─────────────────────────────────────────────────────────────────────────────

    @abstractmethod
    def open(self, directory: Path) -> None:
        """Start the stand-in, and make the repository."""

    @abstractmethod
    def shut(self) -> None:
        """Stop it."""

    @abstractmethod
    def settle(self) -> None:
        """Wait until everything under way is delivered."""

    @property
    @abstractmethod
    def api(self) -> Server:
        """Where the API is served, to plan faults."""

    @abstractmethod
    def settings(self, sign_in: SignIn) -> dict[str, Any]:
        """Return what a connection needs to find the stand-in."""

    @abstractmethod
    def application(self, redirect_uri: str) -> dict[str, Any]:
        """Register an application; return what a connection needs of it."""

    @abstractmethod
    def decline(self) -> None:
        """Let whoever comes to sign in not agree, from now on."""

    @abstractmethod
    def token(self, *, hooks: bool = True) -> str:
        """Return a token of `person` that may do everything; or not manage hooks."""

    @abstractmethod
    def end_tokens(self) -> None:
        """Let no token that was given be taken any more, nor be refreshed."""

    def let_in(self) -> None:
        """Put the person into the group; only where there is one."""
        raise NotImplementedError

    def let_out(self) -> None:
        """Take them out of it."""
        raise NotImplementedError

    # ── the repository ──────────────────────────────────────────────────────────────────────────

    @property
    @abstractmethod
    def git(self) -> GitRepository: ...

    @property
    @abstractmethod
    def person(self) -> tuple[str, str]:
        """Return the id and the name, or login, of who does everything."""

    @property
    @abstractmethod
    def repository_id(self) -> str: ...

    @property
    @abstractmethod
    def forms(self) -> Sequence[str]:
        """Return every way in which people write the repository."""

    @property
    @abstractmethod
    def others(self) -> Sequence[str]:
        """Return what looks like a repository, and is none of this place."""

    @property
    @abstractmethod
    def missing(self) -> str:
        """Return the name of a repository that there could be and is not."""

    @abstractmethod
    def add_repositories(self, names: Sequence[str]) -> None: ...

    @abstractmethod
    def push(self, files: Files, *, branch: str = "main", message: str = "Change") -> str:
        """Commit, push and tell."""

    @abstractmethod
    def delete_branch(self, branch: str) -> None: ...

    @abstractmethod
    def tag(self, name: str, target: str, *, message: str = "") -> str:
        """Push a tag, annotated if there is a message; return what it points to."""

    # ── pull requests ───────────────────────────────────────────────────────────────────────────

    @abstractmethod
    def open_pull(self, branch: str, *, title: str = "Change", draft: bool = False) -> int: ...

    def open_pulls(self, branch: str, count: int) -> set[int]:
        """Ask as often for the same branch to be merged; return the numbers."""
        return {self.open_pull(branch) for _ in range(count)}

    @abstractmethod
    def open_fork(self, files: Files) -> int:
        """Ask for a branch of another repository to be merged."""

    @abstractmethod
    def retitle(self, number: int, title: str) -> None: ...

    @abstractmethod
    def close_pull(self, number: int) -> None: ...

    @abstractmethod
    def reopen_pull(self, number: int) -> None: ...

    @abstractmethod
    def merge_pull(self, number: int) -> str:
        """Merge, and return what the target is at then."""

    @abstractmethod
    def comment(self, number: int, text: str) -> None: ...

    def edit_by_another(self, number: int, text: str) -> bool:
        """Change that comment as somebody else; False where the service lets nobody do that."""
        return False

    # ── what was told ───────────────────────────────────────────────────────────────────────────

    @abstractmethod
    def statuses(self, sha: str) -> Sequence[tuple[str, str]]:
        """Return the state and the name of every status a commit was given, oldest first."""

    @abstractmethod
    def comments(self, number: int) -> Sequence[str]: ...

    @abstractmethod
    def drop_comments(self, number: int) -> None:
        """Delete them, as people can."""

    @abstractmethod
    def hooks(self) -> Sequence[str]:
        """Return the ids of the hooks there are."""

    @abstractmethod
    def switch_off(self, hook_id: str) -> None: ...

    @abstractmethod
    def remove_hook(self, hook_id: str) -> None: ...
