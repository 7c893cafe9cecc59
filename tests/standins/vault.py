"""The part of Vault's API that a run signs in with, on loopback.

Written from Vault's documentation (api-docs/auth/jwt, api-docs/auth/token): the JWT method checks
signature, issuer, audience, time and the role's bound claims, with a message per failure as Vault
words them, and a token is gone once it was revoked.
"""

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from tests.standins.serving import Answer, Clock, Request, Server, json_answer


@dataclass
class Role:
    """A role of the JWT method."""

    bound_subject: str
    bound_audiences: Sequence[str] = ("vault.workload.identity",)


@dataclass
class Vault:
    """One server with the JWT method at `jwt/`.

    Attributes:
        keys: returns the issuer's JSON Web Key Set, as discovery would fetch it.
        tokens: those that are good now.
    """

    issuer: str
    keys: Callable[[], Mapping[str, Any]]
    namespace: str = ""
    clock: Clock = field(default_factory=Clock)
    roles: dict[str, Role] = field(default_factory=dict)
    tokens: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.server = Server(self._handle)
        self.url = self.server.url

    def _handle(self, request: Request) -> Answer:
        headers = {name.lower(): value for name, value in request.headers.items()}
        if headers.get("x-vault-namespace", "") != self.namespace:
            return _refusal(404, "no handler for route")
        if request.method == "POST" and request.path == "/v1/auth/jwt/login":
            return self._login(request)
        if request.method == "POST" and request.path == "/v1/auth/token/revoke-self":
            token = headers.get("x-vault-token", "")
            if token not in self.tokens:
                return _refusal(403, "permission denied")
            self.tokens.discard(token)
            return Answer(204)
        return _refusal(404, "no handler for route")

    def _login(self, request: Request) -> Answer:
        sent = request.json()
        role = self.roles.get(sent.get("role", ""))
        if role is None:
            return _refusal(400, f"role {sent.get('role')!r} could not be found")
        try:
            keys = KeySet.import_key_set(self.keys())  # type: ignore[arg-type]
            claims = jwt.decode(sent["jwt"], keys, algorithms=["RS256"]).claims
        except (JoseError, ValueError):
            return _refusal(400, "error validating token: no known key verifies its signature")
        moment = self.clock.now().timestamp()
        if claims["iss"] != self.issuer or not claims["nbf"] <= moment <= claims["exp"]:
            return _refusal(400, "error validating token: invalid issuer or time")
        if claims["aud"] not in role.bound_audiences:
            return _refusal(400, "error validating token: invalid audience (aud) claim")
        if claims["sub"] != role.bound_subject:
            return _refusal(400, "error validating claims: sub claim does not match bound subject")
        token = f"hvs.{secrets.token_urlsafe(32)}"
        self.tokens.add(token)
        return json_answer({"auth": {"client_token": token, "lease_duration": 1200}})


@contextmanager
def vault(issuer: str, keys: Callable[[], Mapping[str, Any]], **more: Any) -> Iterator[Vault]:
    """Run a Vault for as long as the context lasts."""
    made = Vault(issuer, keys, **more)
    try:
        yield made
    finally:
        made.server.close()


def _refusal(status: int, words: str) -> Answer:
    return json_answer({"errors": [words]}, status)
