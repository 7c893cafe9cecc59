"""Webhooks of GitLab: kept by REST, sent once, signed, switched off when they fail.

Facts: vcs_providers.md §4. A status decides nothing but whether it counts as a failure; only what
was not answered at all is sent once more, with the same key.
"""

import base64
import binascii
import hashlib
import hmac
import json
import urllib.error
import urllib.request
import uuid
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlsplit

from tests.standins.gitlab_world import Hook, Project
from tests.standins.serving import Answer, Clock, Refusal, Request, json_answer
from tests.standins.threads import Threads

_EVENTS: Final[Mapping[str, str]] = {
    "push": "push_events",
    "tag_push": "tag_push_events",
    "merge_request": "merge_requests_events",
    "note": "note_events",
}
_NAMES: Final[Mapping[str, str]] = {
    "push": "Push Hook",
    "tag_push": "Tag Push Hook",
    "merge_request": "Merge Request Hook",
    "note": "Note Hook",
}
_FLAGS: Final = (*_EVENTS.values(), "issues_events", "job_events", "pipeline_events")
_MOST: Final = 100
_FAILURES_FOR_A_WHILE: Final = 4
_FAILURES_FOR_GOOD: Final = 40
_LONGEST: Final = timedelta(hours=24)
_TIMEOUT_S: Final = 10.0
_OPENER: Final = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Hooks:
    """The hooks of all projects.

    Attributes:
        signs: knows signing tokens (GitLab 19); an older one takes no notice of them.
        allows_local: takes addresses of the local network, as an administrator may allow.
        deliveries: what was sent, and what came back; 0 for nothing.
    """

    def __init__(self, clock: Clock, url: str) -> None:
        self.signs = True
        self.allows_local = True
        self.deliveries: list[dict[str, Any]] = []
        self._clock = clock
        self._url = url
        self._last = 400
        self._threads = Threads()

    # ── REST ────────────────────────────────────────────────────────────────────────────────────

    def listed(self, project: Project) -> list[dict[str, Any]]:
        return [each.json(self._clock) for each in project.hooks.values()]

    def create(self, project: Project, request: Request) -> Answer:
        if len(project.hooks) >= _MOST:
            raise Refusal(422, f"Maximum number of project hooks ({_MOST}) exceeded")
        self._last += 1
        hook = Hook(self._last, dict.fromkeys(_FLAGS, False) | {"push_events": True})
        self._fill(hook, request.json())
        project.hooks[hook.id] = hook
        return json_answer(hook.json(self._clock), 201)

    def change(self, hook: Hook, request: Request) -> Answer:
        self._fill(hook, request.json())
        return json_answer(hook.json(self._clock))

    def _fill(self, hook: Hook, said: Mapping[str, Any]) -> None:
        url = urlsplit(str(said.get("url") or hook.said.get("url") or ""))
        if url.scheme not in ("http", "https") or not url.hostname:
            raise Refusal(422, "Invalid url given")
        if not self.allows_local and url.hostname in ("127.0.0.1", "localhost"):
            words = "Invalid url given: Requests to the local network are not allowed"
            raise Refusal(422, words)
        if "url" in said and said["url"] != hook.said.get("url"):
            hook.token = ""  # is not kept for another address
        known = (*_FLAGS, "url", "enable_ssl_verification", "push_events_branch_filter")
        hook.said |= {name: said[name] for name in known if name in said}
        hook.said.setdefault("push_events_branch_filter", "")
        hook.token = str(said.get("token", hook.token) or "")
        if self.signs and said.get("signing_token"):
            hook.signing_key = _signing_key(str(said["signing_token"]))

    # ── sending ─────────────────────────────────────────────────────────────────────────────────

    def emit(self, project: Project, kind: str, said: Mapping[str, Any]) -> None:
        """Tell whoever wants to know."""
        body = json.dumps({"object_kind": kind, **said}).encode()
        event_id = str(uuid.uuid4())
        for hook in list(project.hooks.values()):
            if not hook.said.get(_EVENTS[kind]) or hook.state(self._clock) != "executable":
                continue
            headers = self._headers(hook, _NAMES[kind], event_id, body)
            self._threads.start(self._deliver, hook, kind, headers, body)

    def settle(self) -> None:
        """Wait for everything that is under way."""
        self._threads.settle()

    def _headers(self, hook: Hook, name: str, event_id: str, body: bytes) -> dict[str, str]:
        key = str(uuid.uuid4())
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "GitLab/19.2.0",
            "X-Gitlab-Event": name,
            "X-Gitlab-Instance": self._url,
            "X-Gitlab-Webhook-UUID": hook.uuid,
            "X-Gitlab-Event-UUID": event_id,
            "Idempotency-Key": key,
        }
        if hook.token:
            headers["X-Gitlab-Token"] = hook.token
        if hook.signing_key:
            at = str(int(self._clock.now().timestamp()))
            signed = f"{key}.{at}.".encode() + body
            digest = hmac.new(hook.signing_key, signed, hashlib.sha256).digest()
            headers |= {
                "webhook-id": key,
                "webhook-timestamp": at,
                "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
            }
        return headers

    def _deliver(self, hook: Hook, kind: str, headers: dict[str, str], body: bytes) -> None:
        status = 0
        for _ in range(2):
            status = _send(str(hook.said["url"]), headers, body)
            if status:
                break
        self.deliveries.append({"event": kind, "hook": hook.id, "status": status})
        if 200 <= status < 300:
            hook.failures, hook.off_until = 0, None
            return
        hook.failures += 1
        if hook.failures >= _FAILURES_FOR_GOOD:
            hook.is_disabled = True
        elif hook.failures >= _FAILURES_FOR_A_WHILE:
            pause = timedelta(minutes=2 ** (hook.failures - _FAILURES_FOR_A_WHILE))
            hook.off_until = self._clock.now() + min(pause, _LONGEST)


def _send(url: str, headers: dict[str, str], body: bytes) -> int:
    request = urllib.request.Request(url, data=body, headers=headers, method="POST")
    try:
        with _OPENER.open(request, timeout=_TIMEOUT_S) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refusal:
        refusal.close()
        return refusal.code
    except OSError:
        return 0


def _signing_key(token: str) -> bytes:
    try:
        key = base64.b64decode(token.removeprefix("whsec_"), validate=True)
    except binascii.Error:
        key = b""
    if not token.startswith("whsec_") or len(key) != 32:
        raise Refusal(422, "Signing token must be whsec_ and 32 bytes in base64")
    return key
