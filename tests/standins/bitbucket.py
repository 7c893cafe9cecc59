"""Bitbucket Cloud: REST 2.0, OAuth consumers, git over HTTPS, and webhooks.

Written from Atlassian's documents (vcs_providers.md §5); nothing here knows how Landform works. A
webhook is sent up to three times, and not at all when what it says is past 256 KB.
"""

import base64
import json
import re
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlencode
from uuid import uuid4

from tests.standins.bitbucket_world import (
    Account,
    Pull,
    Repo,
    commit_of,
    diffstat_of,
    new_uuid,
    side_of,
)
from tests.standins.oauth import OAuth
from tests.standins.repositories import ZEROS, GitRepository
from tests.standins.serving import Answer, Clock, Refusal, Request, Server, json_answer
from tests.standins.webhooks import Webhooks, signature

_STATES: Final = frozenset({"INPROGRESS", "SUCCESSFUL", "FAILED", "STOPPED"})
_KEY: Final = 40  # characters
_COMMENT: Final = 32_768
_PAYLOAD: Final = 256 * 1024  # bytes
_TERM: Final = re.compile(r'([\w.]+) (~|=) "((?:[^"\\]|\\.)*)"')
_SCOPES: Final = "repository, pullrequest, webhook"


@dataclass(frozen=True)
class Grant:
    """What a token may; `email` is who an API token belongs to, and must be shown with it."""

    who: Account
    email: str = ""
    hooks: bool = True


