"""GitHub: REST, git over HTTPS, the sign-in of OAuth and of apps, and webhooks.

Written from GitHub's documents (vcs_providers.md §3); nothing here knows how Landform works. An
Enterprise Server in shape: pages and git at the root, REST below `/api/v3`.
"""

import base64
import hashlib
import hmac
import json
import secrets
import urllib.request
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlencode

from tests.standins.github_apps import Apps
from tests.standins.github_rest import Rest
from tests.standins.github_world import Account, Grant, Pull, Repo
from tests.standins.repositories import ZEROS, GitRepository
from tests.standins.serving import Answer, Clock, Refusal, Request, Server, json_answer
from tests.standins.threads import Threads

_OPENER: Final = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class GitHub:
    """One service.

    Attributes:
        apps: registered GitHub Apps, and where they are installed.
        teams: the numbers of their members' accounts, by `organization/team`.
        browser: who is signed in in the browser that opens the authorize page; None declines.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.clock = Clock()
        self.accounts: dict[str, Account] = {}
        self.repos: dict[int, Repo] = {}
        self.tokens: dict[str, Grant] = {}
        self.codes: dict[str, tuple[Account, str]] = {}
        self.callbacks: dict[str, str] = {}
        self.browser: Account | None = None
        self.apps = Apps(self)
        self.teams: dict[str, set[int]] = {}
        self.deliveries: list[dict[str, Any]] = []
        self._sent: urllib.request.Request | None = None
        self._numbers = count(1001)
        self._rest_api = Rest(self)
        self._threads = Threads()
        self.server = Server(self._handle)
        self.url = self.server.url

    # ── what there is ───────────────────────────────────────────────────────────────────────────

    def account(self, login: str) -> Account:
        if login not in self.accounts:
            self.accounts[login] = Account(self.number(), login)
        return self.accounts[login]

    def organization(self, login: str) -> Account:
        made = self.account(login)
        made.type = "Organization"
        return made

    def repository(self, owner: str, name: str) -> Repo:
        number = self.number()
        git = GitRepository(self.root / f"{number}.git")
        made = Repo(number, self.account(owner), name, git, self.url)
        self.repos[number] = made
        return made

    def named(self, owner: str, name: str) -> Repo:
        for each in self.repos.values():
            if each.full_name.lower() == f"{owner}/{name}".lower():
                return each
        raise Refusal(404, "Not Found")

    def number(self) -> int:
        """Return one that nothing has yet."""
        return next(self._numbers)

    def fork(self, repo: Repo, owner: str) -> Repo:
        made = self.repository(owner, repo.name)
        source = str(repo.git.directory)
        made.git.git("fetch", "--quiet", source, "refs/heads/main:refs/heads/main")
        return made

    def register(self, redirect_uri: str) -> dict[str, str]:
        """Register an OAuth app; return its id and secret."""
        client_id = f"Ov23{secrets.token_hex(8)}"
        self.callbacks[client_id] = redirect_uri
        return {"client_id": client_id, "client_secret": "app-secret"}

    def code(self, who: Account, challenge: str = "") -> str:
        made = secrets.token_hex(10)
        self.codes[made] = who, challenge
        return made

    def token(self, who: Account, *scopes: str, hooks: bool = True) -> str:
        """Return a classic token, of scope `repo` unless others are given."""
        value = f"ghp_{secrets.token_hex(18)}"
        self.tokens[value] = Grant(who, scopes or ("repo",), hooks)
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
                self.tell_pull(pull, "synchronize", who)
        return after

    def pushed(self, repo: Repo, who: Account, ref: str, before: str, after: str) -> None:
        """Tell of a ref that moved; `after` is a tag object where there is one."""
        head = None
        if after != ZEROS:
            sha = repo.git.resolve(f"{after}^{{commit}}")
            fields = repo.git.commit_fields(sha)
            head = {"id": sha, "message": fields["message"].rstrip("\n")}
        forced = ZEROS not in (before, after) and repo.git.merge_base(before, after) != before
        self.emit(
            repo,
            "push",
            {
                "ref": ref,
                "before": before,
                "after": after,
                "created": before == ZEROS,
                "deleted": after == ZEROS,
                "forced": forced,
                "head_commit": head,
                "commits": [],
            },
            who,
        )

    def tag(self, repo: Repo, who: Account, name: str, target: str, *, message: str = "") -> str:
        made = repo.git.tag(name, target, message=message)
        self.pushed(repo, who, f"refs/tags/{name}", ZEROS, made)
        return made

    def delete_ref(self, repo: Repo, who: Account, ref: str) -> None:
        before = repo.git.resolve(ref)
        repo.git.delete_ref(ref)
        self.pushed(repo, who, ref, before, ZEROS)

    def open_pull(
        self,
        repo: Repo,
        who: Account,
        branch: str,
        *,
        title: str = "Change",
        source: Repo | None = None,
        draft: bool = False,
    ) -> Pull:
        number = len(repo.pulls) + 1
        pull = Pull(number, who, repo, source or repo, branch, "main", title, draft=draft)
        repo.pulls[number] = pull
        if source is not None:  # forks share their objects
            theirs = f"refs/heads/{branch}:refs/pull/{number}/head"
            repo.git.git("fetch", "--quiet", str(source.git.directory), theirs)
        self.tell_pull(pull, "opened", who)
        return pull

    def retitle(self, pull: Pull, who: Account, title: str) -> None:
        pull.title = title
        self.tell_pull(pull, "edited", who)

    def reopen_pull(self, pull: Pull, who: Account) -> None:
        pull.state = "open"
        self.tell_pull(pull, "reopened", who)

    def close_pull(self, pull: Pull, who: Account) -> None:
        pull.state = "closed"
        self.tell_pull(pull, "closed", who)

    def merge_pull(self, pull: Pull, who: Account) -> str:
        ref = f"refs/heads/{pull.target}"
        before = pull.repo.git.resolve(ref)
        merged = pull.repo.git.merge(before, pull.sha)
        assert merged is not None, "the pull request has conflicts"
        pull.repo.git.set_ref(ref, merged)
        pull.state, pull.merged = "closed", True
        self.tell_pull(pull, "closed", who)
        self.pushed(pull.repo, who, ref, before, merged)
        return merged

    def tell_pull(self, pull: Pull, action: str, who: Account) -> None:
        said = {"action": action, "number": pull.number, "pull_request": pull.json()}
        self.emit(pull.repo, "pull_request", said, who)

    def comment(self, pull: Pull, who: Account, text: str) -> None:
        number = self.number()
        made = {"id": number, "body": text, "user": who.json(), "on": pull.number}
        pull.repo.comments[number] = made
        self._tell_comment(pull, made, "created", who)

    def edit_comment(self, pull: Pull, comment_id: int, who: Account, text: str) -> None:
        """Change a comment, as its author or whoever else may write to the repository."""
        made = pull.repo.comments[comment_id]
        made["body"] = text
        self._tell_comment(pull, made, "edited", who)

    def _tell_comment(self, pull: Pull, made: Mapping[str, Any], action: str, who: Account) -> None:
        issue = {"number": pull.number, "pull_request": {"url": "…"}}
        said = {"action": action, "issue": issue, "comment": dict(made)}
        self.emit(pull.repo, "issue_comment", said, who)

    # ── webhooks: signed, once, never tried again ───────────────────────────────────────────────

    def emit(self, repo: Repo, event: str, said: dict[str, Any], who: Account) -> None:
        body = json.dumps({**said, "repository": repo.json(), "sender": who.json()}).encode()
        for hook in list(repo.hooks.values()):
            if hook["active"] and event in hook["events"]:
                self.send(hook, event, body)

    def settle(self) -> None:
        """Wait for everything that is under way."""
        self._threads.settle()

    def send(self, hook: dict[str, Any], event: str, body: bytes) -> None:
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "GitHub-Hookshot/abc",
            "X-GitHub-Event": event,
            "X-GitHub-Delivery": str(uuid.uuid4()),
            "X-GitHub-Hook-ID": str(hook["id"]),
        }
        if secret := hook["secret"]:
            digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
            headers["X-Hub-Signature-256"] = f"sha256={digest}"
        request = urllib.request.Request(
            hook["config"]["url"], data=body, headers=headers, method="POST"
        )

        self._deliver(request, event, hook["id"])

    def redeliver(self) -> None:
        """Send once more what was sent last, with the same id, as somebody can press."""
        assert self._sent is not None
        self._deliver(self._sent, "again", 0)

    def _deliver(self, request: urllib.request.Request, event: str, hook_id: int) -> None:
        self._sent = request

        def deliver() -> None:
            try:
                with _OPENER.open(request, timeout=10) as answer:
                    status = int(answer.status)
            except OSError as failure:
                status = int(getattr(failure, "code", 0))
            self.deliveries.append({"event": event, "status": status, "hook": hook_id})

        self._threads.start(deliver)

    # ── HTTP ────────────────────────────────────────────────────────────────────────────────────

    def _handle(self, request: Request) -> Answer:
        try:
            if request.segments[:2] == ("api", "v3"):
                return self._rest(request, request.segments[2:])
            if request.path == "/login/oauth/authorize":
                return self._authorize(request)
            if request.path == "/login/oauth/access_token":
                return self._access_token(request)
            if self.apps.has_page(request):
                return self.apps.page(request)
            return self._git(request)
        except Refusal as refusal:
            body = {"message": refusal.message, "documentation_url": "https://docs.github.com"}
            return json_answer(body, refusal.status)

    def _git(self, request: Request) -> Answer:
        owner, name, *rest = request.segments
        repo = self.named(owner, name.removesuffix(".git"))
        kind, _, value = request.headers.get("authorization", "").partition(" ")
        password = base64.b64decode(value).decode().partition(":")[2] if kind == "Basic" else ""
        if self._grant(password) is None:
            return Answer(401, b"", {"WWW-Authenticate": 'Basic realm="GitHub"'})
        return repo.git.serve(request, "/".join(rest), "x")

    def _authorize(self, request: Request) -> Answer:
        query = request.query
        back = self.callbacks.get(query["client_id"], "")
        if not back or query.get("redirect_uri", back) != back:
            return Answer(404)
        if self.browser is None:
            sent = {"error": "access_denied", "error_description": "The user has denied access."}
        else:
            sent = {"code": self.code(self.browser, query.get("code_challenge", ""))}
        sent |= {"state": query["state"]} if "state" in query else {}
        return Answer(302, b"", {"Location": f"{back}?{urlencode(sent)}"})

    def _access_token(self, request: Request) -> Answer:
        """Errors are 200, and a form unless JSON was asked for."""
        assert "json" in request.headers.get("accept", "")
        form = {name: values[-1] for name, values in parse_qs(request.body.decode()).items()}
        who, challenge = self.codes.pop(form.get("code", ""), (None, ""))
        if form.get("client_secret") != "app-secret":
            return json_answer({"error": "incorrect_client_credentials"})
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        proof = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if who is None or challenge not in ("", proof):
            return json_answer({"error": "bad_verification_code", "error_description": "Expired."})
        value = f"gho_{secrets.token_hex(18)}"
        self.tokens[value] = Grant(who, ("repo",))
        return json_answer({"access_token": value, "scope": "repo", "token_type": "bearer"})

    def _rest(self, request: Request, path: Sequence[str]) -> Answer:
        bearer = request.headers.get("authorization", "").removeprefix("Bearer ")
        if not request.headers.get("user-agent"):
            raise Refusal(403, "Request forbidden by administrative rules.")
        if self.apps.has_route(path):
            return self.apps.route(request, path, bearer)
        grant = self._grant(bearer)
        if grant is None:
            raise Refusal(401, "Bad credentials")
        answer = self._rest_api.answer(request, path, grant)
        scopes = {} if grant.scopes is None else {"X-OAuth-Scopes": ", ".join(grant.scopes)}
        return Answer(answer.status, answer.body, {**answer.headers, **scopes})

    def _grant(self, token: str) -> Grant | None:
        grant = self.tokens.get(token)
        if grant is None or (grant.until and grant.until <= self.clock.now()):
            return None
        return grant


@contextmanager
def github(root: Path) -> Iterator[GitHub]:
    """Serve one for as long as the context lasts."""
    service = GitHub(root)
    try:
        yield service
    finally:
        service.settle()
        service.server.close()
