"""Gitea, and Forgejo, which is the same here: REST, OAuth, git over HTTPS, and webhooks.

Written from their documents (vcs_providers.md §6); nothing here knows how Landform works. Webhooks
are sent once and waited for five seconds. What the server calls itself is not how it is reached, as
behind many a proxy.
"""

import base64
import json
import secrets
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any, Final

from tests.standins.gitea_world import Account, Pull, Repo
from tests.standins.oauth import OAuth
from tests.standins.repositories import ZEROS, GitRepository
from tests.standins.serving import Answer, Clock, Refusal, Request, Server, json_answer
from tests.standins.webhooks import Webhooks, signature

ROOT_URL: Final = "https://forge.example.com"
_STATES: Final = frozenset({"pending", "success", "error", "failure", "warning"})
_BELOW: Final = {
    "pull_request": (
        *("pull_request", "pull_request_assign", "pull_request_label", "pull_request_milestone"),
        *("pull_request_comment", "pull_request_review", "pull_request_sync"),
    )
}


class Gitea:
    """One server.

    Attributes:
        most: rows that a page has at most, as its administrator set it.
        administers: whether a token's user is an administrator of the repositories.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.clock = Clock()
        self.most = 50
        self.accounts: dict[str, Account] = {}
        self.repos: dict[int, Repo] = {}
        self.tokens: dict[str, Account] = {}
        self.administers: dict[str, bool] = {}
        self.oauth: OAuth[Account] = OAuth(
            self.clock, life_s=3600, refused=("invalid_client", "unauthorized_client")
        )
        self.webhooks = Webhooks(timeout_s=5.0)
        self._numbers = count(1)
        self.server = Server(self._handle)
        self.url = self.server.url

    # ── what there is ───────────────────────────────────────────────────────────────────────────

    def account(self, login: str) -> Account:
        if login not in self.accounts:
            self.accounts[login] = Account(next(self._numbers), login)
        return self.accounts[login]

    def repository(self, owner: str, name: str) -> Repo:
        number = next(self._numbers)
        git = GitRepository(self.root / f"{number}.git")
        self.repos[number] = made = Repo(number, self.account(owner), name, git, ROOT_URL)
        return made

    def fork(self, repo: Repo, owner: str) -> Repo:
        made = self.repository(owner, repo.name)
        source = str(repo.git.directory)
        made.git.git("fetch", "--quiet", source, "refs/heads/main:refs/heads/main")
        return made

    def token(self, who: Account, *, hooks: bool = True) -> str:
        value = secrets.token_hex(20)
        self.tokens[value], self.administers[value] = who, hooks
        return value

    # ── what people do ──────────────────────────────────────────────────────────────────────────

    def push(
        self,
        repo: Repo,
        who: Account,
        files: Mapping[str, Any],
        *,
        branch: str = "main",
        **more: Any,
    ) -> str:
        ref = f"refs/heads/{branch}"
        before = repo.git.resolve(ref)
        after = repo.git.commit(branch, files, **more)
        self.pushed(repo, who, ref, before, after)
        for pull in list(repo.pulls.values()):
            if pull.state == "open" and pull.source is repo and pull.branch == branch:
                self.tell_pull(pull, "synchronized", who)
        return after

    def pushed(self, repo: Repo, who: Account, ref: str, before: str, after: str) -> None:
        """Tell of a ref that was made or moved; `after` is a tag object where there is one."""
        head = None
        if after != ZEROS:
            sha = repo.git.resolve(f"{after}^{{commit}}")
            head = {"id": sha, "message": repo.git.commit_fields(sha)["message"]}
        said = {
            "ref": ref,
            "before": before,
            "after": after,
            "compare_url": f"{ROOT_URL}/{repo.full_name}/compare/{before}...{after}",
            "commits": [],
            "total_commits": 0,
            "head_commit": head,
            "pusher": who.json(),
        }
        self.emit(repo, "push", said, who)

    def tag(self, repo: Repo, who: Account, name: str, target: str, *, message: str = "") -> str:
        made = repo.git.tag(name, target, message=message)
        self.pushed(repo, who, f"refs/tags/{name}", ZEROS, made)
        self.emit(repo, "create", {"sha": made, "ref": name, "ref_type": "tag"}, who)
        return made

    def delete_branch(self, repo: Repo, who: Account, branch: str) -> None:
        """Only `delete` tells of it, and not where the branch was."""
        repo.git.delete_ref(f"refs/heads/{branch}")
        said = {"ref": branch, "ref_type": "branch", "pusher_type": "user"}
        self.emit(repo, "delete", said, who)

    def open_pull(
        self, repo: Repo, who: Account, branch: str, *, source: Repo | None = None, **more: Any
    ) -> Pull:
        number = len(repo.pulls) + 1
        pull = Pull(
            number, who, repo, source or repo, branch, "main", **{"title": "Change", **more}
        )
        repo.pulls[number] = pull
        if source is not None:
            theirs = f"refs/heads/{branch}:refs/pull/{number}/head"
            repo.git.git("fetch", "--quiet", str(source.git.directory), theirs)
        self.tell_pull(pull, "opened", who)
        return pull

    def change_pull(self, pull: Pull, who: Account, action: str, **changed: Any) -> None:
        """Change a pull request, and tell of it: `edited`, `closed`, `reopened`, …"""
        for name, value in changed.items():
            setattr(pull, name, value)
        self.tell_pull(pull, action, who)

    def merge_pull(self, pull: Pull, who: Account) -> str:
        ref = f"refs/heads/{pull.target}"
        before = pull.repo.git.resolve(ref)
        merged = pull.repo.git.merge(before, pull.sha)
        assert merged is not None, "the pull request has conflicts"
        pull.repo.git.set_ref(ref, merged)
        self.change_pull(pull, who, "closed", state="closed", merge_commit=merged)
        self.pushed(pull.repo, who, ref, before, merged)
        return merged

    def tell_pull(self, pull: Pull, action: str, who: Account) -> None:
        kind = "pull_request_sync" if action == "synchronized" else "pull_request"
        said = {"action": action, "number": pull.number, "pull_request": pull.json()}
        self.emit(pull.repo, kind, said, who)

    def comment(self, pull: Pull, who: Account, text: str) -> None:
        made = self._comment(pull.repo, pull.number, who, text)
        self._tell_comment(pull, made, "created", who)

    def edit_comment(self, pull: Pull, comment_id: int, who: Account, text: str) -> None:
        """Change a comment, as its author or an administrator of the repository."""
        made = pull.repo.comments[comment_id]
        made["body"] = text
        self._tell_comment(pull, made, "edited", who)

    def _tell_comment(self, pull: Pull, made: Mapping[str, Any], action: str, who: Account) -> None:
        issue = {"number": pull.number, "pull_request": {"merged": False}}
        said = {"action": action, "issue": issue, "comment": dict(made), "is_pull": True}
        self.emit(pull.repo, "pull_request_comment", said, who)

    def _comment(self, repo: Repo, number: int, who: Account, text: str) -> dict[str, Any]:
        comment_id = next(self._numbers)
        made = {"id": comment_id, "body": text, "user": who.json(), "on": number}
        repo.comments[comment_id] = made
        return made

    # ── webhooks ────────────────────────────────────────────────────────────────────────────────

    def emit(self, repo: Repo, kind: str, said: dict[str, Any], who: Account) -> None:
        """Tell the hooks that want this kind; some kinds are sent under another's name."""
        body = json.dumps({**said, "repository": repo.json(), "sender": who.json()}, indent=2)
        for hook in list(repo.hooks.values()):
            if hook["active"] and kind in hook["events"]:
                self._send(hook, kind, body.encode())

    def _send(self, hook: Mapping[str, Any], kind: str, body: bytes) -> None:
        event = {"pull_request_sync": "pull_request", "pull_request_comment": "issue_comment"}
        name, digest = event.get(kind, kind), signature(hook["secret"], body)
        delivery = str(uuid.uuid4())
        headers = {
            "Content-Type": "application/json",
            "X-GitHub-Delivery": delivery,
            "X-GitHub-Event": name,
            "X-Gitea-Delivery": delivery,
            "X-Gitea-Event": name,
            "X-Gitea-Event-Type": kind,
            "X-Gitea-Signature": digest if hook["secret"] else "",
            "X-Hub-Signature-256": f"sha256={digest}",
        }
        self.webhooks.send(hook["config"]["url"], name, body, lambda _: headers)

    # ── HTTP ────────────────────────────────────────────────────────────────────────────────────

    def _handle(self, request: Request) -> Answer:
        try:
            if request.segments[:2] == ("api", "v1"):
                return self._rest(request, request.segments[2:])
            if request.path == "/login/oauth/authorize":
                return self.oauth.authorize(request)
            if request.path == "/login/oauth/access_token":
                return self.oauth.token(request)
            return self._git(request)
        except Refusal as refusal:
            return json_answer({"message": refusal.message, "url": "/api/swagger"}, refusal.status)

    def _who(self, token: str) -> Account | None:
        return self.tokens.get(token) or self.oauth.who(token)

    def _git(self, request: Request) -> Answer:
        owner, name, *rest = request.segments
        kind, _, value = request.headers.get("authorization", "").partition(" ")
        password = base64.b64decode(value).decode().partition(":")[2] if kind == "Basic" else ""
        if self._who(password) is None:
            return Answer(401, b"", {"WWW-Authenticate": 'Basic realm="Gitea"'})
        repo = self._named(owner, name.removesuffix(".git"))
        return repo.git.serve(request, "/".join(rest), "x")

    def _rest(self, request: Request, path: Sequence[str]) -> Answer:
        kind, _, value = request.headers.get("authorization", "").partition(" ")
        who = self._who(value) if kind.lower() in ("token", "bearer") else None
        if who is None:
            raise Refusal(401, "user does not exist [uid: 0, name: ]")
        match path:
            case ("user",):
                return json_answer(who.json())
            case ("user", "orgs"):
                return self._paged(request, [])
            case ("user", "repos"):
                return self._paged(request, [each.json() for each in self.repos.values()])
            case ("repos", "search"):
                return self._search(request)
            case ("repositories", number) if int(number) in self.repos:
                return json_answer(self.repos[int(number)].json())
            case ("repos", owner, name):
                return json_answer(self._named(owner, name).json())
            case ("repos", owner, name, *rest):
                repo = self._named(owner, name)
                may_hook = self.administers.get(value, True)
                return self._of_repository(request, repo, rest, who, may_hook=may_hook)
        raise Refusal(404, "The target couldn't be found.")

    def _of_repository(
        self, request: Request, repo: Repo, path: Sequence[str], who: Account, *, may_hook: bool
    ) -> Answer:
        routes: dict[str, Callable[[], Answer]] = {
            "branches": lambda: self._refs(request, repo, "refs/heads/", path),
            "tags": lambda: self._refs(request, repo, "refs/tags/", path),
            "git": lambda: _commit(repo, path[2]),
            "pulls": lambda: self._pulls(request, repo, path),
            "statuses": lambda: _status(request, repo, path[1]),
            "issues": lambda: self._comments(request, repo, path, who),
            "hooks": lambda: self._hooks(request, repo, path, may_hook=may_hook),
        }
        if path[0] not in routes:
            raise Refusal(404, "The target couldn't be found.")
        return routes[path[0]]()

    def _named(self, owner: str, name: str) -> Repo:
        for each in self.repos.values():
            if each.full_name.lower() == f"{owner}/{name}".lower():
                return each
        raise Refusal(404, "The target couldn't be found.")

    def _paged(self, request: Request, rows: Sequence[Any], *, key: str = "") -> Answer:
        size = min(int(request.query.get("limit", 30)), self.most)
        page = int(request.query.get("page", 1))
        part = rows[(page - 1) * size : page * size]
        answer = json_answer({"ok": True, key: part} if key else part)
        more = {"X-Total-Count": str(len(rows))}
        if page * size < len(rows):
            more["Link"] = f'<{ROOT_URL}{request.path}?page={page + 1}&limit={size}>; rel="next"'
        return Answer(answer.status, answer.body, {**answer.headers, **more})

    def _search(self, request: Request) -> Answer:
        words = request.query.get("q", "").lower()
        rows = [each.json() for each in self.repos.values() if words in each.name.lower()]
        return self._paged(request, rows, key="data")

    def _refs(self, request: Request, repo: Repo, prefix: str, path: Sequence[str]) -> Answer:
        key = "id" if prefix == "refs/heads/" else "sha"
        rows = {
            name.removeprefix(prefix): {
                "name": name.removeprefix(prefix),
                "id": target,
                "commit": {key: peeled or target},
            }
            for name, (target, peeled) in sorted(repo.git.refs().items())
            if name.startswith(prefix)
        }
        if len(path) == 1:
            return self._paged(request, list(rows.values()))
        if "/".join(path[1:]) not in rows:
            raise Refusal(404, "The target couldn't be found.")
        return json_answer(rows["/".join(path[1:])])

    def _pulls(self, request: Request, repo: Repo, path: Sequence[str]) -> Answer:
        if len(path) == 1:
            wanted = request.query.get("state", "open")
            found = [each for each in repo.pulls.values() if wanted in ("all", each.state)]
            return self._paged(request, [each.json() for each in found])
        pull = repo.pulls.get(int(path[1]))
        if pull is None:
            raise Refusal(404, "The target couldn't be found.")
        if path[2:] == ["files"]:
            base = repo.git.merge_base(f"refs/heads/{pull.target}", pull.sha)
            return self._paged(request, _files(repo, base, pull.sha))
        return json_answer(pull.json())

    def _comments(self, request: Request, repo: Repo, path: Sequence[str], who: Account) -> Answer:
        text = request.json()["body"]
        if request.method == "POST":
            return json_answer(self._comment(repo, int(path[1]), who, text), 201)
        made = repo.comments.get(int(path[2]))
        if made is None:
            raise Refusal(404, "The target couldn't be found.")
        made["body"] = text
        return json_answer(made)

    def _hooks(
        self, request: Request, repo: Repo, path: Sequence[str], *, may_hook: bool
    ) -> Answer:
        if not may_hook:
            raise Refusal(403, "user should be an owner or a collaborator with admin write")
        if request.method == "GET":
            return self._paged(request, [_shown(each) for each in repo.hooks.values()])
        if request.method == "POST":
            hook: dict[str, Any] = {"id": next(self._numbers), "active": False}
            if request.json().get("type") not in ("gitea", "gogs"):
                raise Refusal(422, "Invalid hook type")
        elif int(path[1]) in repo.hooks:
            hook = repo.hooks[int(path[1])]
        else:
            raise Refusal(404, "The target couldn't be found.")
        if request.method == "DELETE":
            del repo.hooks[hook["id"]]
            return Answer(204)
        repo.hooks[hook["id"]] = _changed(hook, request.json())
        return json_answer(_shown(hook), 201 if request.method == "POST" else 200)