class Bitbucket:
    """The service."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.clock = Clock()
        self.repos: dict[str, Repo] = {}
        self.tokens: dict[str, Grant] = {}
        self.oauth: OAuth[Account] = OAuth(
            self.clock, life_s=7200, refused=("unauthorized_client", "invalid_grant")
        )
        self.webhooks = Webhooks(timeout_s=10.0, pauses_s=(0.05, 0.05))
        self._numbers = count(1)
        self.server = Server(self._handle)
        self.url = self.server.url
        self.api_url = f"{self.url}/2.0"

    # ── what there is ───────────────────────────────────────────────────────────────────────────

    def repository(self, workspace: str, slug: str) -> Repo:
        git = GitRepository(self.root / f"{next(self._numbers)}.git")
        made = Repo(workspace, slug, git)
        self.repos[made.uuid] = made
        return made

    def fork(self, repo: Repo, workspace: str) -> Repo:
        made = self.repository(workspace, repo.slug)
        source = str(repo.git.directory)
        made.git.git("fetch", "--quiet", source, "refs/heads/main:refs/heads/main")
        return made

    def token(self, who: Account, *, email: str = "", hooks: bool = True) -> str:
        """Return an access token, or with an email an API token."""
        value = f"ATCTT{secrets.token_hex(20)}"
        self.tokens[value] = Grant(who, email, hooks)
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
                self.tell_pull(pull, "updated", who)
        return after

    def pushed(self, repo: Repo, who: Account, moved: Sequence[tuple[str, str, str]]) -> None:
        """Tell of all refs that one push moved; the old side of one that is gone is its commit."""
        changes: list[dict[str, Any]] = [
            {
                "old": None if old == ZEROS else side_of(repo, ref, old),
                "new": None if new == ZEROS else side_of(repo, ref, new),
                "created": old == ZEROS,
                "closed": new == ZEROS,
                "forced": ZEROS not in (old, new) and repo.git.merge_base(old, new) != old,
                "truncated": False,
                "commits": [],
            }
            for ref, old, new in moved
        ]
        self.emit(repo, "repo:push", {"push": {"changes": changes}}, who)

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
        self.tell_pull(pull, "created", who)
        return pull

    def change_pull(self, pull: Pull, who: Account, event: str, **changed: Any) -> None:
        for name, value in changed.items():
            setattr(pull, name, value)
        self.tell_pull(pull, event, who)

    def merge_pull(self, pull: Pull, who: Account) -> str:
        ref = f"refs/heads/{pull.target}"
        before = pull.repo.git.resolve(ref)
        merged = pull.repo.git.merge(before, pull.sha)
        assert merged is not None, "the pull request has conflicts"
        pull.repo.git.set_ref(ref, merged)
        self.change_pull(pull, who, "fulfilled", state="MERGED", merge_commit=merged)
        self.pushed(pull.repo, who, [(ref, before, merged)])
        return merged

    def tell_pull(self, pull: Pull, event: str, who: Account) -> None:
        self.emit(pull.repo, f"pullrequest:{event}", {"pullrequest": pull.json()}, who)

    def comment(self, pull: Pull, who: Account, text: str) -> None:
        made = self._comment(pull.repo, pull.id, who, text)
        said = {"pullrequest": pull.json(), "comment": made}
        self.emit(pull.repo, "pullrequest:comment_created", said, who)

    def _comment(self, repo: Repo, number: int, who: Account, text: str) -> dict[str, Any]:
        comment_id = next(self._numbers)
        made = {
            "id": comment_id,
            "content": {"raw": text, "markup": "markdown"},
            "user": who.json(),
            "deleted": False,
            "pullrequest": {"id": number},
        }
        repo.comments[comment_id] = made
        return made

    # ── webhooks ────────────────────────────────────────────────────────────────────────────────

    def emit(self, repo: Repo, event: str, said: dict[str, Any], who: Account) -> None:
        body = json.dumps({**said, "repository": repo.brief(), "actor": who.json()}).encode()
        for hook in list(repo.hooks.values()):
            if hook["active"] and event in hook["events"] and len(body) <= _PAYLOAD:
                self._send(hook, event, body)

    def _send(self, hook: Mapping[str, Any], event: str, body: bytes) -> None:
        request_id = str(uuid4())

        def headers(attempt: int) -> dict[str, str]:
            found = {
                "Content-Type": "application/json",
                "X-Event-Key": event,
                "X-Hook-UUID": hook["uuid"].strip("{}"),
                "X-Request-UUID": request_id,
                "X-Attempt-Number": str(attempt),
            }
            if hook["secret"]:
                found["X-Hub-Signature"] = f"sha256={signature(hook['secret'], body)}"
            return found

        self.webhooks.send(hook["url"], event, body, headers)

    # ── HTTP ────────────────────────────────────────────────────────────────────────────────────

    def _handle(self, request: Request) -> Answer:
        try:
            if request.segments[:1] == ("2.0",):
                return self._rest(request, request.segments[1:])
            if request.path == "/site/oauth2/authorize":
                return self.oauth.authorize(request, needs_redirect=False)
            if request.path == "/site/oauth2/access_token":
                return self.oauth.token(request, _basic(request))
            return self._git(request)
        except Refusal as refusal:
            body = {"type": "error", "error": {"message": refusal.message}}
            return json_answer(body, refusal.status)

    def _git(self, request: Request) -> Answer:
        """The user says what kind of token the password is."""
        workspace, slug, *rest = request.segments
        user, password = _basic(request)
        grant = self._grant(password)
        wanted = "x-bitbucket-api-token-auth" if grant and grant.email else "x-token-auth"
        if grant is None or user != wanted:
            return Answer(401, b"", {"WWW-Authenticate": 'Basic realm="Bitbucket"'})
        repo = self._named(workspace, slug.removesuffix(".git"))
        return repo.git.serve(request, "/".join(rest), "x")

    def _grant(self, token: str) -> Grant | None:
        who = self.oauth.who(token)
        return Grant(who) if who else self.tokens.get(token)

    def _who(self, request: Request) -> Grant:
        kind, _, value = request.headers.get("authorization", "").partition(" ")
        email, token = _basic(request) if kind == "Basic" else ("", value)
        grant = self._grant(token)
        if grant is None or grant.email != email:
            raise Refusal(401, "Token is invalid, expired, or not supported for this endpoint.")
        return grant

    def _rest(self, request: Request, path: Sequence[str]) -> Answer:
        grant = self._who(request)
        answer = self._routed(request, path, grant)
        scopes = _SCOPES if grant.hooks else _SCOPES.replace(", webhook", "")
        return Answer(answer.status, answer.body, {**answer.headers, "X-OAuth-Scopes": scopes})

    def _routed(self, request: Request, path: Sequence[str], grant: Grant) -> Answer:
        match path:
            case ("user",):
                return json_answer(grant.who.json())
            case ("workspaces", _, "projects"):
                return self._paged(request, [{"key": "OPS", "name": "Operations"}])
            case ("repositories", workspace):
                found = [each for each in self.repos.values() if each.workspace == workspace]
                return self._paged(request, [each.json() for each in found])
            case ("repositories", workspace, name):
                return json_answer(self._named(workspace, name).json())
            case ("repositories", workspace, name, *rest):
                return self._of_repository(request, self._named(workspace, name), rest, grant)
        raise Refusal(404, "There is no API hosted at this URL.")

    def _of_repository(
        self, request: Request, repo: Repo, path: Sequence[str], grant: Grant
    ) -> Answer:
        routes: dict[str, Callable[[], Answer]] = {
            "refs": lambda: self._refs(request, repo, path[1]),
            "commit": lambda: self._commits(request, repo, path),
            "diffstat": lambda: self._diffstat(request, repo, path[1]),
            "pullrequests": lambda: self._pulls(request, repo, path, grant),
            "hooks": lambda: self._hooks(request, repo, path, grant),
        }
        if path[0] not in routes:
            raise Refusal(404, "There is no API hosted at this URL.")
        return routes[path[0]]()

    def _named(self, workspace: str, name: str) -> Repo:
        """A UUID is enough; beside it the workspace may be left out."""
        found = self.repos.get(name)
        if found and workspace in ("{}", found.workspace):
            return found
        for each in self.repos.values():
            if each.full_name.lower() == f"{workspace}/{name}".lower():
                return each
        raise Refusal(404, f"Repository {workspace}/{name} not found")

    def _paged(
        self, request: Request, rows: Sequence[Mapping[str, Any]], *, most: int = 100
    ) -> Answer:
        size, page = int(request.query.get("pagelen", 10)), int(request.query.get("page", 1))
        if not 0 < size <= most:
            raise Refusal(400, "Invalid pagelen")
        wanted = [each for each in rows if _matches(each, request.query.get("q", ""))]
        part = wanted[(page - 1) * size : page * size]
        said: dict[str, Any] = {"pagelen": size, "page": page, "values": part}
        if page * size < len(wanted):
            more = {**request.query, "page": str(page + 1)}
            said["next"] = f"{self.url}{request.path}?{urlencode(more)}"
        return json_answer(said)

    def _refs(self, request: Request, repo: Repo, kind: str) -> Answer:
        prefix = "refs/heads/" if kind == "branches" else "refs/tags/"
        rows = [
            {"name": name.removeprefix(prefix), "target": {"hash": peeled or target}}
            for name, (target, peeled) in sorted(repo.git.refs().items())
            if name.startswith(prefix)
        ]
        return self._paged(request, rows)

    def _commits(self, request: Request, repo: Repo, path: Sequence[str]) -> Answer:
        if not repo.git.has_commit(path[1]):
            raise Refusal(404, f"Commit {path[1]} not found")
        if path[2:] != ["statuses", "build"]:
            return json_answer(commit_of(repo, path[1]))
        said = request.json()
        is_link = str(said.get("url", "")).startswith("http")
        if said["state"] not in _STATES or not 0 < len(said["key"]) <= _KEY or not is_link:
            raise Refusal(400, "Bad request")
        repo.statuses.setdefault(path[1], {})[said["key"]] = said
        return json_answer(said, 201)

    def _diffstat(self, request: Request, repo: Repo, span: str) -> Answer:
        """`NEW..OLD`; with `topic`, against where the two parted."""
        new, _, old = span.partition("..")
        if not repo.git.has_commit(new) or not repo.git.has_commit(old):
            raise Refusal(404, "Commit not found")
        is_topic = request.query.get("topic", "false") == "true"
        base = repo.git.merge_base(old, new) if is_topic else old
        return self._paged(request, diffstat_of(repo, base, new))

    def _pulls(self, request: Request, repo: Repo, path: Sequence[str], grant: Grant) -> Answer:
        if len(path) == 1:
            state = request.query.get("state", "OPEN")
            rows = [each.json() for each in repo.pulls.values() if each.state == state]
            return self._paged(request, rows, most=50)
        pull = repo.pulls.get(int(path[1]))
        if pull is None:
            raise Refusal(404, "Pull request not found")
        match path[2:]:
            case ["diffstat"]:
                target = repo.git.resolve(f"refs/heads/{pull.target}")
                there = quote(f"/2.0/repositories/{repo.full_name}/diffstat/{pull.sha}..{target}")
                return Answer(302, b"", {"Location": f"{self.url}{there}?topic=true&pagelen=100"})
            case ["commits"]:
                base = repo.git.merge_base(f"refs/heads/{pull.target}", pull.sha)
                shas = repo.git.log(base, pull.sha)
                return self._paged(request, [{"hash": sha} for sha in shas])
            case ["comments", *rest]:
                return self._comments(request, pull, rest, grant)
        return json_answer(pull.json())

    def _comments(self, request: Request, pull: Pull, path: Sequence[str], grant: Grant) -> Answer:
        text = request.json()["content"]["raw"]
        if len(text) > _COMMENT:
            raise Refusal(400, "content: Ensure this value has at most 32768 characters")
        if request.method == "POST":
            return json_answer(self._comment(pull.repo, pull.id, grant.who, text), 201)
        made = pull.repo.comments.get(int(path[0]))
        if made is None:
            raise Refusal(404, "Comment not found")
        if not made["deleted"]:
            made["content"]["raw"] = text
        return json_answer(made)

    def _hooks(self, request: Request, repo: Repo, path: Sequence[str], grant: Grant) -> Answer:
        if not grant.hooks:
            raise Refusal(403, "Your credentials lack one or more required privilege scopes.")
        if request.method == "GET":
            return self._paged(request, [_shown(each) for each in repo.hooks.values()])
        if request.method == "POST":
            hook: dict[str, Any] = {"uuid": new_uuid()}
        elif path[1] in repo.hooks:
            hook = repo.hooks[path[1]]
        else:
            raise Refusal(404, "Webhook not found")
        if request.method == "DELETE":
            del repo.hooks[hook["uuid"]]
            return Answer(204)
        said = request.json()
        hook |= {name: said[name] for name in ("url", "description", "active", "events")}
        hook["secret"] = said.get("secret", hook.get("secret", ""))
        repo.hooks[hook["uuid"]] = hook
        return json_answer(_shown(hook), 201 if request.method == "POST" else 200)


def _basic(request: Request) -> tuple[str, str]:
    kind, _, value = request.headers.get("authorization", "").partition(" ")
    user, _, password = (
        base64.b64decode(value).decode().partition(":") if kind == "Basic" else ("",) * 3
    )
    return user, password


def _matches(row: Mapping[str, Any], query: str) -> bool:
    """Tell if a row is what a query asks for: terms, all of them or, with OR, one of them."""
    terms = []
    for name, operator, text in _TERM.findall(query):
        value: Any = row
        for part in name.split("."):
            value = value[part]
        wanted = re.sub(r"\\(.)", r"\1", text)
        terms.append(wanted.lower() in value.lower() if operator == "~" else wanted == value)
    return not terms or (any(terms) if " OR " in query else all(terms))


def _shown(hook: Mapping[str, Any]) -> dict[str, Any]:
    """The secret is not shown."""
    return {name: value for name, value in hook.items() if name != "secret"} | {
        "secret_set": bool(hook["secret"])
    }


@contextmanager
def bitbucket(root: Path) -> Iterator[Bitbucket]:
    """Serve it for as long as the context lasts."""
    service = Bitbucket(root)
    try:
        yield service
    finally:
        service.webhooks.settle()
        service.server.close()
