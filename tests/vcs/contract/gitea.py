"""Gitea, and Forgejo."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from landform.vcs.facts import State
from landform.vcs.kinds import Kind, SignIn
from tests.standins.gitea import Gitea
from tests.standins.repositories import GitRepository
from tests.standins.serving import Answer, Server
from tests.vcs.contract.host import Files, Host


class GiteaHost(Host):
    """See Host."""

    kind: ClassVar = Kind.GITEA
    words: ClassVar[Mapping[State, str]] = {
        State.PENDING: "pending",
        State.RUNNING: "pending",
        State.SUCCEEDED: "success",
        State.FAILED: "failure",
        State.ERRORED: "error",
        State.CANCELED: "error",
        State.NOT_APPLICABLE: "success",
    }
    hook_advice: ClassVar = "administrator of the repository"
    compares: ClassVar = False
    page_of_pulls: ClassVar = 50
    tells_where_deleted_branches_were: ClassVar = False
    busy: ClassVar = Answer(429, b'{"message": "Too many requests"}')

    def open(self, directory: Path) -> None:
        self.forge = Gitea(directory)
        self.ann = self.forge.account("ann")
        self.repo = self.forge.repository("acme", "infra")

    def shut(self) -> None:
        self.forge.server.close()

    def settle(self) -> None:
        self.forge.webhooks.settle()

    @property
    def api(self) -> Server:
        return self.forge.server

    def settings(self, sign_in: SignIn) -> dict[str, Any]:
        return {"endpoint": self.forge.url}

    def application(self, redirect_uri: str) -> dict[str, Any]:
        self.forge.oauth.browser = self.ann
        client_id, secret = self.forge.oauth.register(redirect_uri)
        return {"client_id": client_id, "client_secret": secret}

    def decline(self) -> None:
        self.forge.oauth.browser = None

    def token(self, *, hooks: bool = True) -> str:
        return self.forge.token(self.ann, hooks=hooks)

    def end_tokens(self) -> None:
        self.forge.tokens.clear()
        self.forge.oauth.end()

    @property
    def git(self) -> GitRepository:
        return self.repo.git

    @property
    def person(self) -> tuple[str, str]:
        return str(self.ann.id), self.ann.login

    @property
    def repository_id(self) -> str:
        return str(self.repo.id)

    @property
    def forms(self) -> Sequence[str]:
        return (
            str(self.repo.id),
            "acme/infra",
            "Acme/Infra",
            f"{self.forge.url}/acme/infra",
            f"{self.forge.url}/acme/infra.git",
            f"{self.forge.url}/acme/infra/src/branch/main/live",
            "git@127.0.0.1:acme/infra.git",
            "ssh://git@127.0.0.1:2222/acme/infra.git",
        )

    @property
    def others(self) -> Sequence[str]:
        return "", "infra", "https://github.com/acme/infra", "a/b/../c", "../x", "a/.."

    @property
    def missing(self) -> str:
        return "acme/nothing"

    def add_repositories(self, names: Sequence[str]) -> None:
        for name in names:
            self.forge.repository("acme", name)

    def push(self, files: Files, *, branch: str = "main", message: str = "Change") -> str:
        return self.forge.push(self.repo, self.ann, files, branch=branch, message=message)

    def delete_branch(self, branch: str) -> None:
        self.forge.delete_branch(self.repo, self.ann, branch)

    def tag(self, name: str, target: str, *, message: str = "") -> str:
        return self.forge.tag(self.repo, self.ann, name, target, message=message)

    def open_pull(self, branch: str, *, title: str = "Change", draft: bool = False) -> int:
        return self.forge.open_pull(self.repo, self.ann, branch, title=title, draft=draft).number

    def open_fork(self, files: Files) -> int:
        fork = self.forge.fork(self.repo, "eve")
        fork.git.commit("theirs", files)
        return self.forge.open_pull(self.repo, fork.owner, "theirs", source=fork).number

    def retitle(self, number: int, title: str) -> None:
        self._change(number, "edited", title=title)

    def close_pull(self, number: int) -> None:
        self._change(number, "closed", state="closed")

    def reopen_pull(self, number: int) -> None:
        self._change(number, "reopened", state="open")

    def _change(self, number: int, action: str, **changed: str) -> None:
        self.forge.change_pull(self.repo.pulls[number], self.ann, action, **changed)

    def merge_pull(self, number: int) -> str:
        return self.forge.merge_pull(self.repo.pulls[number], self.ann)

    def comment(self, number: int, text: str) -> None:
        self.forge.comment(self.repo.pulls[number], self.ann, text)

    def edit_by_another(self, number: int, text: str) -> bool:
        bob = self.forge.account("bob")
        self.forge.edit_comment(self.repo.pulls[number], list(self.repo.comments)[-1], bob, text)
        return True

    def statuses(self, sha: str) -> Sequence[tuple[str, str]]:
        return [(each["state"], each["context"]) for each in self.repo.statuses.get(sha, [])]

    def comments(self, number: int) -> Sequence[str]:
        return [each["body"] for each in self.repo.comments.values() if each["on"] == number]

    def drop_comments(self, number: int) -> None:
        self.repo.comments.clear()

    def hooks(self) -> Sequence[str]:
        return [str(each) for each in self.repo.hooks]

    def switch_off(self, hook_id: str) -> None:
        self.repo.hooks[int(hook_id)]["active"] = False

    def remove_hook(self, hook_id: str) -> None:
        del self.repo.hooks[int(hook_id)]