def _changed(hook: dict[str, Any], said: Mapping[str, Any]) -> dict[str, Any]:
    """Without events, a hook is for pushes; one that stands for others has them all."""
    config = dict(said.get("config") or hook["config"])
    hook["secret"] = config.pop("secret", hook.get("secret", ""))
    hook["config"] = config
    names = said.get("events") or ["push"]
    hook["events"] = [each for name in names for each in _BELOW.get(name, (name,))]
    hook["active"] = said.get("active", hook["active"])
    return hook


def _shown(hook: Mapping[str, Any]) -> dict[str, Any]:
    """The secret is not shown."""
    return {name: value for name, value in hook.items() if name != "secret"} | {"type": "gitea"}


def _commit(repo: Repo, sha: str) -> Answer:
    if not repo.git.has_commit(sha):
        raise Refusal(404, "The target couldn't be found.")
    fields = repo.git.commit_fields(sha)
    author = {"name": fields["name"], "email": fields["email"], "date": fields["date"]}
    url = f"{ROOT_URL}/{repo.full_name}/commit/{fields['sha']}"
    commit = {"message": fields["message"], "author": author}
    return json_answer({"sha": fields["sha"], "html_url": url, "commit": commit})


def _files(repo: Repo, base: str, head: str) -> list[dict[str, Any]]:
    rows = []
    for change in repo.git.changes(base, head):
        row = {"filename": change.path, "status": "changed"}
        if change.old_path != change.path:
            row |= {"previous_filename": change.old_path, "status": "renamed"}
        rows.append(row)
    return rows


def _status(request: Request, repo: Repo, sha: str) -> Answer:
    said = request.json()
    if not repo.git.has_commit(sha):
        raise Refusal(404, "The target couldn't be found.")
    if said["state"] not in _STATES:
        raise Refusal(422, "Validation Failed")
    repo.statuses.setdefault(sha, []).append(said)
    return json_answer({**said, "status": said["state"]}, 201)


@contextmanager
def gitea(root: Path) -> Iterator[Gitea]:
    """Serve one for as long as the context lasts."""
    service = Gitea(root)
    try:
        yield service
    finally:
        service.webhooks.settle()
        service.server.close()
