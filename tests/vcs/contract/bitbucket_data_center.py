"""Bitbucket Data Center."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from landform.vcs.facts import State
from landform.vcs.kinds import Kind, SignIn
from tests.standins.bitbucket_server import BitbucketServer
from tests.standins.repositories import GitRepository
from tests.standins.serving import Server, json_answer
from tests.vcs.contract.host import Files, Host


class DataCenterHost(Host):
    """See Host."""

    kind: ClassVar = Kind.BITBUCKET_DATA_CENTER
    words: ClassVar[Mapping[State, str]] = {
        State.PENDING: "INPROGRESS",
        State.RUNNING: "INPROGRESS",
        State.SUCCEEDED: "SUCCESSFUL",
        State.FAILED: "FAILED",
        State.ERRORED: "FAILED",
        State.CANCELED: "FAILED",
        State.NOT_APPLICABLE: "SUCCESSFUL",
    }
    hook_advice: ClassVar = "Repository admin"
    tells_paths_of_pushes: ClassVar = True
    signs_in_people: ClassVar = False
    tells_reopening: ClassVar = False
    status_path: ClassVar = "/builds$"
    busy: ClassVar = json_answer({"errors": [{"message": "You are being rate limited"}]}, 429)

    def open(self, directory: Path) -> None:
        self.forge = BitbucketServer(directory)
        self.ann = self.forge.account("ann")
        self.repo = self.forge.repository("OPS", "infra")

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
        raise AssertionError("nobody is sent there and back")

    def decline(self) -> None:
        raise AssertionError("nobody is sent there and back")

    def token(self, *, hooks: bool = True) -> str:
        return self.forge.token(self.ann, hooks=hooks)

    def end_tokens(self) -> None:
        self.forge.tokens.clear()

    @property
    def git(self) -> GitRepository:
        return self.repo.git

    @property
    def person(self) -> tuple[str, str]:
        return str(self.ann.id), self.ann.name

    @property
    def repository_id(self) -> str:
        return "OPS/infra"

    @property
    def forms(self) -> Sequence[str]:
        return (
            "OPS/infra",
            "ops/Infra",
            "projects/OPS/repos/infra",
            f"{self.forge.url}/projects/OPS/repos/infra",
            f"{self.forge.url}/projects/OPS/repos/infra/browse?at=refs%2Fheads%2Fmain",
            f"{self.forge.url}/scm/ops/infra.git",
            f"{self.forge.url}/scm/ops/infra.git".replace("://", "://ann@"),
            "ssh://git@127.0.0.1:7999/ops/infra.git",
        )

    @property
    def others(self) -> Sequence[str]:
        return "", "infra", "https://github.com/acme/infra", "a/b/../c", "../x", "a/.."

    @property
    def missing(self) -> str:
        return "OPS/nothing"

    def add_repositories(self, names: Sequence[str]) -> None:
        for name in names:
            self.forge.repository("OPS", name)

    def push(self, files: Files, *, branch: str = "main", message: str = "Change") -> str:
        return self.forge.push(self.repo, self.ann, files, branch=branch, message=message)

    def delete_branch(self, branch: str) -> None:
        self.forge.delete_branch(self.repo, self.ann, branch)

    def tag(self, name: str, target: str, *, message: str = "") -> str:
        return self.forge.tag(self.repo, self.ann, name, target, message=message)

    def open_pull(self, branch: str, *, title: str = "Change", draft: bool = False) -> int:
        return self.forge.open_pull(self.repo, self.ann, branch, title=title, draft=draft).id

    def open_fork(self, files: Files) -> int:
        eve = self.forge.account("eve")
        fork = self.forge.fork(self.repo, eve)
        fork.git.commit("theirs", files)
        return self.forge.open_pull(self.repo, eve, "theirs", source=fork).id

    def retitle(self, number: int, title: str) -> None:
        self._change(number, "pr:modified", title=title)

    def close_pull(self, number: int) -> None:
        self._change(number, "pr:declined", state="DECLINED")

    def reopen_pull(self, number: int) -> None:
        self._change(number, "", state="OPEN")

    def _change(self, number: int, event: str, **changed: str) -> None:
        self.forge.change_pull(self.repo.pulls[number], self.ann, event, **changed)

    def merge_pull(self, number: int) -> str:
        return self.forge.merge_pull(self.repo.pulls[number], self.ann)

    def comment(self, number: int, text: str) -> None:
        self.forge.comment(self.repo.pulls[number], self.ann, text)

    def statuses(self, sha: str) -> Sequence[tuple[str, str]]:
        return [(each["state"], each["name"]) for each in self.repo.builds.get(sha, {}).values()]

    def comments(self, number: int) -> Sequence[str]:
        return [each["text"] for each in self.repo.comments.values() if each["on"] == number]

    def drop_comments(self, number: int) -> None:
        self.repo.comments.clear()

    def hooks(self) -> Sequence[str]:
        return [str(each) for each in self.repo.hooks]

    def switch_off(self, hook_id: str) -> None:
        self.repo.hooks[int(hook_id)]["active"] = False

    def remove_hook(self, hook_id: str) -> None:
        del self.repo.hooks[int(hook_id)]
