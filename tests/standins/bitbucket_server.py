"""Bitbucket Data Center: REST 1.0, git over HTTPS, and webhooks.

Written from Atlassian's documents (vcs_providers.md §5); nothing here knows how Landform works. The
server has a context path. What somebody may not do is 401, as what nobody may; only a header says
who asked. A webhook is sent once, and one that keeps failing is left alone for a while.
"""

import base64
import json
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from tests.standins.bitbucket_server_world import Account, Pull, Repo, changes_of, commit_of
from tests.standins.repositories import ZEROS, GitRepository
from tests.standins.serving import Answer, Clock, Refusal, Request, Server, json_answer
from tests.standins.webhooks import Webhooks, signature

CONTEXT: Final = "ctx"
_STATES: Final = frozenset({"INPROGRESS", "SUCCESSFUL", "FAILED"})
_COMMENT: Final = 32_768
_FAILURES: Final = 5  # in a row, after which a webhook is left alone
_PAUSE: Final = timedelta(seconds=10)
_DENIED: Final = "com.atlassian.bitbucket.AuthorisationException"
_MISSING: Final = "com.atlassian.bitbucket.NoSuchEntityException"


class BitbucketServer:
    """One server.

    Attributes:
        tokens: whose each is; `readers` are those that may not administer repositories.
        most: rows that a page has at most, as its administrator set it.
        is_old: older than 7.5, when the default branch was among the branches.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.clock = Clock()
        self.accounts: dict[str, Account] = {}
        self.repos: dict[int, Repo] = {}
        self.tokens: dict[str, Account] = {}
        self.readers: set[str] = set()
        self.most, self.is_old = 1000, False
        self.webhooks = Webhooks(timeout_s=10.0)
        self.resting: dict[str, datetime] = {}
        self._numbers = count(1)
        self.server = Server(self._handle)
        self.url = f"{self.server.url}/{CONTEXT}"

    # ── what there is ───────────────────────────────────────────────────────────────────────────

    def account(self, name: str) -> Account:
        if name not in self.accounts:
            self.accounts[name] = Account(next(self._numbers), name)
        return self.accounts[name]

    def repository(self, project: str, slug: str) -> Repo:
        number = next(self._numbers)
        git = GitRepository(self.root / f"{number}.git")
        self.repos[number] = made = Repo(number, project, slug, git)
        return made

    def fork(self, repo: Repo, who: Account) -> Repo:
        """Forks are in the projects of people."""
        made = self.repository(f"~{who.name.upper()}", repo.slug)
        source = str(repo.git.directory)
        made.git.git("fetch", "--quiet", source, "refs/heads/main:refs/heads/main")
        return made

    def token(self, who: Account, *, hooks: bool = True) -> str:
        value = f"BBDC-{secrets.token_urlsafe(24)}"
        self.tokens[value] = who
        if not hooks:
            self.readers.add(value)
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
        self.pushed(repo, who, [(ref, before, after)])
        for pull in list(repo.pulls.values()):
            if pull.state == "OPEN" and pull.source is repo and pull.branch == branch:
                self.tell_pull(pull, "pr:from_ref_updated", who, previousFromHash=before)
        return after

    def pushed(self, repo: Repo, who: Account, moved: Sequence[tuple[str, str, str]]) -> None:
        """Tell of all refs that one push moved."""
        changes = []
        for ref, old, new in moved:
            kind = "BRANCH" if ref.startswith("refs/heads/") else "TAG"
            how = "ADD" if old == ZEROS else "DELETE" if new == ZEROS else "UPDATE"
            place = {"id": ref, "displayId": ref.split("/", 2)[2], "type": kind}
            hashes = {"refId": ref, "fromHash": old, "toHash": new, "type": how}
            changes.append({"ref": place, **hashes})
        said: dict[str, Any] = {"repository": repo.json(), "changes": changes}
        if len(moved) == 1 and moved[0][2] != ZEROS:
            said["toCommit"] = commit_of(repo, moved[0][2])
        self.emit(repo, "repo:refs_changed", said, who)

    def tag(self, repo: Repo, who: Account, name: str, target: str, *, message: str = "") -> str:
        made = repo.git.tag(name, target, message=message)
        self.pushed(repo, who, [(f"refs/tags/{name}", ZEROS, made)])
        return made

    def delete_branch(self, repo: Repo, who: Account, branch: str) -> None:
        ref = f"refs/heads/{branch}"
        before = repo.git.resolve(ref)
        repo.git.delete_ref(ref)
        self.pushed(repo, who, [(ref, before, ZEROS)])

    def open_pull(
        self, repo: Repo, who: Account, branch: str, *, source: Repo | None = None, **more: Any
    ) -> Pull:
        number = len(repo.pulls) + 1
        pull = Pull(
            number, who, repo, source or repo, branch, "main", **{"title": "Change", **more}
        )
        repo.pulls[number] = pull
        if source is not None:
            theirs = f"refs/heads/{branch}:refs/pull-requests/{number}/from"
            repo.git.git("fetch", "--quiet", str(source.git.directory), theirs)
        self.tell_pull(pull, "pr:opened", who)
        return pull

    def change_pull(self, pull: Pull, who: Account, event: str, **changed: Any) -> None:
        """Change a pull request; that it was opened again is told by no event."""
        for name, value in changed.items():
            setattr(pull, name, value)
        pull.version += 1
        if event:
            self.tell_pull(pull, event, who)

    def merge_pull(self, pull: Pull, who: Account) -> str:
        ref = f"refs/heads/{pull.target}"
        before = pull.repo.git.resolve(ref)
        merged = pull.repo.git.merge(before, pull.sha)
        assert merged is not None, "the pull request has conflicts"
        pull.repo.git.set_ref(ref, merged)
        self.change_pull(pull, who, "pr:merged", state="MERGED", merge_commit=merged)
        self.pushed(pull.repo, who, [(ref, before, merged)])
        return merged

    def tell_pull(self, pull: Pull, event: str, who: Account, **more: Any) -> None:
        self.emit(pull.repo, event, {"pullRequest": pull.json(), **more}, who)

    def comment(self, pull: Pull, who: Account, text: str) -> None:
        made = self._comment(pull.repo, pull.id, who, text)
        self.tell_pull(pull, "pr:comment:added", who, comment=made)

    def _comment(self, repo: Repo, number: int, who: Account, text: str) -> dict[str, Any]:
        comment_id = next(self._numbers)
        made = {
            "id": comment_id,
            "version": 0,
            "text": text,
            "author": who.json(),
            "comments": [],
            "on": number,
        }
        repo.comments[comment_id] = made
        return made

    # ── webhooks ────────────────────────────────────────────────────────────────────────────────

    def emit(self, repo: Repo, event: str, said: dict[str, Any], who: Account) -> None:
        date = self.clock.now().strftime("%Y-%m-%dT%H:%M:%S+0000")
        body = json.dumps({"eventKey": event, "date": date, "actor": who.json(), **said}).encode()
        for hook in list(repo.hooks.values()):
            if hook["active"] and event in hook["events"] and not self._rests(hook["url"]):
                self._send(hook, event, body)

    def _rests(self, url: str) -> bool:
        """Tell if a webhook failed so often that it is left alone for now."""
        newest = [each.status for each in self.webhooks.sent if each.url == url][-_FAILURES:]
        is_failing = len(newest) == _FAILURES and not any(200 <= each < 300 for each in newest)
        if not is_failing:
            self.resting.pop(url, None)
            return False
        until = self.resting.setdefault(url, self.clock.now() + _PAUSE)
        return self.clock.now() < until

    def _send(self, hook: Mapping[str, Any], event: str, body: bytes) -> None:
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "X-Event-Key": event,
            "X-Request-Id": str(uuid4()),
        }
        if secret := (hook.get("configuration") or {}).get("secret"):
            headers["X-Hub-Signature"] = f"sha256={signature(secret, body)}"
        self.webhooks.send(hook["url"], event, body, lambda _: headers)

    # ── HTTP ────────────────────────────────────────────────────────────────────────────────────

    def _handle(self, request: Request) -> Answer:
        who = self.tokens.get(_token(request))
        try:
            if request.segments[:2] == (CONTEXT, "scm"):
                return self._git(request, request.segments[2:], who)
            answer = self._rest(request, request.segments, who)
        except Refusal as refusal:
            error = {"context": None, "message": refusal.message, "exceptionName": refusal.kind}
            answer = json_answer({"errors": [error]}, refusal.status)
        known = {"X-AUSERNAME": who.name, "X-AUSERID": str(who.id)} if who else {}
        return Answer(answer.status, answer.body, {**answer.headers, **known})

    def _git(self, request: Request, path: Sequence[str], who: Account | None) -> Answer:
        if who is None:
            return Answer(401, b"", {"WWW-Authenticate": 'Basic realm="Atlassian Bitbucket"'})
        project, name, *rest = path
        repo = self._named(project, name.removesuffix(".git"))
        return repo.git.serve(request, "/".join(rest), "x")

    def _rest(self, request: Request, path: Sequence[str], who: Account | None) -> Answer:
        if who is None:
            words = "Authentication failed. Please check your credentials and try again."
            raise Refusal(401, words, _DENIED)
        if path[:4] != (CONTEXT, "rest", "api", "1.0"):
            raise Refusal(404, "null", _MISSING)
        match path[4:]:
            case ("projects",):
                keys = sorted({each.project for each in self.repos.values()})
                return self._paged(request, [{"key": key, "name": key} for key in keys])
            case ("repos",):
                words = request.query.get("name", "").lower()
                found = [each for each in self.repos.values() if words in each.slug.lower()]
                return self._paged(request, [each.json() for each in found])
            case ("projects", key, "repos"):
                found = [each for each in self.repos.values() if each.project == key]
                return self._paged(request, [each.json() for each in found])
            case ("projects", key, "repos", slug):
                return json_answer(self._named(key, slug).json())
            case ("projects", key, "repos", slug, *rest):
                return self._of_repository(request, self._named(key, slug), rest, who)
        raise Refusal(404, "null", _MISSING)

    def _of_repository(
        self, request: Request, repo: Repo, path: Sequence[str], who: Account
    ) -> Answer:
        if path == (["branches", "default"] if self.is_old else ["default-branch"]):
            return _default_branch(repo)
        if path[1:] == ["default"]:
            raise Refusal(404, "null", _MISSING)
        routes: dict[str, Callable[[], Answer]] = {
            "branches": lambda: self._refs(request, repo, "refs/heads/"),
            "tags": lambda: self._refs(request, repo, "refs/tags/"),
            "commits": lambda: self._commits(request, repo, path),
            "changes": lambda: self._changes(request, repo),
            "pull-requests": lambda: self._pulls(request, repo, path, who),
            "webhooks": lambda: self._hooks(request, repo, path),
        }
        if path[0] not in routes:
            raise Refusal(404, "null", _MISSING)
        return routes[path[0]]()

    def _named(self, project: str, slug: str) -> Repo:
        for each in self.repos.values():
            if (each.project.lower(), each.slug.lower()) == (project.lower(), slug.lower()):
                return each
        raise Refusal(404, f"Repository {project}/{slug} does not exist.", _MISSING)

    def _paged(self, request: Request, rows: Sequence[Any]) -> Answer:
        limit = min(int(request.query.get("limit", 25)), self.most)
        start = int(request.query.get("start", 0))
        part, end = rows[start : start + limit], start + limit
        is_last = end >= len(rows)
        said = {"size": len(part), "limit": limit, "start": start, "values": part}
        return json_answer(
            said | {"isLastPage": is_last, "nextPageStart": None if is_last else end}
        )

    def _refs(self, request: Request, repo: Repo, prefix: str) -> Answer:
        words = request.query.get("filterText", "").lower()
        rows = [
            {
                "id": name,
                "displayId": name.removeprefix(prefix),
                "latestCommit": peeled or target,
                "hash": target if peeled else None,
            }
            for name, (target, peeled) in sorted(repo.git.refs().items())
            if name.startswith(prefix) and words in name.removeprefix(prefix).lower()
        ]
        return self._paged(request, rows)

    def _commits(self, request: Request, repo: Repo, path: Sequence[str]) -> Answer:
        if not repo.git.has_commit(path[1]):
            words = f"Commit '{path[1]}' does not exist in repository '{repo.slug}'."
            raise Refusal(404, words, _MISSING)
        if path[2:] != ["builds"]:
            return json_answer(commit_of(repo, path[1]))
        said = request.json()
        is_link = str(said.get("url", "")).startswith("http")
        if said["state"] not in _STATES or not 0 < len(said["key"]) <= 255 or not is_link:
            raise Refusal(400, "The build status is not valid.")
        repo.builds.setdefault(path[1], {})[said["key"]] = said
        return Answer(204)

    def _changes(self, request: Request, repo: Repo) -> Answer:
        since, until = request.query["since"], request.query["until"]
        for sha in (since, until):
            if not repo.git.has_commit(sha):
                raise Refusal(404, f"Commit '{sha}' does not exist.", _MISSING)
        return self._paged(request, changes_of(repo, since, until))

    def _pulls(self, request: Request, repo: Repo, path: Sequence[str], who: Account) -> Answer:
        if len(path) == 1:
            state = request.query.get("state", "OPEN")
            rows = [each.json() for each in repo.pulls.values() if state in ("ALL", each.state)]
            return self._paged(request, rows)
        pull = repo.pulls.get(int(path[1]))
        if pull is None:
            raise Refusal(404, f"Pull request {path[1]} does not exist.", _MISSING)
        match path[2:]:
            case ["changes"]:
                base = repo.git.merge_base(f"refs/heads/{pull.target}", pull.sha)
                return self._paged(request, changes_of(repo, base, pull.sha))
            case ["comments", *rest]:
                return self._comments(request, pull, rest, who)
        return json_answer(pull.json())

    def _comments(self, request: Request, pull: Pull, path: Sequence[str], who: Account) -> Answer:
        """To change a comment, one has to know its version."""
        made = pull.repo.comments.get(int(path[0])) if path else None
        if path and made is None:
            raise Refusal(404, "The specified comment does not exist.", _MISSING)
        if made is not None and request.method == "GET":
            return json_answer(made)
        said = request.json()
        if len(said["text"]) > _COMMENT:
            raise Refusal(400, "The comment text must be less than 32768 characters.")
        if made is None:
            return json_answer(self._comment(pull.repo, pull.id, who, said["text"]), 201)
        if said.get("version") != made["version"]:
            raise Refusal(409, "You are attempting to modify a comment based on out-of-date data.")
        made |= {"text": said["text"], "version": made["version"] + 1}
        return json_answer(made)

    def _hooks(self, request: Request, repo: Repo, path: Sequence[str]) -> Answer:
        if _token(request) in self.readers:
            raise Refusal(401, "You are not permitted to access this resource", _DENIED)
        if request.method == "GET":
            return self._paged(request, [_shown(each) for each in repo.hooks.values()])
        if request.method == "POST":
            hook: dict[str, Any] = {"id": next(self._numbers)}
        elif int(path[1]) in repo.hooks:
            hook = repo.hooks[int(path[1])]
        else:
            raise Refusal(404, "The webhook does not exist.", _MISSING)
        if request.method == "DELETE":
            del repo.hooks[hook["id"]]
            return Answer(204)
        said = request.json()
        wanted = ("name", "url", "active", "events", "configuration", "sslVerificationRequired")
        hook |= {name: said[name] for name in wanted}
        repo.hooks[hook["id"]] = hook
        return json_answer(_shown(hook), 201 if request.method == "POST" else 200)


def _token(request: Request) -> str:
    """Of git, the password; any user will do."""
    kind, _, value = request.headers.get("authorization", "").partition(" ")
    if kind == "Basic":
        return base64.b64decode(value).decode().partition(":")[2]
    return value if kind == "Bearer" else ""


def _shown(hook: Mapping[str, Any]) -> dict[str, Any]:
    """The secret is not shown."""
    return {name: value for name, value in hook.items() if name != "configuration"}


def _default_branch(repo: Repo) -> Answer:
    if "refs/heads/main" not in repo.git.refs():
        words = "No default branch is defined."
        raise Refusal(404, words, "com.atlassian.bitbucket.repository.NoDefaultBranchException")
    return json_answer({"id": "refs/heads/main", "displayId": "main", "type": "BRANCH"})


@contextmanager
def bitbucket_server(root: Path) -> Iterator[BitbucketServer]:
    """Serve one for as long as the context lasts."""
    service = BitbucketServer(root)
    try:
        yield service
    finally:
        service.webhooks.settle()
        service.server.close()
