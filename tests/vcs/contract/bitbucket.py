"""Bitbucket Cloud."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from landform.vcs.facts import State
from landform.vcs.kinds import Kind, SignIn
from tests.standins.bitbucket import Bitbucket
from tests.standins.bitbucket_world import SHORT, Account
from tests.standins.repositories import GitRepository
from tests.standins.serving import Server, json_answer
from tests.vcs.contract.host import Files, Host


class BitbucketHost(Host):
    """See Host."""

    kind: ClassVar = Kind.BITBUCKET
    words: ClassVar[Mapping[State, str]] = {
        State.PENDING: "INPROGRESS",
        State.RUNNING: "INPROGRESS",
        State.SUCCEEDED: "SUCCESSFUL",
        State.FAILED: "FAILED",
        State.ERRORED: "FAILED",
        State.CANCELED: "STOPPED",
        State.NOT_APPLICABLE: "SUCCESSFUL",
    }
    hook_advice: ClassVar = "Webhooks: read and write"
    tells_paths_of_pushes: ClassVar = True
    tells_tag_objects: ClassVar = False
    reopens: ClassVar = False
    delivered_id_length: ClassVar = SHORT
    busy: ClassVar = json_answer({"error": {"message": "Rate limit for this resource"}}, 429)

    def open(self, directory: Path) -> None:
        self.forge = Bitbucket(directory)
        self.ann = Account("ann")
        self.repo = self.forge.repository("acme", "infra")

    def shut(self) -> None:
        self.forge.server.close()

    def settle(self) -> None:
        self.forge.webhooks.settle()

    @property
    def api(self) -> Server:
        return self.forge.server

    def settings(self, sign_in: SignIn) -> dict[str, Any]:
        return {"endpoint": self.forge.url, "api_url": self.forge.api_url, "account": "acme"}

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
        return self.ann.uuid, self.ann.nickname

    @property
    def repository_id(self) -> str:
        return self.repo.uuid

    @property
    def forms(self) -> Sequence[str]:
        return (
            self.repo.uuid,
            "acme/infra",
            "Acme/Infra",
            f"{self.forge.url}/acme/infra",
            f"{self.forge.url}/acme/infra.git".replace("://", "://ann@"),
            f"{self.forge.url}/acme/infra/src/main/live",
            "git@127.0.0.1:acme/infra.git",
            "ssh://git@127.0.0.1/acme/infra.git",
        )

    @property
    def others(self) -> Sequence[str]:
        return "", "infra", "https://github.com/acme/infra", "a/b/../c", "../x", "{acme}"

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
        return self.forge.open_pull(self.repo, self.ann, branch, title=title, draft=draft).id

    def open_fork(self, files: Files) -> int:
        fork = self.forge.fork(self.repo, "eve")
        fork.git.commit("theirs", files)
        return self.forge.open_pull(self.repo, Account("eve"), "theirs", source=fork).id

    def retitle(self, number: int, title: str) -> None:
        self.forge.change_pull(self.repo.pulls[number], self.ann, "updated", title=title)

    def close_pull(self, number: int) -> None:
        self.forge.change_pull(self.repo.pulls[number], self.ann, "rejected", state="DECLINED")

    def reopen_pull(self, number: int) -> None:
        raise AssertionError("Bitbucket Cloud opens no pull request again")

    def merge_pull(self, number: int) -> str:
        return self.forge.merge_pull(self.repo.pulls[number], self.ann)

    def comment(self, number: int, text: str) -> None:
        self.forge.comment(self.repo.pulls[number], self.ann, text)

    def statuses(self, sha: str) -> Sequence[tuple[str, str]]:
        return [(each["state"], each["name"]) for each in self.repo.statuses.get(sha, {}).values()]

    def comments(self, number: int) -> Sequence[str]:
        return [
            each["content"]["raw"]
            for each in self.repo.comments.values()
            if each["pullrequest"]["id"] == number and not each["deleted"]
        ]

    def drop_comments(self, number: int) -> None:
        for each in self.repo.comments.values():
            each["deleted"] = True

    def hooks(self) -> Sequence[str]:
        return list(self.repo.hooks)

    def switch_off(self, hook_id: str) -> None:
        self.repo.hooks[hook_id]["active"] = False

    def remove_hook(self, hook_id: str) -> None:
        del self.repo.hooks[hook_id]
